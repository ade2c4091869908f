#include "base/clock.h"

#include <chrono>

namespace imgcached {
namespace {

template <class Clock>
auto milliseconds() {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

std::uint64_t monotonic_ms() {
  return static_cast<std::uint64_t>(milliseconds<std::chrono::steady_clock>());
}

std::int64_t unix_ms() { return milliseconds<std::chrono::system_clock>(); }

}  // namespace imgcached
