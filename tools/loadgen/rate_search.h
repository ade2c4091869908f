// RateSearch: looks for the highest rate at which something holds.
//
// First by doubling (or halving, when already the first rate fails) until the
// boundary lies between two rates, then by bisection on a logarithmic scale. It
// takes for granted that what fails at a rate fails at every higher one; where
// that is true only by and large, the answer is a rate that held, with one close
// above it that did not.
#pragma once

#include <optional>

namespace imgcached::loadgen {

class RateSearch {
 public:
  static constexpr double precision = 1.05;  // high / low at the end
  static constexpr double rate_min = 1;      // operations a second
  static constexpr double rate_max = 1e7;

  explicit RateSearch(double first) : rate_(first) {}

  // The rate to try next; nothing when the answer is known.
  std::optional<double> next() const;
  // What came of the rate that next() named.
  void tell(bool holds);

  // The highest rate that held; nothing: none did.
  std::optional<double> best() const { return low_; }

 private:
  double rate_;
  std::optional<double> low_;   // held
  std::optional<double> high_;  // did not
};

}  // namespace imgcached::loadgen
