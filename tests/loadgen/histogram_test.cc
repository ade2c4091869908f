#include "tools/loadgen/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace imgcached::loadgen {
namespace {

using Values = std::vector<std::uint64_t>;

Histogram histogram_of(const Values& values) {
  Histogram histogram;
  for (const std::uint64_t value : values) histogram.record(value);
  return histogram;
}

// In thousandths of a percent, so that the rank is computed without rounding.
std::uint64_t exact_percentile(const Values& sorted, std::uint64_t percent_thousandths) {
  const std::uint64_t rank = (percent_thousandths * sorted.size() + 99'999) / 100'000;
  return sorted[std::max<std::uint64_t>(rank, 1) - 1];
}

bool is_near(double found, double exact) {
  return std::abs(found - exact) <= exact * Histogram::relative_error_max;
}

// Compares everything a histogram tells with what sorting tells.
void check_against_sorting(Values values) {
  const Histogram histogram = histogram_of(values);
  for (std::uint64_t& value : values) value = std::min(value, Histogram::value_max);
  std::sort(values.begin(), values.end());

  CHECK(histogram.count() == values.size());
  CHECK(histogram.min() == values.front());
  CHECK(histogram.max() == values.back());
  CHECK(histogram.percentile(100) == values.back());
  for (const std::uint64_t thousandths :
       {0, 1, 10, 100, 1'000, 10'000, 25'000, 33'333, 50'000, 66'667, 75'000, 90'000, 95'000,
        99'000, 99'900, 99'990, 99'999, 100'000}) {
    const std::uint64_t exact = exact_percentile(values, thousandths);
    const std::uint64_t found = histogram.percentile(static_cast<double>(thousandths) / 1'000);
    CAPTURE(thousandths);
    CAPTURE(exact);
    CAPTURE(found);
    CHECK(is_near(static_cast<double>(found), static_cast<double>(exact)));
    if (exact < 2048) CHECK(found == exact);
  }

  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const std::uint64_t value : values) {
    const double distance = static_cast<double>(value) - mean;
    squares += distance * distance;
  }
  CHECK(is_near(histogram.mean(), mean));
  // Every value may be off by its error, and that is the deviation of equal ones.
  CHECK(std::abs(histogram.standard_deviation() - std::sqrt(squares / count)) <=
        std::sqrt(squares / count + mean * mean) * Histogram::relative_error_max);
}

TEST_CASE("an empty histogram tells zeros") {
  const Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.min() == 0);
  CHECK(histogram.max() == 0);
  CHECK(histogram.mean() == 0);
  CHECK(histogram.standard_deviation() == 0);
  CHECK(histogram.percentile(0) == 0);
  CHECK(histogram.percentile(50) == 0);
  CHECK(histogram.percentile(100) == 0);
  histogram.visit([](std::uint64_t, std::uint64_t) { FAIL("there is nothing to visit"); });
}

TEST_CASE("a histogram tells of random values what sorting tells, to 0.1 %") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  for (int round = 0; round < 50; ++round) {
    // Of every order of magnitude, some beyond the largest value.
    Values values(1 + random.below(3'000));
    for (std::uint64_t& value : values) value = random.next() >> (20 + random.below(44));
    check_against_sorting(values);
  }
}

TEST_CASE("a histogram tells of values that are all equal what sorting tells") {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2'047}, std::uint64_t{2'048},
        std::uint64_t{123'456'789}, Histogram::value_max, Histogram::value_max + 1, UINT64_MAX}) {
    CAPTURE(value);
    check_against_sorting(Values(1, value));
    check_against_sorting(Values(1'000, value));
  }
}

TEST_CASE("a histogram tells of powers of two and their neighbours what sorting tells") {
  Values values;
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    values.insert(values.end(), {power - 1, power, power + 1});
    check_against_sorting({power - 1, power, power + 1});
  }
  check_against_sorting(values);
}

TEST_CASE("a histogram tells of a heavy tail what sorting tells") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  Values values(100'000);
  // Pareto of index 1, which has no mean: 50 us and more.
  for (std::uint64_t& value : values) {
    value = static_cast<std::uint64_t>(50'000 / (1 - random.unit()));
  }
  check_against_sorting(values);
}

TEST_CASE("every value comes back to within half of the stated error") {
  Histogram one;
  // Steps that are no multiple of a bucket's width, so as to meet all places in it.
  for (std::uint64_t value = 0; value <= Histogram::value_max; value += 1 + value / 1'500) {
    one.clear();
    one.record(value);
    std::uint64_t told = 0;
    one.visit([&](std::uint64_t middle, std::uint64_t) { told = middle; });
    const std::uint64_t error = told > value ? told - value : value - told;
    if (static_cast<double>(error) >
        static_cast<double>(value) * Histogram::relative_error_max / 2) {
      FAIL("value " << value << " comes back as " << told);
    }
  }
}

TEST_CASE("percentiles of a few values are those of their ranks") {
  Values values(1'000);
  std::iota(values.begin(), values.end(), 1);
  const Histogram histogram = histogram_of(values);
  CHECK(histogram.percentile(0) == 1);
  CHECK(histogram.percentile(0.1) == 1);
  CHECK(histogram.percentile(50) == 500);
  CHECK(histogram.percentile(99) == 990);
  CHECK(histogram.percentile(99.9) == 999);  // not 1000, as 99.9 in binary would have it
  CHECK(histogram.percentile(99.91) == 1'000);
  CHECK(histogram.percentile(100) == 1'000);
}

TEST_CASE("a count records as many values at once") {
  Histogram at_once;
  at_once.record(700, 3);
  at_once.record(9'000, 0);
  CHECK(at_once.count() == 3);
  CHECK(at_once.max() == 700);
  CHECK(at_once.mean() == 700);
}

TEST_CASE("merged histograms are the histogram of all values") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  Values all;
  Histogram merged;
  for (int part = 0; part < 10; ++part) {
    Values values(random.below(500));
    for (std::uint64_t& value : values) value = random.next() >> (24 + random.below(40));
    all.insert(all.end(), values.begin(), values.end());
    merged.add(histogram_of(values));
  }
  merged.add(Histogram());
  const Histogram whole = histogram_of(all);
  CHECK(merged.count() == whole.count());
  CHECK(merged.min() == whole.min());
  CHECK(merged.max() == whole.max());
  CHECK(merged.mean() == whole.mean());
  CHECK(merged.standard_deviation() == whole.standard_deviation());
  for (int percent = 0; percent <= 100; ++percent) {
    CHECK(merged.percentile(percent) == whole.percentile(percent));
  }
}

TEST_CASE("visiting goes upwards and meets every value once") {
  Histogram histogram;
  histogram.record(5'000'000, 2);
  histogram.record(7);
  histogram.record(5'000'001);
  histogram.record(Histogram::value_max);
  Values middles;
  std::uint64_t count = 0;
  histogram.visit([&](std::uint64_t middle, std::uint64_t many) {
    middles.push_back(middle);
    count += many;
  });
  CHECK(count == 5);
  REQUIRE(middles.size() == 3);
  CHECK(middles[0] == 7);
  CHECK(std::is_sorted(middles.begin(), middles.end()));
}

TEST_CASE("a cleared histogram is as new") {
  Histogram histogram = histogram_of({1, 2'000'000, 3});
  histogram.clear();
  CHECK(histogram.count() == 0);
  CHECK(histogram.min() == 0);
  CHECK(histogram.max() == 0);
  CHECK(histogram.percentile(50) == 0);
  histogram.record(9);
  CHECK(histogram.percentile(50) == 9);
  CHECK(histogram.mean() == 9);
}

}  // namespace
}  // namespace imgcached::loadgen
