// FdWatcher: awaits readiness of a descriptor that a library owns (MariaDB's
// socket). Not for our own sockets: those are Streams.
//
// As there, what has come by the time limit counts, even if the loop was too
// busy to look.
#pragma once

#include <coroutine>
#include <cstdint>

#include "net/handle.h"
#include "net/timer.h"

namespace imgcached::net {

class FdWatcher {
 public:
  static constexpr int readable = UV_READABLE;
  static constexpr int writable = UV_WRITABLE;
  static constexpr int timed_out = 1 << 16;  // no uv_poll event

  explicit FdWatcher(Loop& loop) : loop_(loop), timer_(loop) {}

  // Watches `fd` from now on, instead of a former one. False when the
  // descriptor can't be watched.
  bool watch(int fd);
  int fd() const { return fd_; }
  // Lets go of the descriptor, at once: REQUIRED before its owner closes it.
  void unwatch() {
    timer_.stop();  // or it could still fire before the close has woken the waiter
    handle_.reset();
    fd_ = -1;
  }

  class Wait;
  // Awaits one of `events` for timeout_ms at most. Result: the events that are
  // there; `timed_out`; or 0 when the watcher was closed meanwhile. An error on
  // the descriptor counts as all events: the library will find out which.
  // REQUIRES: watch() succeeded. One waiter.
  Wait wait(int events, std::uint64_t timeout_ms);

 private:
  struct State {
    uv_poll_t uv;
    int events = 0;  // what uv_poll watches for now
    Wait* waiter = nullptr;

    std::coroutine_handle<> take_waiter();
  };

  static void on_event(uv_poll_t* poll, int status, int events);

  Loop& loop_;
  Timer timer_;
  Handle<State> handle_;
  int fd_ = -1;
};

class FdWatcher::Wait {
 public:
  Wait(FdWatcher& watcher, int events, std::uint64_t timeout_ms)
      : watcher_(watcher), events_(events), timeout_ms_(timeout_ms) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter);
  int await_resume() const noexcept { return ready_; }

 private:
  friend class FdWatcher;
  void finish(int ready);
  void expire();

  FdWatcher& watcher_;
  int events_;
  std::uint64_t timeout_ms_;
  std::coroutine_handle<> waiter_;
  int ready_ = 0;
};

inline FdWatcher::Wait FdWatcher::wait(int events, std::uint64_t timeout_ms) {
  return Wait(*this, events, timeout_ms);
}

}  // namespace imgcached::net
