#include "net/timer.h"

#include <cassert>

#include "base/clock.h"

namespace imgcached::net {

Timer::Timer(Loop& loop) {
  const int status =
      handle_.open(loop, [&](State& state) { return uv_timer_init(loop.raw(), &state.uv); });
  assert(status == 0);
  (void)status;
}

void Timer::start(std::uint64_t timeout_ms, Callback callback, void* argument) {
  if (!handle_) return;
  handle_->callback = callback;
  handle_->argument = argument;
  // The loop's clock has stood still since its turn began: what is counted from there
  // would be over too early.
  const std::uint64_t now_ms = monotonic_ms();
  const std::uint64_t loop_now_ms = uv_now(handle_->uv.loop);
  if (now_ms > loop_now_ms) timeout_ms += now_ms - loop_now_ms;
  uv_timer_start(
      &handle_->uv,
      [](uv_timer_t* timer) {
        auto* state = static_cast<State*>(timer->data);
        state->callback(state->argument);
      },
      timeout_ms, 0);
}

void Timer::stop() {
  if (handle_) uv_timer_stop(&handle_->uv);
}

void Timer::wake() {
  if (!handle_ || !handle_->waiter) return;
  uv_timer_stop(&handle_->uv);
  handle_->take_waiter().resume();
}

void Timer::Wait::await_suspend(std::coroutine_handle<> waiter) {
  assert(!timer_.handle_->waiter);
  timer_.handle_->waiter = waiter;
  timer_.start(
      timeout_ms_,
      [](void* argument) {
        auto* wait = static_cast<Wait*>(argument);
        wait->expired_ = true;
        wait->timer_.handle_->take_waiter().resume();
      },
      this);
}

}  // namespace imgcached::net
