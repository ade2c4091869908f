// EndOfTurn: `co_await end.wait()` goes on when the loop has carried out all that was
// ready: whoever gathers things has what came in the same turn. A loop with somebody
// waiting does not sleep, so no time is lost.
#pragma once

#include <coroutine>
#include <utility>

#include "net/handle.h"

namespace imgcached::net {

class EndOfTurn {
 public:
  explicit EndOfTurn(Loop& loop);

  class Wait;
  // One waiter. REQUIRES: this lives until it goes on.
  Wait wait();

 private:
  // Comes after the loop has polled, and may be on its way to that when it is started ...
  struct Check {
    uv_check_t uv;
    uv_idle_t* idle = nullptr;
    std::coroutine_handle<> waiter;

    std::coroutine_handle<> take_waiter() { return std::exchange(waiter, nullptr); }
  };
  // ... and while there is one of these, the poll does not wait for an event.
  struct Idle {
    uv_idle_t uv;
    std::coroutine_handle<> take_waiter() { return nullptr; }
  };

  Handle<Idle> idle_;
  Handle<Check> check_;
};

class EndOfTurn::Wait {
 public:
  explicit Wait(Check& check) : check_(check) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter);
  void await_resume() const noexcept {}

 private:
  Check& check_;
};

inline EndOfTurn::Wait EndOfTurn::wait() { return Wait(*check_.get()); }

}  // namespace imgcached::net
