#include "net/signal_watcher.h"

#include <cassert>

namespace imgcached::net {

SignalWatcher::SignalWatcher(Loop& loop, std::initializer_list<int> signals) {
  for (const int signal : signals) {
    Handle<State> handle;
    const int status =
        handle.open(loop, [&](State& state) { return uv_signal_init(loop.raw(), &state.uv); });
    assert(status == 0);
    (void)status;
    handle->watcher = this;
    uv_signal_start(
        &handle->uv,
        [](uv_signal_t* source, int number) {
          static_cast<State*>(source->data)->watcher->received(number);
        },
        signal);
    handles_.push_back(std::move(handle));
  }
}

void SignalWatcher::received(int signal) {
  received_ = signal;
  if (waiter_) std::exchange(waiter_, nullptr).resume();
}

void SignalWatcher::close() {
  handles_.clear();
  if (waiter_) std::exchange(waiter_, nullptr).resume();
}

}  // namespace imgcached::net
