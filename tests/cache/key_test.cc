#include "cache/key.h"

#include <doctest/doctest.h>

#include <string>

namespace imgcached::cache {
namespace {

using namespace std::string_literals;

std::string refusal(const std::string& key) {
  const Result<void> valid = validate_key(key);
  if (valid) return "";
  CHECK(valid.error().code == Errc::invalid_argument);
  return valid.error().message;
}

bool says(const std::string& key, std::string_view what) {
  return refusal(key).find(what) != std::string::npos;
}

TEST_CASE("a key is 1 to 255 bytes long") {
  CHECK(says("", "empty"));
  CHECK(validate_key("k").ok());
  CHECK(validate_key(std::string(255, 'k')).ok());
  CHECK(says(std::string(256, 'k'), "256"));
  // Bytes, not letters.
  std::string umlauts;
  for (int i = 0; i < 127; ++i) umlauts += "ü";
  CHECK(validate_key(umlauts + "k").ok());
  CHECK(says(umlauts + "ü", "256"));
}

TEST_CASE("what looks dangerous is a key like any other") {
  for (const char* key :
       {" ", "a b ", "a/b", "/etc/passwd", "../../etc/passwd", "..", "%2F", "a?b#c",
        "'; DROP TABLE images; --", "\"quoted\"", "<script>", "\\", "🐈", "\u00a0"}) {
    CAPTURE(key);
    CHECK(refusal(key) == "");
  }
}

TEST_CASE("every control character is refused, wherever it stands") {
  for (unsigned code = 0; code <= 0x9f; ++code) {
    if (code >= 0x20 && code < 0x7f) continue;
    const std::string character = code < 0x80 ? std::string(1, static_cast<char>(code))
                                              : std::string{'\xc2', static_cast<char>(code)};
    CAPTURE(code);
    CHECK(says(character, "control character"));
    CHECK(says("a" + character, "control character"));
    CHECK(says(character + "z", "control character"));
  }
}

TEST_CASE("what is not UTF-8 is refused") {
  for (const std::string& key : {"\xff"s, "a\x80"s, "\xc3"s, "\xc0\xaf"s, "\xed\xa0\x80"s,
                                 "\xe2\x82"s, "\xf5\x80\x80\x80"s, "caf\xe9"s}) {
    CAPTURE(key.size());
    CHECK(says(key, "UTF-8"));
  }
}

}  // namespace
}  // namespace imgcached::cache
