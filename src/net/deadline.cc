#include "net/deadline.h"

#include "base/clock.h"

namespace imgcached::net {

void Deadline::set(std::uint64_t timeout_ms, Callback callback, void* argument) {
  if (!state_) return;
  const std::uint64_t now_ms = monotonic_ms();
  state_->callback = callback;
  state_->argument = argument;
  state_->due_ms = now_ms + timeout_ms;
  if (state_->armed_ms == 0 || state_->due_ms < state_->armed_ms) state_->arm(now_ms);
}

void Deadline::clear() {
  if (state_) state_->due_ms = 0;
}

void Deadline::State::arm(std::uint64_t now_ms) {
  armed_ms = due_ms;
  timer.start(due_ms - now_ms, &Deadline::on_timer, this);
}

void Deadline::on_timer(void* argument) {
  auto* state = static_cast<State*>(argument);
  state->armed_ms = 0;
  if (state->due_ms == 0) return;
  const std::uint64_t now_ms = monotonic_ms();
  if (now_ms < state->due_ms) {
    state->arm(now_ms);
    return;
  }
  state->due_ms = 0;
  state->callback(state->argument);
}

}  // namespace imgcached::net
