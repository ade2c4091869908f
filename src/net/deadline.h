// Deadline: a point in time that is moved for every message and hardly ever met.
//
// Moving or clearing it touches no timer: one stays armed for the earliest time
// that it was set to, and looks at what is due when it fires. So a request costs a
// look at the clock for each deadline and not two operations on the loop's heap.
#pragma once

#include <cstdint>
#include <memory>

#include "net/timer.h"

namespace imgcached::net {

class Deadline {
 public:
  using Callback = Timer::Callback;

  explicit Deadline(Loop& loop) : state_(std::make_unique<State>(loop)) {}

  // Calls callback(argument) once, timeout_ms from now, unless it is set anew,
  // cleared or closed before. The callback may do any of that.
  void set(std::uint64_t timeout_ms, Callback callback, void* argument);
  void clear();
  // Afterwards it can't be used. Until then the loop may be kept running for as
  // long as the longest timeout, also of what was cleared.
  void close() { state_.reset(); }

 private:
  // Stays where it is when the Deadline moves: the timer knows it.
  struct State {
    explicit State(Loop& loop) : timer(loop) {}
    void arm(std::uint64_t now_ms);

    Timer timer;
    Callback callback = nullptr;
    void* argument = nullptr;
    std::uint64_t due_ms = 0;    // monotonic; 0: nothing is
    std::uint64_t armed_ms = 0;  // when the timer fires; 0: it is not armed
  };
  static void on_timer(void* argument);

  std::unique_ptr<State> state_;
};

}  // namespace imgcached::net
