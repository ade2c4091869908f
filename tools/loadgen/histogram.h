// Histogram: how often each value occurred, with a bounded relative error.
//
// Log-linear buckets, as in HdrHistogram (Tene): every power of two is divided
// into 1024 equal steps, so a value is known to 1/1024 of itself, that is, to
// within 0.1 %; below 2048 it is exact. The memory depends on the largest value,
// at most 248 KiB, and not on how many are recorded; recording is O(1); and
// histograms can be added up without loss. Values are nanoseconds here, but
// nothing depends on that.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace imgcached::loadgen {

class Histogram {
 public:
  static constexpr int step_bits = 10;
  static constexpr double relative_error_max = 1.0 / (1 << step_bits);
  // Larger values count as this one (some 18 minutes, in nanoseconds).
  static constexpr std::uint64_t value_max = (std::uint64_t{1} << 40) - 1;

  void record(std::uint64_t value, std::uint64_t count = 1);
  void add(const Histogram& other);
  void clear();

  std::uint64_t count() const { return count_; }
  // Exact; 0 when nothing was recorded.
  std::uint64_t min() const { return count_ ? min_ : 0; }
  std::uint64_t max() const { return max_; }
  // Of the buckets' middles; 0 when nothing was recorded.
  double mean() const;
  double standard_deviation() const;

  // The smallest recorded value (to the relative error) that at least `percent`
  // of all values do not exceed; 100 gives max(). 0 when nothing was recorded.
  // REQUIRES: 0 <= percent <= 100.
  std::uint64_t percentile(double percent) const;

  // Calls visit(value, count) for each bucket that has something, upwards;
  // `value` is the bucket's middle.
  void visit(const std::function<void(std::uint64_t value, std::uint64_t count)>& visit) const;

 private:
  std::vector<std::uint64_t> counts_;  // up to the bucket of the largest value
  std::uint64_t count_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
};

}  // namespace imgcached::loadgen
