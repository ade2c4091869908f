#include "cache/key.h"

#include <string>

#include "http/json.h"

namespace imgcached::cache {
namespace {

// Control characters are C0, DEL and, as UTF-8 writes them, C1: 0xC2 0x80..0x9F.
bool has_control_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<void> validate_key(std::string_view key) {
  const auto refuse = [](std::string message) {
    return Error{Errc::invalid_argument, std::move(message)};
  };
  if (key.empty()) return refuse("the key is empty; give it 1 to 255 bytes");
  if (key.size() > key_bytes_max) {
    return refuse("the key has " + std::to_string(key.size()) + " bytes; at most 255 are allowed");
  }
  if (!http::is_utf8(key)) return refuse("the key is not valid UTF-8");
  if (has_control_character(key)) return refuse("the key contains a control character");
  return {};
}

}  // namespace imgcached::cache
