// Gate: starts root tasks and counts them until they have ended.
//
// Every coroutine of the program is either awaited by another one or was
// spawned through a Gate, so that at shutdown one can wait for all of them,
// and a test can assert that none is left. A Gate belongs to one loop; it is
// not thread-safe.
#pragma once

#include <cassert>
#include <coroutine>
#include <cstddef>
#include <exception>

#include "base/task.h"

namespace imgcached {

class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() { assert(running_ == 0 && "a task outlived its gate"); }

  // Runs `task` until its first suspension, now; its end is counted.
  void spawn(Task<void> task) {
    ++running_;
    run(*this, std::move(task));
  }

  std::size_t running() const { return running_; }

  // `co_await gate.drained()` resumes when no task is running. One waiter.
  auto drained() {
    struct Awaiter {
      Gate& gate;
      bool await_ready() const noexcept { return gate.running_ == 0; }
      void await_suspend(std::coroutine_handle<> waiter) const noexcept {
        assert(!gate.waiter_);
        gate.waiter_ = waiter;
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

 private:
  // A root frame: starts at once, frees itself, then wakes the waiter.
  struct Root {
    struct promise_type {
      Gate& gate;
      promise_type(Gate& owner, Task<void>&) : gate(owner) {}
      Root get_return_object() const noexcept { return {}; }
      std::suspend_never initial_suspend() const noexcept { return {}; }
      auto final_suspend() const noexcept {
        struct Leave {
          bool await_ready() const noexcept { return false; }
          void await_suspend(std::coroutine_handle<promise_type> self) const noexcept {
            Gate& owner = self.promise().gate;
            self.destroy();
            owner.leave();
          }
          void await_resume() const noexcept {}
        };
        return Leave{};
      }
      void return_void() const noexcept {}
      [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
    };
  };

  static Root run(Gate&, Task<void> task) { co_await std::move(task); }

  void leave() {
    if (--running_ > 0 || !waiter_) return;
    std::exchange(waiter_, nullptr).resume();  // may destroy the gate
  }

  std::size_t running_ = 0;
  std::coroutine_handle<> waiter_;
};

}  // namespace imgcached
