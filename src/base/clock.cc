#include "base/clock.h"

#include <chrono>

namespace imgcached {
namespace {

template <class Clock, class Unit>
auto now_in() {
  return std::chrono::duration_cast<Unit>(Clock::now().time_since_epoch()).count();
}

}  // namespace

std::uint64_t monotonic_ms() {
  return static_cast<std::uint64_t>(now_in<std::chrono::steady_clock, std::chrono::milliseconds>());
}

std::uint64_t monotonic_ns() {
  return static_cast<std::uint64_t>(now_in<std::chrono::steady_clock, std::chrono::nanoseconds>());
}

std::int64_t unix_ms() { return now_in<std::chrono::system_clock, std::chrono::milliseconds>(); }

}  // namespace imgcached
