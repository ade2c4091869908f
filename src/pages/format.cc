#include "pages/format.h"

#include <fmt/core.h>

#include <ctime>

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

std::string percent(double fraction) { return fmt::format("{:.1f} %", fraction * 100); }

std::string sentence(std::string message) {
  if (message.empty()) return message;
  if (message.front() >= 'a' && message.front() <= 'z') message.front() -= 'a' - 'A';
  if (message.back() != '.') message += '.';
  return message;
}

}  // namespace imgcached::pages
