// SharedResult: the outcome of work that several coroutines wait for. One of them
// does it and calls set(); the others wait() for a copy.
//
// It lives in the frame of the one that does the work, which may end as soon as
// set() returns: by then all that waited have been resumed. Not thread-safe.
#pragma once

#include <cassert>
#include <coroutine>
#include <optional>
#include <utility>
#include <vector>

namespace imgcached {

template <class T>
class SharedResult {
 public:
  SharedResult() = default;
  SharedResult(const SharedResult&) = delete;
  SharedResult& operator=(const SharedResult&) = delete;
  ~SharedResult() { assert(waiters_.empty()); }

  // Once. Resumes those that wait, in the order they came.
  void set(const T& value) {
    assert(!value_);
    value_.emplace(value);
    for (const std::coroutine_handle<> waiter : std::exchange(waiters_, {})) waiter.resume();
  }

  // `co_await result.wait()` is a copy of what was set. (An object of its own because
  // GCC 12 evaluates an lvalue after co_await once more when it is resumed.)
  auto wait() {
    struct Wait {
      SharedResult& shared;
      bool await_ready() const noexcept { return shared.value_.has_value(); }
      void await_suspend(std::coroutine_handle<> waiter) const {
        shared.waiters_.push_back(waiter);
      }
      T await_resume() const { return *shared.value_; }
    };
    return Wait{*this};
  }

 private:
  std::optional<T> value_;
  std::vector<std::coroutine_handle<>> waiters_;
};

}  // namespace imgcached
