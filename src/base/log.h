// The log: one line an event, `event key=value key=value`, on standard error.
//
// Control characters in a line are written as \xNN, so that a hostile key can
// forge no line. Any thread may log.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace imgcached::log {

enum class Level { debug, info, warning, error, off };

// Understands debug, info, warning, error and off; false for anything else.
bool parse_level(std::string_view name, Level& level);
void set_level(Level level);
bool enabled(Level level);
void write(Level level, std::string_view line);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warning)) {
    write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::error)) write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace imgcached::log
