// Keys and UTF-8: cache::validate_key() and http::is_utf8() beside the definition
// of UTF-8, taken character by character.
#include <optional>
#include <string>

#include "cache/key.h"
#include "http/json.h"
#include "tests/fuzz/property.h"

namespace imgcached::fuzz {
namespace {

// Takes a character off the front of `text` (RFC 3629, section 3); nothing if
// none stands there.
std::optional<std::uint32_t> take_character(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80   ? 1
                             : byte(0) < 0xc0 ? 0
                             : byte(0) < 0xe0 ? 2
                             : byte(0) < 0xf0 ? 3
                             : byte(0) < 0xf8 ? 4
                                              : 0;
  if (length == 0 || length > text.size()) return std::nullopt;
  std::uint32_t character = length == 1 ? byte(0) : byte(0) & (0x7f >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) >> 6 != 2) return std::nullopt;
    character = character << 6 | (byte(i) & 0x3f);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (character < smallest[length] || character > 0x10ffff) return std::nullopt;
  if (character >= 0xd800 && character < 0xe000) return std::nullopt;  // surrogates
  text.remove_prefix(length);
  return character;
}

struct Judgement {
  bool is_utf8 = true;
  bool has_control_character = false;
};

Judgement judge(std::string_view text) {
  Judgement judgement;
  while (!text.empty()) {
    const auto character = take_character(text);
    if (!character) return {false, judgement.has_control_character};
    if (*character < 0x20 || (*character >= 0x7f && *character < 0xa0)) {
      judgement.has_control_character = true;
    }
  }
  return judgement;
}

void check_key(std::string_view key) {
  const Judgement judgement = judge(key);
  const bool is_good =
      !key.empty() && key.size() <= 255 && judgement.is_utf8 && !judgement.has_control_character;
  const Result<void> valid = cache::validate_key(key);
  require(valid.ok() == is_good, "a key is 1 to 255 bytes of UTF-8 without control characters");
  require(valid || valid.error().code == Errc::invalid_argument, "a bad key is the caller's error");
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  const fuzz::ExactCopy copy(data, size);
  const std::string_view text = copy.text();
  fuzz::require(http::is_utf8(text) == fuzz::judge(text).is_utf8, "UTF-8 is as it is defined");
  fuzz::check_key(text);
  fuzz::check_key(text.substr(0, 255));
  return 0;
}
