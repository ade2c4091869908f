// Task<T>: the coroutine type of the program.
//
// A Task is a sequence of steps that may wait: a query, a handler, the serve
// loop of a connection. Its model:
//
//  * Lazy. Calling a coroutine only builds its frame; it runs when awaited.
//  * One awaiter. `co_await std::move(task)` runs it at once. If it ends
//    without having to wait, the awaiter just goes on; otherwise the awaiter
//    suspends, and the task's end resumes it. A root, that nobody awaits, is
//    started by a Gate.
//  * Bounded stack. Resuming is a plain call, so the stack is as deep as tasks
//    are nested, never as long as a loop of awaits. (Symmetric transfer would
//    need guaranteed tail calls, which GCC 12 does not give at -O0 nor under
//    ASan at -O1: a loop of 100,000 awaits overflowed the stack there.)
//  * Never destroyed while suspended. The frame may be the target of a libuv
//    request; destroying it would let the kernel write into freed memory. To
//    cancel, close the resource it waits for: the await returns an error and
//    the frame unwinds by itself. (A task that was never started may be
//    dropped.)
//  * No exceptions. One that escapes is a programmer's error: std::terminate.
//
// GCC 12 miscompiles some coroutines (bugs 99576, 100611, 101367: temporaries
// destroyed twice). Hence the house rules: parameters by value or outliving
// references; no capturing coroutine lambdas; no non-trivial temporary inside
// a co_await expression; no co_await inside ?: or a loop's condition.
#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "base/frame_pool.h"

namespace imgcached {

template <class T>
class Task;

namespace task_detail {

// Resumes the awaiter, if it had to suspend, when the task's body has ended.
struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> done) const noexcept {
    // The awaiter may destroy this frame: nothing after the resume.
    if (done.promise().awaiter_suspended) done.promise().continuation.resume();
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> continuation;  // null: not started
  bool awaiter_suspended = false;

  static void* operator new(std::size_t bytes) { return FramePool::allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) { FramePool::free(frame, bytes); }

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace task_detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = task_detail::Promise<T>;

  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (!frame_) return;
    // Either never started, or run to its end; see the rule above.
    assert(!frame_.promise().continuation || frame_.done());
    frame_.destroy();
  }

  struct Awaiter {
    std::coroutine_handle<promise_type> frame;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> awaiter) const noexcept {
      frame.promise().continuation = awaiter;
      frame.resume();
      if (frame.done()) return false;
      frame.promise().awaiter_suspended = true;
      return true;
    }
    T await_resume() const { return frame.promise().take(); }
  };
  // REQUIRES: not awaited before.
  Awaiter operator co_await() && noexcept {
    assert(frame_ && !frame_.promise().continuation);
    return Awaiter{frame_};
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

namespace task_detail {

template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace task_detail
}  // namespace imgcached
