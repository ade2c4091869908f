// Dispatcher: hands the arrivals of an open loop to the connections.
//
// A connection asks for the next arrival. One that is due already it gets at
// once: as long as every connection is busy, the arrivals wait, and their times
// count from when they were due. One that is still to come is waited for, in the
// order of asking, so that the load goes round all connections.
//
// The waiting ends on a timerfd, whose precision is that of the kernel's
// high-resolution timers; libuv's timers count whole milliseconds, in which a
// fast open loop would have tens of arrivals.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/result.h"
#include "base/task.h"
#include "net/fd_watcher.h"
#include "net/loop.h"
#include "tools/loadgen/schedule.h"

namespace imgcached::loadgen {

class Dispatcher {
 public:
  struct Arrival {
    std::uint64_t due_ns;
    std::uint64_t free_ns;  // since when the connection was free to take it
  };

  // Arrivals that are due from start_ns to end_ns of the monotonic clock.
  Dispatcher(net::Loop& loop, Schedule schedule, std::uint64_t start_ns, std::uint64_t end_ns);
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;
  ~Dispatcher();

  // `co_await dispatcher.next()`: the next arrival; nothing when there is none
  // before the end, or after close().
  struct Next {
    Dispatcher& dispatcher;
    std::uint64_t free_ns = 0;
    std::optional<Arrival> arrival = std::nullopt;
    std::coroutine_handle<> waiter = nullptr;

    bool await_ready();
    void await_suspend(std::coroutine_handle<> suspended);
    std::optional<Arrival> await_resume() const { return arrival; }
  };
  Next next() { return Next{*this}; }

  // Wakes those who wait; runs until close() or the end of the schedule.
  Task<void> run();
  void close();

  // Arrivals that were due by `now_ns` and that nobody took, untaken_max at most
  // (each has to be drawn). Uses the schedule up.
  static constexpr std::uint64_t untaken_max = 10'000'000;
  std::uint64_t take_untaken(std::uint64_t now_ns);

 private:
  bool is_over(std::uint64_t now_ns) const {
    return closed_ || now_ns >= end_ns_ || start_ns_ + schedule_.peek_ns() >= end_ns_;
  }
  void arm();

  net::FdWatcher watcher_;
  Schedule schedule_;
  std::uint64_t start_ns_;
  std::uint64_t end_ns_;
  std::deque<Next*> idle_;
  int timer_fd_;
  bool closed_ = false;
};

}  // namespace imgcached::loadgen
