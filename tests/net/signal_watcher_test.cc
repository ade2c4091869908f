#include "net/signal_watcher.h"

#include <doctest/doctest.h>

#include <csignal>

#include "tests/net/run_task.h"

namespace imgcached::net {
namespace {

Task<void> note_next(SignalWatcher& watcher, int& signal) { signal = co_await watcher.next(); }

TEST_CASE("a watcher tells the signals of its set, until it is closed") {
  Loop loop;
  SignalWatcher watcher(loop, {SIGUSR1, SIGUSR2});
  Gate gate;
  for (const int sent : {SIGUSR2, SIGUSR1}) {
    int received = -1;
    gate.spawn(note_next(watcher, received));
    std::raise(sent);
    while (gate.running() > 0) uv_run(loop.raw(), UV_RUN_ONCE);
    CHECK(received == sent);
  }
  int received = -1;
  gate.spawn(note_next(watcher, received));
  watcher.close();
  CHECK(received == 0);
  gate.spawn(note_next(watcher, received));
  CHECK(gate.running() == 0);
  loop.run();
  CHECK(loop.live_handles() == 0);
}

}  // namespace
}  // namespace imgcached::net
