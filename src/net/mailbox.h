// Mailbox: how one loop talks to another one of the same process.
//
// Each loop that can be talked to owns a Mailbox. Any thread may post a Letter
// to it; the letters are delivered on the owner's loop, in the order in which
// they were posted, a whole batch per wake-up. A Letter is intrusive and lives
// in the sender's coroutine frame, so posting allocates nothing.
//
// What is sent is a call: `call()` runs a function on the other loop and brings
// its result back; `call_task()` does so with a coroutine. The queue is bounded
// by calls_max calls under way: beyond it a call is refused with
// Errc::unavailable. An answer is never refused, its place came with the call.
#pragma once

#include <atomic>
#include <coroutine>
#include <functional>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/gate.h"
#include "base/result.h"
#include "base/task.h"
#include "net/handle.h"

namespace imgcached::net {

class Mailbox {
 public:
  static constexpr int calls_max = 65536;

  struct Letter {
    Letter* next = nullptr;
    void (*deliver)(Letter* letter) = nullptr;
  };

  explicit Mailbox(Loop& loop);
  // REQUIRES: no letter is under way, and none will be posted.
  ~Mailbox() { close(); }

  // From any thread. `letter` must live until it has been delivered.
  void post(Letter& letter);

  // Lets the owner's loop end. On the owner's thread; REQUIRES as above.
  void close() { handle_.reset(); }

  // From any thread: takes, or gives back, the place of one call.
  bool enter_call() {
    if (calls_.fetch_add(1, std::memory_order_relaxed) < calls_max) return true;
    leave_call();
    return false;
  }
  void leave_call() { calls_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  struct State {
    uv_async_t uv;
    Mailbox* mailbox = nullptr;
    std::coroutine_handle<> take_waiter() { return nullptr; }
  };

  void deliver_all();

  Handle<State> handle_;
  std::mutex mutex_;  // guards the two; held for a few instructions only
  Letter* first_ = nullptr;
  Letter** end_ = &first_;
  std::atomic<int> calls_{0};
};

// The awaiter of call(). Runs `function` on the loop of `there` and resumes on
// the loop of `here`, which must be the awaiting coroutine's.
template <class Function>
class Call : private Mailbox::Letter {
 public:
  using Value = std::invoke_result_t<Function&>;

  Call(Mailbox& there, Mailbox& here, Function& function)
      : there_(there), here_(here), function_(function) {}

  bool await_ready() {
    if (there_.enter_call()) return false;
    value_.emplace(Error{Errc::unavailable, "too many calls are waiting; try again"});
    return true;
  }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    deliver = [](Letter* letter) {  // there
      auto* self = static_cast<Call*>(letter);
      self->value_.emplace(self->function_());
      self->deliver = [](Letter* answer) {  // and back here
        auto* done = static_cast<Call*>(answer);
        done->there_.leave_call();
        done->waiter_.resume();
      };
      self->here_.post(*self);
    };
    there_.post(*this);
  }
  Value await_resume() { return std::move(*value_); }

 private:
  Mailbox& there_;
  Mailbox& here_;
  Function& function_;
  std::coroutine_handle<> waiter_;
  std::optional<Value> value_;
};

// REQUIRES: `function` outlives the await and returns a Result.
template <class Function>
Call<Function> call(Mailbox& there, Mailbox& here, Function& function) {
  return Call<Function>(there, here, function);
}

// As Call, for a `function` that returns a Task<Result<...>>: the task runs on
// the other loop, counted by its gate.
template <class Function>
class TaskCall : private Mailbox::Letter {
 public:
  using TaskType = std::invoke_result_t<Function&>;
  using Value = decltype(std::declval<TaskType>().operator co_await().await_resume());

  TaskCall(Mailbox& there, Gate& gate, Mailbox& here, Function& function)
      : there_(there), gate_(gate), here_(here), function_(function) {}

  bool await_ready() {
    if (there_.enter_call()) return false;
    value_.emplace(Error{Errc::unavailable, "too many calls are waiting; try again"});
    return true;
  }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    deliver = [](Letter* letter) {
      auto* self = static_cast<TaskCall*>(letter);
      self->gate_.spawn(run(self));
    };
    there_.post(*this);
  }
  Value await_resume() { return std::move(*value_); }

 private:
  static Task<void> run(TaskCall* self) {
    TaskType task = self->function_();
    self->value_.emplace(co_await std::move(task));
    self->deliver = [](Letter* answer) {
      auto* done = static_cast<TaskCall*>(answer);
      done->there_.leave_call();
      done->waiter_.resume();
    };
    self->here_.post(*self);
  }

  Mailbox& there_;
  Gate& gate_;
  Mailbox& here_;
  Function& function_;
  std::coroutine_handle<> waiter_;
  std::optional<Value> value_;
};

template <class Function>
TaskCall<Function> call_task(Mailbox& there, Gate& gate, Mailbox& here, Function& function) {
  return TaskCall<Function>(there, gate, here, function);
}

}  // namespace imgcached::net
