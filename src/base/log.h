// The log: one line an event, `event key=value key=value`, on standard error.
//
// Text that is put into a line is escaped: quotes and backslashes, so that a
// hostile key in its quotes can forge no field; control characters and what is
// not UTF-8 as \xNN, so that it can forge no line and steer no terminal; what
// changes the direction of writing as \uNNNN, so that a line reads as it is. Any
// thread may log.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <type_traits>

namespace imgcached::log {

enum class Level { debug, info, warning, error, off };

// Understands debug, info, warning, error and off; false for anything else.
bool parse_level(std::string_view name, Level& level);
void set_level(Level level);
bool enabled(Level level);

// As the log writes what comes from elsewhere.
std::string escaped(std::string_view text);

// One line. REQUIRES: nothing in it that is not escaped.
void write(Level level, std::string_view line);

namespace detail {

template <class Arg>
decltype(auto) safe(const Arg& arg) {
  if constexpr (std::is_convertible_v<const Arg&, std::string_view>) {
    return escaped(arg);
  } else {
    return arg;
  }
}

template <class... Safe>
std::string line(fmt::string_view format, const Safe&... safe) {
  return fmt::vformat(format, fmt::make_format_args(safe...));
}

}  // namespace detail

template <class... Args>
void write_if_enabled(Level level, fmt::string_view format, const Args&... args) {
  if (enabled(level)) write(level, detail::line(format, detail::safe(args)...));
}

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write_if_enabled(Level::debug, format, args...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write_if_enabled(Level::info, format, args...);
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write_if_enabled(Level::warning, format, args...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write_if_enabled(Level::error, format, args...);
}

}  // namespace imgcached::log
