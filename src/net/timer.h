// Timer: a one-shot timer, awaited (`co_await timer.wait(ms)`) or with a
// callback (`start`). Times are milliseconds from the call on; never less is waited.
#pragma once

#include <coroutine>
#include <cstdint>

#include "net/handle.h"

namespace imgcached::net {

class Timer {
 public:
  using Callback = void (*)(void* argument);

  explicit Timer(Loop& loop);

  // Calls callback(argument) once, after timeout_ms; an earlier start or wait
  // is replaced. The callback may restart or close the timer.
  void start(std::uint64_t timeout_ms, Callback callback, void* argument);
  void stop();
  // A waiter is resumed with false. Afterwards the timer can't be used.
  void close() { handle_.reset(); }

  class Wait;
  // Awaits timeout_ms: true when it has passed, false when the timer was
  // closed or wake()d before. One waiter.
  Wait wait(std::uint64_t timeout_ms);
  // Ends a wait early.
  void wake();

 private:
  struct State {
    uv_timer_t uv;
    Callback callback = nullptr;
    void* argument = nullptr;
    std::coroutine_handle<> waiter;

    std::coroutine_handle<> take_waiter() { return std::exchange(waiter, nullptr); }
  };

  Handle<State> handle_;
};

class Timer::Wait {
 public:
  Wait(Timer& timer, std::uint64_t timeout_ms) : timer_(timer), timeout_ms_(timeout_ms) {}
  bool await_ready() const noexcept { return !timer_.handle_; }
  void await_suspend(std::coroutine_handle<> waiter);
  bool await_resume() const noexcept { return expired_; }

 private:
  Timer& timer_;
  std::uint64_t timeout_ms_;
  bool expired_ = false;
};

inline Timer::Wait Timer::wait(std::uint64_t timeout_ms) { return Wait(*this, timeout_ms); }

}  // namespace imgcached::net
