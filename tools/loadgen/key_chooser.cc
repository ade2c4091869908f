#include "tools/loadgen/key_chooser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

#include "tools/loadgen/text.h"

namespace imgcached::loadgen {
namespace {

// (e^x - 1) / x, and ln(1 + x) / x: with their limits, 1, at 0, where the
// quotient itself is undefined. Theta = 1 needs them there.
double expm1_over(double x) { return std::abs(x) > 1e-8 ? std::expm1(x) / x : 1 + x / 2; }
double log1p_over(double x) { return std::abs(x) > 1e-8 ? std::log1p(x) / x : 1 - x / 2; }

constexpr double theta_max = 10;  // then 99.9 % of the operations go to one key

bool is_share(double number) { return number > 0 && number < 1; }

}  // namespace

Result<Distribution> Distribution::parse(std::string_view text) {
  const auto refuse = [&](std::string_view reason) {
    return Error{Errc::invalid_argument, fmt::format("distribution \"{}\": {}", text, reason)};
  };
  const auto [word, parameters] = cut(text, ':');
  Distribution result;
  if (word == "uniform" || word == "latest") {
    if (parameters) return refuse(fmt::format("{} has no parameters", word));
    result.kind = word == "uniform" ? Kind::uniform : Kind::latest;
    return result;
  }
  if (word == "zipfian") {
    result.kind = Kind::zipfian;
    if (!parameters) return result;
    const std::optional<double> theta = parse_number(*parameters);
    if (!theta || *theta <= 0 || *theta > theta_max) {
      return refuse(fmt::format("write zipfian:THETA, such as zipfian:0.99, with 0 < THETA <= {}",
                                theta_max));
    }
    result.theta = *theta;
    return result;
  }
  if (word == "hotspot") {
    result.kind = Kind::hotspot;
    if (!parameters) return result;
    const auto [keys_text, operations_text] = cut(*parameters, ':');
    const std::optional<double> keys = parse_number(keys_text);
    const std::optional<double> operations = parse_number(operations_text.value_or(""));
    if (!keys || !operations || !is_share(*keys) || !is_share(*operations)) {
      return refuse(
          "write hotspot:KEYS:OPERATIONS, two shares between 0 and 1: "
          "hotspot:0.2:0.8 has 80 % of the operations on 20 % of the keys");
    }
    result.hot_keys = *keys;
    result.hot_operations = *operations;
    return result;
  }
  return refuse("write uniform, zipfian:0.99, hotspot:0.2:0.8 or latest");
}

std::string Distribution::text() const {
  switch (kind) {
    case Kind::uniform: return "uniform";
    case Kind::zipfian: return fmt::format("zipfian:{}", theta);
    case Kind::hotspot: return fmt::format("hotspot:{}:{}", hot_keys, hot_operations);
    case Kind::latest: return "latest";
  }
  return {};
}

KeyChooser::KeyChooser(Distribution distribution, Random random)
    : distribution_(distribution), random_(random) {
  area_first_ = hat_integral(1.5) - 1;
  squeeze_ = 2 - hat_integral_inverse(hat_integral(2.5) - hat(2));
}

std::uint64_t KeyChooser::next(std::uint64_t keys) {
  assert(keys > 0);
  switch (distribution_.kind) {
    case Distribution::Kind::uniform: return random_.below(keys);
    case Distribution::Kind::zipfian: return zipfian(keys);
    case Distribution::Kind::latest: return keys - 1 - zipfian(keys);
    case Distribution::Kind::hotspot: break;
  }
  const auto share = std::llround(distribution_.hot_keys * static_cast<double>(keys));
  const std::uint64_t hot = std::clamp<std::uint64_t>(share, 1, keys);
  if (hot == keys || random_.unit() < distribution_.hot_operations) return random_.below(hot);
  return hot + random_.below(keys - hot);
}

// --- Rejection-inversion ------------------------------------------------------------------------
//
// Rank k, counted from 1 here, is a bar of the height hat(k) = k^-theta and the
// width 1, around k. hat(x) is convex, so the area below it from k - 1/2 to
// k + 1/2 is at least the bar's. A point of the whole area is drawn by inverting
// the integral, which finds k with a little more than its probability; it counts
// only when it lies in the right part of k's area, as large as the bar, or else
// is drawn anew. The first area is cut to what its bar needs, so that this is
// rare: with theta = 0.99 one draw in a thousand.
//
// The paper's s, squeeze_ here, spares most draws the exact test: an x no further
// left of its k than that lies in the right part for every k.

double KeyChooser::hat(double x) const { return std::exp(-distribution_.theta * std::log(x)); }

// (x^(1 - theta) - 1) / (1 - theta); ln(x) where theta is 1.
double KeyChooser::hat_integral(double x) const {
  const double log_x = std::log(x);
  return expm1_over((1 - distribution_.theta) * log_x) * log_x;
}

double KeyChooser::hat_integral_inverse(double area) const {
  // Rounding may take it below -1, where there is no inverse.
  const double t = std::max(area * (1 - distribution_.theta), -1.0);
  return std::exp(log1p_over(t) * area);
}

std::uint64_t KeyChooser::zipfian(std::uint64_t keys) {
  const auto last = static_cast<double>(keys);
  const double area_all = hat_integral(last + 0.5);
  while (true) {
    const double area = area_all + random_.unit() * (area_first_ - area_all);
    const double x = hat_integral_inverse(area);
    const double k = std::clamp(std::floor(x + 0.5), 1.0, last);
    if (k - x <= squeeze_ || area >= hat_integral(k + 0.5) - hat(k)) {
      return static_cast<std::uint64_t>(k) - 1;
    }
  }
}

}  // namespace imgcached::loadgen
