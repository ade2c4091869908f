#include "net/loop.h"

#include <cassert>
#include <csignal>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

namespace imgcached::net {

Loop::Loop() {
  // A write to a peer that has gone is to be an error, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  if (uv_loop_init(&uv_) != 0) std::abort();  // out of descriptors at start: nothing can work
  uv_.data = this;
}

Loop::~Loop() {
  uv_run(&uv_, UV_RUN_NOWAIT);  // the close callbacks of what went after run()
  const int status = uv_loop_close(&uv_);
  assert(status == 0 && "a handle outlived its loop");
  (void)status;
  assert(live_handles_ == 0 && live_jobs_ == 0);
}

void Loop::run() { uv_run(&uv_, UV_RUN_DEFAULT); }

Result<std::thread> start_thread(std::function<void()> function) {
  try {
    return std::thread(std::move(function));
  } catch (const std::system_error& error) {
    return Error{Errc::unavailable, std::string("can't start a thread: ") + error.what()};
  }
}

}  // namespace imgcached::net
