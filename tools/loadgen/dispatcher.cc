#include "tools/loadgen/dispatcher.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>

#include "base/clock.h"

namespace imgcached::loadgen {
namespace {

// Longer than any run: what is waited for is the timer.
constexpr std::uint64_t patience_ms = std::uint64_t{1} << 40;

}  // namespace

Dispatcher::Dispatcher(net::Loop& loop, Schedule schedule, std::uint64_t start_ns,
                       std::uint64_t end_ns)
    : watcher_(loop),
      schedule_(schedule),
      start_ns_(start_ns),
      end_ns_(end_ns),
      timer_fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (timer_fd_ < 0 || !watcher_.watch(timer_fd_)) std::abort();  // out of descriptors at start
}

Dispatcher::~Dispatcher() {
  assert(idle_.empty());
  watcher_.unwatch();
  ::close(timer_fd_);
}

bool Dispatcher::Next::await_ready() {
  Dispatcher& d = dispatcher;
  free_ns = monotonic_ns();
  if (d.is_over(free_ns)) return true;
  // Those who have waited longer come first.
  if (!d.idle_.empty() || d.start_ns_ + d.schedule_.peek_ns() > free_ns) return false;
  arrival = Arrival{d.start_ns_ + d.schedule_.next_ns(), free_ns};
  return true;
}

void Dispatcher::Next::await_suspend(std::coroutine_handle<> suspended) {
  waiter = suspended;
  dispatcher.idle_.push_back(this);
  if (dispatcher.idle_.size() == 1) dispatcher.arm();
}

// Has the timer go off when there is something to do for run(): the next arrival
// is due and somebody waits for it, or all is over.
void Dispatcher::arm() {
  std::uint64_t at_ns = end_ns_;
  if (!idle_.empty()) at_ns = std::min(at_ns, start_ns_ + schedule_.peek_ns());
  if (closed_) at_ns = 1;  // long ago
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(at_ns / second_ns);
  when.it_value.tv_nsec = static_cast<long>(at_ns % second_ns);
  timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &when, nullptr);
}

Task<void> Dispatcher::run() {
  while (!is_over(monotonic_ns())) {
    arm();
    const int events = co_await watcher_.wait(net::FdWatcher::readable, patience_ms);
    (void)events;
    std::uint64_t expirations = 0;
    if (::read(timer_fd_, &expirations, sizeof expirations) < 0) expirations = 0;
    while (!idle_.empty()) {
      const std::uint64_t now_ns = monotonic_ns();
      if (is_over(now_ns) || start_ns_ + schedule_.peek_ns() > now_ns) break;
      Next* next = idle_.front();
      idle_.pop_front();
      next->arrival = Arrival{start_ns_ + schedule_.next_ns(), next->free_ns};
      next->waiter.resume();
    }
  }
  close();
}

void Dispatcher::close() {
  closed_ = true;
  arm();
  const std::deque<Next*> waiting = std::exchange(idle_, {});
  for (Next* next : waiting) next->waiter.resume();
}

std::uint64_t Dispatcher::take_untaken(std::uint64_t now_ns) {
  std::uint64_t untaken = 0;
  const std::uint64_t until_ns = std::min(now_ns, end_ns_);
  while (untaken < untaken_max && start_ns_ + schedule_.peek_ns() < until_ns) {
    schedule_.next_ns();
    ++untaken;
  }
  return untaken;
}

}  // namespace imgcached::loadgen
