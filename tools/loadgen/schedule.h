// Schedule: when the operations of an open loop are due.
//
// The arrivals come at a rate that is constant or rises (or falls) linearly over
// the run, evenly spaced or as a Poisson process. With R(t) the number of
// arrivals expected by the time t, the n-th is due at the inverse of R: of n
// itself when evenly spaced, of a sum of n exponential variates for Poisson.
// The schedule does not know whether anybody keeps up with it: that is the
// point of an open loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace imgcached::loadgen {

constexpr std::uint64_t second_ns = 1'000'000'000;

// Operations a second, at the beginning and at the end.
struct Rate {
  double from = 0;
  double to = 0;

  // `20000`, or `1000:40000` for a ramp. Both at least 0.1 and at most 10 million.
  static Result<Rate> parse(std::string_view text);
  std::string text() const;
};

enum class Arrivals {
  constant,  // evenly spaced
  poisson,   // independent of one another, as many users are
};

class Schedule {
 public:
  // The ramp runs over duration_ns; after it the last rate goes on.
  // REQUIRES: duration_ns > 0.
  Schedule(Rate rate, Arrivals arrivals, std::uint64_t duration_ns, Random random);

  // When the next arrival is due, in ns since the start; never decreasing.
  std::uint64_t peek_ns() const { return due_ns_; }
  // The same, and goes on to the one after it.
  std::uint64_t next_ns();

 private:
  std::uint64_t inverse_ns(double arrivals) const;

  Rate rate_;
  Arrivals arrivals_;
  double duration_s_;
  Random random_;
  double expected_ = 0;  // R of the next arrival
  std::uint64_t due_ns_ = 0;
};

}  // namespace imgcached::loadgen
