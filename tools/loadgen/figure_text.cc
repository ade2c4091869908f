#include "tools/loadgen/figure_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

namespace imgcached::loadgen {

std::string milliseconds_text(double ns) {
  const double ms = ns / 1e6;
  // What rounds to 10.0 is no "10.00".
  if (ms < 0.9995) return fmt::format("{:.3f}", ms);
  return number_text(ms);
}

std::string bytes_text(double bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(units)) {
    bytes /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{:.0f} B", bytes);
  return fmt::format("{} {}", number_text(bytes), units[unit]);
}

std::string percent_text(double share) {
  const double percent = share * 100;
  if (percent == 0) return "0 %";
  if (percent < 0.1) return fmt::format("{:.2g} %", percent);
  return fmt::format("{:.1f} %", percent);
}

std::string number_text(double value) {
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

std::string duration_text(std::uint64_t ms) {
  for (const auto& [unit_ms, name] : {std::pair{3'600'000u, 'h'}, {60'000u, 'm'}, {1'000u, 's'}}) {
    if (ms > 0 && ms % unit_ms == 0) return fmt::format("{}{}", ms / unit_ms, name);
  }
  return ms == 0 ? "0s" : fmt::format("{}ms", ms);
}

std::string digits_text(double value, int significant_digits) {
  if (value == 0) return "0";
  const int magnitude = static_cast<int>(std::floor(std::log10(std::fabs(value)))) + 1;
  std::string text = fmt::format("{:.{}f}", value, std::max(0, significant_digits - magnitude));
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  return text;
}

std::string time_text(double ns, int significant_digits) {
  const auto in = [&](double unit_ns, std::string_view name) {
    return digits_text(ns / unit_ns, significant_digits) + " " + std::string(name);
  };
  // From what would round up to 1000 of the smaller unit.
  if (ns >= 999.5e6) return in(1e9, "s");
  if (ns >= 999.5e3) return in(1e6, "ms");
  if (ns >= 999.5) return in(1e3, "µs");
  return in(1, "ns");
}

}  // namespace imgcached::loadgen
