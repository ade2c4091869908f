#include "tools/loadgen/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

#include "tools/loadgen/text.h"

namespace imgcached::loadgen {
namespace {

constexpr double rate_min = 0.1;
constexpr double rate_max = 10e6;

std::optional<double> parse_rate(std::string_view text) {
  const std::optional<double> rate = parse_number(text);
  return rate && *rate >= rate_min && *rate <= rate_max ? rate : std::nullopt;
}

// Of mean 1. unit() is never 1, so the logarithm is finite.
double exponential(Random& random) { return -std::log1p(-random.unit()); }

}  // namespace

Result<Rate> Rate::parse(std::string_view text) {
  const auto [from_text, to_text] = cut(text, ':');
  const std::optional<double> from = parse_rate(from_text);
  const std::optional<double> to = to_text ? parse_rate(*to_text) : from;
  if (!from || !to) {
    return Error{Errc::invalid_argument,
                 fmt::format("rate \"{}\": write operations a second, such as 20000, or 1000:40000 "
                             "for a ramp; from {} to {}",
                             text, rate_min, rate_max)};
  }
  return Rate{*from, *to};
}

std::string Rate::text() const {
  return from == to ? fmt::format("{}", from) : fmt::format("{}:{}", from, to);
}

// Evenly spaced arrivals begin at 0, so that a run of d seconds at the rate r has
// r * d of them; Poisson arrivals begin after the first gap.
Schedule::Schedule(Rate rate, Arrivals arrivals, std::uint64_t duration_ns, Random random)
    : rate_(rate),
      arrivals_(arrivals),
      duration_s_(static_cast<double>(duration_ns) / 1e9),
      random_(random) {
  assert(duration_ns > 0);
  if (arrivals_ == Arrivals::poisson) {
    expected_ = exponential(random_);
    due_ns_ = inverse_ns(expected_);
  }
}

std::uint64_t Schedule::next_ns() {
  const std::uint64_t due_ns = due_ns_;
  expected_ += arrivals_ == Arrivals::constant ? 1 : exponential(random_);
  // Two arrivals within a nanosecond must not change places by rounding.
  due_ns_ = std::max(due_ns, inverse_ns(expected_));
  return due_ns;
}

// R(t) = from t + slope t^2 / 2 during the ramp, and goes on linearly behind it.
// The solution for t is written without a division by the slope, which may be 0,
// and without a difference of nearly equal numbers.
std::uint64_t Schedule::inverse_ns(double arrivals) const {
  const double in_ramp = (rate_.from + rate_.to) / 2 * duration_s_;
  double seconds = 0;
  if (arrivals < in_ramp) {
    const double slope = (rate_.to - rate_.from) / duration_s_;
    const double rate_then = std::sqrt(rate_.from * rate_.from + 2 * slope * arrivals);
    seconds = 2 * arrivals / (rate_.from + rate_then);
  } else {
    seconds = duration_s_ + (arrivals - in_ramp) / rate_.to;
  }
  return static_cast<std::uint64_t>(std::llround(seconds * 1e9));
}

}  // namespace imgcached::loadgen
