#include "tools/loadgen/schedule.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace imgcached::loadgen {
namespace {

// The arrivals expected in the first `seconds`, by the area of a trapezium.
double arrivals_by(Rate rate, double duration_s, double seconds) {
  const double within = std::min(seconds, duration_s);
  const double rate_then = rate.from + (rate.to - rate.from) * within / duration_s;
  return (rate.from + rate_then) / 2 * within + rate.to * (seconds - within);
}

TEST_CASE("constant arrivals are spaced exactly, from the start on") {
  for (const double rate : {0.1, 1.0, 3.0, 999.0, 20'000.0, 10e6}) {
    CAPTURE(rate);
    Schedule schedule({rate, rate}, Arrivals::constant, 10 * second_ns, Random(1));
    for (int n = 0; n < 100'000; ++n) {
      const auto due = static_cast<double>(schedule.next_ns());
      if (std::abs(due - n * 1e9 / rate) > 0.51) FAIL("arrival " << n << " is due at " << due);
    }
  }
}

TEST_CASE("a run has as many constant arrivals as its rate says") {
  Schedule schedule({1'000, 1'000}, Arrivals::constant, 10 * second_ns, Random(1));
  int arrivals = 0;
  while (schedule.peek_ns() < 10 * second_ns) {
    schedule.next_ns();
    ++arrivals;
  }
  CHECK(arrivals == 10'000);
}

TEST_CASE("a ramp has as many arrivals at any time as the area below it") {
  const std::vector<Rate> ramps = {{1'000, 40'000}, {40'000, 1'000}, {0.1, 5'000},
                                   {5'000, 0.1},    {100, 100.0001}, {100.0001, 100}};
  constexpr double duration_s = 5;
  for (const Rate& rate : ramps) {
    CAPTURE(rate.text());
    Schedule schedule(rate, Arrivals::constant, 5 * second_ns, Random(1));
    // Beyond the ramp as well, where the last rate goes on.
    for (int n = 0; n < 200'000; ++n) {
      const double seconds = static_cast<double>(schedule.next_ns()) / 1e9;
      const double expected = arrivals_by(rate, duration_s, seconds);
      // To a nanosecond's arrivals, and the rounding of what is computed here.
      const double error = 1e-9 * std::max(rate.from, rate.to) + 1e-12 * n;
      if (std::abs(expected - n) > error) {
        FAIL("arrival " << n << " is due at " << seconds << " s, where " << expected << " are");
      }
    }
  }
}

TEST_CASE("Poisson arrivals have independent, exponentially distributed gaps") {
  constexpr double rate = 1'000;
  constexpr int arrivals = 1'000'000;
  Schedule schedule({rate, rate}, Arrivals::poisson, second_ns, Random(3));
  std::vector<double> gaps(arrivals);
  double last = 0;
  for (double& gap : gaps) {
    const double due = static_cast<double>(schedule.next_ns()) / 1e9;
    gap = (due - last) * rate;
    last = due;
  }
  double mean = 0;
  double variance = 0;
  double covariance = 0;  // of one gap and the next
  int beyond_one = 0;
  int beyond_three = 0;
  for (const double gap : gaps) mean += gap / arrivals;
  for (int i = 0; i < arrivals; ++i) {
    variance += (gaps[i] - mean) * (gaps[i] - mean) / arrivals;
    if (i > 0) covariance += (gaps[i] - mean) * (gaps[i - 1] - mean) / arrivals;
    beyond_one += gaps[i] > 1;
    beyond_three += gaps[i] > 3;
  }
  // All of these have a standard deviation of at most 0.003.
  CHECK(std::abs(mean - 1) < 0.01);
  CHECK(std::abs(variance - 1) < 0.015);
  CHECK(std::abs(covariance) < 0.01);
  CHECK(std::abs(beyond_one / double{arrivals} - std::exp(-1)) < 0.003);
  CHECK(std::abs(beyond_three / double{arrivals} - std::exp(-3)) < 0.002);
}

TEST_CASE("the number of Poisson arrivals in an interval has its mean as its variance") {
  // A ramp: 55 arrivals are expected in the first tenth, 145 in the last.
  const Rate rate{500, 1'500};
  constexpr int runs = 4'000;
  std::vector<double> sums(10);
  std::vector<double> squares(10);
  for (int run = 0; run < runs; ++run) {
    Schedule schedule(rate, Arrivals::poisson, second_ns, Random(100 + run));
    std::vector<int> counts(10);
    while (schedule.peek_ns() < second_ns) ++counts[schedule.next_ns() * 10 / second_ns];
    for (int tenth = 0; tenth < 10; ++tenth) {
      sums[tenth] += counts[tenth];
      squares[tenth] += counts[tenth] * counts[tenth];
    }
  }
  for (int tenth = 0; tenth < 10; ++tenth) {
    CAPTURE(tenth);
    const double expected =
        arrivals_by(rate, 1, (tenth + 1) / 10.0) - arrivals_by(rate, 1, tenth / 10.0);
    const double mean = sums[tenth] / runs;
    const double variance = squares[tenth] / runs - mean * mean;
    CHECK(std::abs(mean - expected) < 5 * std::sqrt(expected / runs));
    CHECK(std::abs(variance - expected) < 5 * expected * std::sqrt(2.0 / runs));
  }
}

TEST_CASE("arrivals never come before earlier ones") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  const std::vector<Rate> rates = {{10e6, 10e6}, {0.1, 10e6}, {10e6, 0.1}, {0.1, 0.1}};
  for (const Rate& rate : rates) {
    for (const Arrivals arrivals : {Arrivals::constant, Arrivals::poisson}) {
      CAPTURE(rate.text());
      Schedule schedule(rate, arrivals, second_ns / 100, Random(seed));
      std::uint64_t last = 0;
      for (int i = 0; i < 200'000; ++i) {
        const std::uint64_t peeked = schedule.peek_ns();
        const std::uint64_t due = schedule.next_ns();
        if (peeked != due || due < last) FAIL("arrival " << i << " is due at " << due);
        last = due;
      }
    }
  }
}

TEST_CASE("one seed gives the same Poisson arrivals again, another one others") {
  const Rate rate{100, 100};
  Schedule a(rate, Arrivals::poisson, second_ns, Random(1));
  Schedule b(rate, Arrivals::poisson, second_ns, Random(1));
  Schedule c(rate, Arrivals::poisson, second_ns, Random(2));
  bool differs = false;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t due = a.next_ns();
    CHECK(due == b.next_ns());
    differs = differs || due != c.next_ns();
  }
  CHECK(differs);
}

TEST_CASE("rates are read as they are written") {
  for (const char* text : {"20000", "1000:40000", "40000:1000", "0.1", "10000000", "1.5:2.25"}) {
    const Result<Rate> rate = Rate::parse(text);
    REQUIRE(rate);
    CHECK(rate->text() == text);
  }
  CHECK(Rate::parse("100:100")->text() == "100");
}

TEST_CASE("what is no rate is refused with what would be one") {
  for (const char* text : {"", "fast", "0", "0.09", "-1", "10000001", "1e99", "inf", "nan", "20k",
                           "100:", ":100", "1:2:3", "100:0", " 100"}) {
    CAPTURE(text);
    const Result<Rate> rate = Rate::parse(text);
    REQUIRE(!rate);
    CHECK(rate.error().code == Errc::invalid_argument);
    CHECK(rate.error().message == "rate \"" + std::string(text) +
                                      "\": write operations a second, such as 20000, or "
                                      "1000:40000 for a ramp; from 0.1 to 10000000");
  }
}

}  // namespace
}  // namespace imgcached::loadgen
