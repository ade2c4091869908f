#include "net/fd_watcher.h"

#include <poll.h>

#include <cassert>

#include "net/readiness.h"

namespace imgcached::net {

bool FdWatcher::watch(int fd) {
  unwatch();
  const int status =
      handle_.open(loop_, [&](State& state) { return uv_poll_init(loop_.raw(), &state.uv, fd); });
  if (status != 0) return false;
  fd_ = fd;
  return true;
}

std::coroutine_handle<> FdWatcher::State::take_waiter() {
  if (!waiter) return nullptr;
  return std::exchange(waiter, nullptr)->waiter_;
}

void FdWatcher::on_event(uv_poll_t* poll, int status, int events) {
  auto* state = static_cast<State*>(poll->data);
  if (!state->waiter) {
    // Nobody waits: stop watching, or epoll would report it again and again.
    // Otherwise polling is left on between waits, which saves an epoll_ctl each.
    uv_poll_stop(poll);
    state->events = 0;
    return;
  }
  if (status != 0) state->events = 0;  // libuv has stopped the poll itself
  state->waiter->finish(status != 0 ? readable | writable : events & (readable | writable));
}

void FdWatcher::Wait::await_suspend(std::coroutine_handle<> waiter) {
  State* state = watcher_.handle_.get();
  assert(state && !state->waiter);
  waiter_ = waiter;
  state->waiter = this;
  if (state->events != events_) {
    uv_poll_start(&state->uv, events_, &FdWatcher::on_event);
    state->events = events_;
  }
  watcher_.timer_.start(
      timeout_ms_, [](void* argument) { static_cast<Wait*>(argument)->expire(); }, this);
}

void FdWatcher::Wait::expire() {
  short asked = 0;
  if (events_ & readable) asked |= POLLIN;
  if (events_ & writable) asked |= POLLOUT;
  if (is_ready(watcher_.fd_, asked)) return;  // the loop looks next
  finish(timed_out);
}

void FdWatcher::Wait::finish(int ready) {
  watcher_.timer_.stop();
  watcher_.handle_->waiter = nullptr;
  ready_ = ready;
  waiter_.resume();
}

}  // namespace imgcached::net
