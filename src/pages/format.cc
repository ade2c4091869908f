#include "pages/format.h"

#include <fmt/core.h>

#include <cmath>
#include <ctime>
#include <string_view>

namespace imgcached::pages {

std::string bytes_in_words(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr const char* units[] = {"KB", "MB", "GB", "TB"};
  double amount = static_cast<double>(bytes) / 1024;
  int unit = 0;
  // 1023.95 and more would be written as 1024.0.
  while (amount >= 1023.95 && unit < 3) {
    amount /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", amount, units[unit]);
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string utc_time(std::int64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string utc_clock(std::int64_t unix_ms) {
  return utc_time(unix_ms).substr(std::string_view("YYYY-MM-DD ").size());
}

std::string machine_time(std::int64_t unix_ms) {
  std::string text = utc_time(unix_ms) + 'Z';
  text[text.find(' ')] = 'T';
  return text;
}

std::string ago_in_words(std::int64_t unix_ms, std::int64_t now_ms) {
  const std::int64_t seconds = (now_ms - unix_ms) / 1000;
  struct Unit {
    std::int64_t seconds;
    const char* name;
  };
  for (const Unit& unit :
       {Unit{365 * 86'400, "year"}, Unit{86'400, "day"}, Unit{3600, "hour"}, Unit{60, "minute"}}) {
    const std::int64_t count = seconds / unit.seconds;
    if (count > 0) return fmt::format("{} {}{} ago", count, unit.name, count == 1 ? "" : "s");
  }
  return "just now";
}

std::string duration_in_words(std::uint64_t nanoseconds) {
  const double ms = static_cast<double>(nanoseconds) / 1e6;
  if (ms >= 999.95) return fmt::format("{:.2f} s", ms / 1000);
  if (ms >= 9.995) return fmt::format("{:.1f} ms", ms);
  return fmt::format("{:.2f} ms", ms);
}

std::string rate_in_words(double per_second) {
  const auto tenths = static_cast<std::uint64_t>(std::llround(per_second * 10));
  return fmt::format("{}.{}", grouped(tenths / 10), tenths % 10);
}

std::string percent(double fraction) { return fmt::format("{:.1f} %", fraction * 100); }

std::string sentence(std::string message) {
  if (message.empty()) return message;
  if (message.front() >= 'a' && message.front() <= 'z') message.front() -= 'a' - 'A';
  if (message.back() != '.') message += '.';
  return message;
}

}  // namespace imgcached::pages
