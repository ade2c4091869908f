#include "tools/loadgen/figure_text.h"

#include <fmt/core.h>

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

}  // namespace imgcached::loadgen
