// Handle<State>: the one owner of a libuv handle, and the one place that frees
// it.
//
// libuv may touch a handle until its close callback has run, so the handle
// lives in a heap-allocated State that outlives its owner by that much:
//
//   struct State {
//     uv_xxx_t uv;                  // first thing libuv sees
//     std::coroutine_handle<> take_waiter();  // whom the close must wake
//   };
//
// Destroying or reset()ting the owner closes the handle. A coroutine that
// waits on it is resumed from the close callback, after the State is gone: it
// finds an error in its awaiter, and the owner empty.
#pragma once

#include <coroutine>
#include <memory>
#include <utility>

#include "net/loop.h"

namespace imgcached::net {

template <class State>
class Handle {
 public:
  Handle() = default;

  // Allocates a State and has `initialise(State&)` (uv_xxx_init) open it.
  // Such a call fails only for want of memory or descriptors.
  template <class Initialise>
  int open(Loop& loop, Initialise initialise) {
    auto state = std::make_unique<State>();
    const int status = initialise(*state);
    if (status != 0) return status;
    state->uv.data = state.get();
    state_.reset(state.release());
    ++loop.live_handles_;
    return 0;
  }

  State* operator->() const { return state_.get(); }
  State* get() const { return state_.get(); }
  explicit operator bool() const { return state_ != nullptr; }

  void reset() { state_.reset(); }

 private:
  struct Close {
    void operator()(State* state) const {
      auto* handle = reinterpret_cast<uv_handle_t*>(&state->uv);
      uv_close(handle, [](uv_handle_t* closed) {
        std::unique_ptr<State> last(static_cast<State*>(closed->data));
        --static_cast<Loop*>(closed->loop->data)->live_handles_;
        const std::coroutine_handle<> waiter = last->take_waiter();
        last.reset();
        if (waiter) waiter.resume();
      });
    }
  };

  std::unique_ptr<State, Close> state_;
};

}  // namespace imgcached::net
