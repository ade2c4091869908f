#include "tools/loadgen/quantity.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "tools/loadgen/figure_text.h"
#include "tools/loadgen/text.h"

namespace imgcached::loadgen {
namespace {

struct TimeUnit {
  std::string_view name;
  double ns;
};
constexpr TimeUnit time_units[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                   {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};
constexpr double duration_max_ns = 24 * 3.6e12;

}  // namespace

Error refused(std::string message) { return Error{Errc::invalid_argument, std::move(message)}; }

Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t min, std::uint64_t max) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || value < min || value > max) {
    return refused(fmt::format("\"{}\" is no whole number from {} to {}", text, min, max));
  }
  return value;
}

Result<double> parse_number_between(std::string_view text, double min, double max) {
  const std::optional<double> value = parse_number(text);
  if (!value || *value < min || *value > max) {
    return refused(fmt::format("\"{}\" is no number from {} to {}", text, min, max));
  }
  return *value;
}

Result<double> parse_percent(std::string_view text) {
  const std::string_view digits = text.ends_with('%') ? text.substr(0, text.size() - 1) : text;
  const std::optional<double> value = parse_number(digits);
  if (!value || *value < 0 || *value > 100) {
    return refused(fmt::format("\"{}\" is no percentage from 0 to 100", text));
  }
  return *value;
}

Result<double> parse_duration_ns(std::string_view text) {
  const std::size_t unit_at = std::min(text.find_first_not_of("0123456789.-"), text.size());
  const std::optional<double> value = parse_number(text.substr(0, unit_at));
  const std::string_view name = text.substr(unit_at);
  if (value && *value == 0 && name.empty()) return 0.0;
  if (value && name.empty()) {
    return refused(fmt::format("\"{}\" has no unit: write {}s or {}ms", text, text, text));
  }
  const TimeUnit* const unit = std::find_if(std::begin(time_units), std::end(time_units),
                                            [&](const TimeUnit& one) { return one.name == name; });
  if (!value || *value < 0 || unit == std::end(time_units)) {
    return refused(fmt::format("\"{}\" is no duration: write 500ms, 30s or 5m", text));
  }
  if (*value * unit->ns > duration_max_ns) {
    return refused(fmt::format("\"{}\" is longer than a day", text));
  }
  return *value * unit->ns;
}

Result<std::uint64_t> parse_duration_ms(std::string_view text, std::uint64_t min_ms,
                                        std::uint64_t max_ms) {
  Result<double> ns = parse_duration_ns(text);
  if (!ns) return std::move(ns).error();
  const double ms = *ns / 1e6;
  if (ms < static_cast<double>(min_ms) || ms > static_cast<double>(max_ms)) {
    return refused(fmt::format("\"{}\" is not from {} to {}", text, duration_text(min_ms),
                               duration_text(max_ms)));
  }
  return static_cast<std::uint64_t>(std::llround(ms));
}

}  // namespace imgcached::loadgen
