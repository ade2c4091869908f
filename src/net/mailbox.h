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

// A loop as others reach it: the tasks that run there for them are counted by the gate.
struct Endpoint {
  Mailbox& mailbox;
  Gate& gate;
};

// What the two kinds of call share: the place in the queue, the way there and
// the way back. The letter lives in the awaiter, and so in the caller's frame.
template <class Value>
class CallAwaiter : protected Mailbox::Letter {
 public:
  bool await_ready() {
    if (there_.enter_call()) return false;
    value_.emplace(Error{Errc::unavailable, "too many calls are waiting; try again"});
    return true;
  }
  Value await_resume() { return std::move(*value_); }

 protected:
  CallAwaiter(Mailbox& there, Mailbox& here) : there_(there), here_(here) {}

  // Has `arrive` run on the loop of `there`; it is to bring about an answer().
  void send(std::coroutine_handle<> waiter, void (*arrive)(Letter* letter)) {
    waiter_ = waiter;
    deliver = arrive;
    there_.post(*this);
  }
  // On the loop of `there`: the caller goes on with `value`, on its own loop.
  void answer(Value value) {
    value_.emplace(std::move(value));
    deliver = [](Letter* letter) {
      auto* self = static_cast<CallAwaiter*>(letter);
      self->there_.leave_call();
      self->waiter_.resume();
    };
    here_.post(*this);
  }

 private:
  Mailbox& there_;
  Mailbox& here_;
  std::coroutine_handle<> waiter_;
  std::optional<Value> value_;
};

// The awaiter of call(). Runs `function` on the loop of `there` and resumes on
// the loop of `here`, which must be the awaiting coroutine's.
template <class Function>
class Call : public CallAwaiter<std::invoke_result_t<Function&>> {
 public:
  Call(Mailbox& there, Mailbox& here, Function& function)
      : Call::CallAwaiter(there, here), function_(function) {}

  void await_suspend(std::coroutine_handle<> waiter) {
    this->send(waiter, [](Mailbox::Letter* letter) {
      auto* self = static_cast<Call*>(letter);
      self->answer(self->function_());
    });
  }

 private:
  Function& function_;
};

// REQUIRES: `function` outlives the await and returns a Result.
template <class Function>
Call<Function> call(Mailbox& there, Mailbox& here, Function& function) {
  return Call<Function>(there, here, function);
}

template <class Function>
using TaskCallValue =
    decltype(std::declval<std::invoke_result_t<Function&>>().operator co_await().await_resume());

// As Call, for a `function` that returns a Task<Result<...>>: the task runs on
// the other loop, counted by its gate.
template <class Function>
class TaskCall : public CallAwaiter<TaskCallValue<Function>> {
 public:
  TaskCall(Mailbox& there, Gate& gate, Mailbox& here, Function& function)
      : TaskCall::CallAwaiter(there, here), gate_(gate), function_(function) {}

  void await_suspend(std::coroutine_handle<> waiter) {
    this->send(waiter, [](Mailbox::Letter* letter) {
      auto* self = static_cast<TaskCall*>(letter);
      self->gate_.spawn(run(self));
    });
  }

 private:
  static Task<void> run(TaskCall* self) {
    std::invoke_result_t<Function&> task = self->function_();
    TaskCallValue<Function> value = co_await std::move(task);
    self->answer(std::move(value));
  }

  Gate& gate_;
  Function& function_;
};

template <class Function>
TaskCall<Function> call_task(Mailbox& there, Gate& gate, Mailbox& here, Function& function) {
  return TaskCall<Function>(there, gate, here, function);
}

}  // namespace imgcached::net
