#include "tools/loadgen/histogram.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace imgcached::loadgen {
namespace {

constexpr std::size_t steps = std::size_t{1} << Histogram::step_bits;

// The buckets lie in rows. Row 0 has the values below 2 * steps, one a bucket;
// each further row r has one power of two, in buckets of 2^r values:
//
//   row     values             buckets                width
//   0       0 .. 2047          0 .. 2047              1
//   1       2048 .. 4095       2048 .. 3071           2
//   2       4096 .. 8191       3072 .. 4095           4
//
// So value >> row is always below 2 * steps, and from row 1 on at least steps.
int row_of(std::uint64_t value) {
  return std::max(0, static_cast<int>(std::bit_width(value)) - (Histogram::step_bits + 1));
}

std::size_t bucket_of(std::uint64_t value) {
  const int row = row_of(value);
  return steps * row + (value >> row);
}

std::uint64_t middle_of(std::size_t bucket) {
  if (bucket < 2 * steps) return bucket;
  const std::size_t row = bucket / steps - 1;
  const std::uint64_t lowest = (steps + bucket % steps) << row;
  return lowest + (std::uint64_t{1} << row) / 2;
}

}  // namespace

void Histogram::record(std::uint64_t value, std::uint64_t count) {
  if (count == 0) return;
  value = std::min(value, value_max);
  const std::size_t bucket = bucket_of(value);
  if (bucket >= counts_.size()) counts_.resize(bucket + 1);
  counts_[bucket] += count;
  count_ += count;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
  if (counts_.size() < other.counts_.size()) counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
  min_ = UINT64_MAX;
  max_ = 0;
}

double Histogram::mean() const {
  if (count_ == 0) return 0;
  double sum = 0;
  visit([&](std::uint64_t value, std::uint64_t count) {
    sum += static_cast<double>(value) * static_cast<double>(count);
  });
  return sum / static_cast<double>(count_);
}

double Histogram::standard_deviation() const {
  if (count_ == 0) return 0;
  const double middle = mean();
  double squares = 0;
  visit([&](std::uint64_t value, std::uint64_t count) {
    const double distance = static_cast<double>(value) - middle;
    squares += distance * distance * static_cast<double>(count);
  });
  return std::sqrt(squares / static_cast<double>(count_));
}

std::uint64_t Histogram::percentile(double percent) const {
  assert(percent >= 0 && percent <= 100);
  if (count_ == 0) return 0;
  if (percent == 100) return max_;
  // The next smaller number, as in HdrHistogram: 99.9 is stored as a little more,
  // and of a thousand values the last one would be wanted instead of the 999th.
  const double share = std::nextafter(percent, 0.0) / 100;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  const std::uint64_t rank = std::clamp<std::uint64_t>(wanted, 1, count_);
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while ((seen += counts_[bucket]) < rank) ++bucket;
  // The middle of the first or last bucket may lie outside of what there was.
  return std::clamp(middle_of(bucket), min_, max_);
}

void Histogram::visit(
    const std::function<void(std::uint64_t value, std::uint64_t count)>& visit) const {
  if (count_ == 0) return;
  for (std::size_t i = bucket_of(min_); i <= bucket_of(max_); ++i) {
    if (counts_[i] > 0) visit(middle_of(i), counts_[i]);
  }
}

}  // namespace imgcached::loadgen
