// SignalWatcher: awaits one of a set of signals, on a loop.
#pragma once

#include <coroutine>
#include <vector>

#include "net/handle.h"

namespace imgcached::net {

class SignalWatcher {
 public:
  SignalWatcher(Loop& loop, std::initializer_list<int> signals);
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  // `co_await watcher.next()`: the number of the signal that came, also when it
  // came before the call; 0 when the watcher was closed. One waiter.
  auto next() {
    struct Next {
      SignalWatcher& watcher;
      bool await_ready() const noexcept {
        return watcher.received_ != 0 || watcher.handles_.empty();
      }
      void await_suspend(std::coroutine_handle<> waiter) const noexcept {
        watcher.waiter_ = waiter;
      }
      int await_resume() const noexcept { return std::exchange(watcher.received_, 0); }
    };
    return Next{*this};
  }

  void close();

 private:
  struct State {
    uv_signal_t uv;
    SignalWatcher* watcher = nullptr;
    std::coroutine_handle<> take_waiter() { return nullptr; }
  };

  void received(int signal);

  std::vector<Handle<State>> handles_;
  std::coroutine_handle<> waiter_;
  int received_ = 0;
};

}  // namespace imgcached::net
