// The two clocks. Code whose behaviour depends on time takes the time as an
// argument; only the edges (loops, services) read a clock.
#pragma once

#include <cstdint>

namespace imgcached {

// Milliseconds since some fixed point; never goes back. For intervals.
std::uint64_t monotonic_ms();
// The same clock in nanoseconds: for what is over within a millisecond.
std::uint64_t monotonic_ns();

// Milliseconds since 1970-01-01 00:00 UTC; may jump. For people and tables.
std::int64_t unix_ms();

}  // namespace imgcached
