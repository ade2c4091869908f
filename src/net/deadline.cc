#include "net/deadline.h"

#include <cassert>

#include "base/clock.h"

namespace imgcached::net {

Deadline::Deadline(Loop& loop) {
  const int status =
      handle_.open(loop, [&](State& state) { return uv_timer_init(loop.raw(), &state.uv); });
  assert(status == 0);
  (void)status;
}

void Deadline::set(std::uint64_t timeout_ms, Callback callback, void* argument) {
  if (!handle_) return;
  handle_->callback = callback;
  handle_->argument = argument;
  handle_->due_ms = monotonic_ms() + timeout_ms;
  if (handle_->armed_ms == 0 || handle_->due_ms < handle_->armed_ms) handle_->arm();
}

void Deadline::clear() {
  if (handle_) handle_->due_ms = 0;
}

void Deadline::State::arm() {
  armed_ms = due_ms;
  // From the loop's clock, which has stood still since its turn began.
  const std::uint64_t loop_now_ms = uv_now(uv.loop);
  uv_timer_start(&uv, &Deadline::on_timer, due_ms > loop_now_ms ? due_ms - loop_now_ms : 0, 0);
}

void Deadline::on_timer(uv_timer_t* timer) {
  auto* state = static_cast<State*>(timer->data);
  state->armed_ms = 0;
  if (state->due_ms == 0) return;
  if (monotonic_ms() < state->due_ms) {
    state->arm();
    return;
  }
  state->due_ms = 0;
  state->callback(state->argument);
}

}  // namespace imgcached::net
