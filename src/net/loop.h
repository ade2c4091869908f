// Loop: one libuv event loop, run by one thread, and what all of its handles
// share.
//
// Everything in net/ belongs to one Loop and is used on its thread only; the
// exceptions are Mailbox::post() and the jobs of offload(). A loop runs until
// its last handle has been closed: to stop it, close what it serves. The
// destructor asserts that nothing was forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "base/result.h"
#include "net/buffer_pool.h"
#include "net/splicer.h"
#include "net/uv.h"

namespace imgcached::net {

struct LookUp;

class Loop {
 public:
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // Runs until no handle and no request is left.
  void run();

  // The loop's idea of now: monotonic, taken once per iteration.
  std::uint64_t now_ms() const { return uv_now(&uv_); }

  uv_loop_t* raw() { return &uv_; }
  BufferPool& buffers() { return buffers_; }
  Splicer& splicer() { return splicer_; }

  // Handles that were opened and whose close callback has not run yet.
  std::size_t live_handles() const { return live_handles_; }
  // Jobs of offload() and resolve() that were queued and have not come back yet.
  std::size_t live_jobs() const { return live_jobs_; }

 private:
  template <class State>
  friend class Handle;
  template <class Job>
  friend class Offload;
  friend struct LookUp;

  uv_loop_t uv_;
  BufferPool buffers_;
  Splicer splicer_;
  std::size_t live_handles_ = 0;
  std::size_t live_jobs_ = 0;
  std::vector<LookUp*> look_ups_;  // those of resolve() that are under way
};

// Starts a thread for a loop to run on. Error unavailable: the system has none to give.
Result<std::thread> start_thread(std::function<void()> function);

}  // namespace imgcached::net
