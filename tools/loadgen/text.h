// What the readers of flag values have in common.
#pragma once

#include <optional>
#include <string_view>

namespace imgcached::loadgen {

// The text before the first `separator` and the text behind it; without one,
// all of it and nothing.
struct Cut {
  std::string_view before;
  std::optional<std::string_view> after;
};
Cut cut(std::string_view text, char separator);

// A finite decimal number, and nothing else: no blanks, no unit.
std::optional<double> parse_number(std::string_view text);

}  // namespace imgcached::loadgen
