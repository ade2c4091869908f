// The white space that HTTP allows around values: spaces and tabs (OWS of
// RFC 9110, section 5.6.3), and nothing else.
#pragma once

#include <algorithm>
#include <string_view>

namespace imgcached::http {

constexpr std::string_view white_space = " \t";

// Without the white space at its front.
constexpr std::string_view trimmed_front(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(white_space), text.size()));
}

// Without the white space at its ends.
constexpr std::string_view trimmed(std::string_view text) {
  return trimmed_front(text.substr(0, text.find_last_not_of(white_space) + 1));
}

}  // namespace imgcached::http
