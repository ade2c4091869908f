// What uses vectors is held against the scalar code, which is held against the
// vectors of RFC 4648 and against its own inverse.
#include "http/base64.h"

#include <doctest/doctest.h>

#include <fmt/core.h>

#include <cctype>
#include <memory>
#include <vector>

#include "base/random.h"

namespace imgcached::http {
namespace {

using base64::internal::Implementation;
using base64::internal::implementations;

std::string random_bytes(Random& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  return bytes;
}

// Buffers of just the right size, on the heap: the sanitizer sees a byte too many.
std::string encode_with(const Implementation& implementation, std::string_view bytes) {
  const std::size_t size = base64::encoded_size(bytes.size());
  const auto out = std::make_unique<char[]>(size);
  const std::vector<char> in(bytes.begin(), bytes.end());
  implementation.encode({in.data(), in.size()}, out.get());
  return {out.get(), size};
}

struct Decoded {
  std::optional<std::size_t> bad_at;
  std::string bytes;  // when valid
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded decode_with(const Implementation& implementation, std::string_view text) {
  const std::size_t size = base64::decoded_size(text);
  const auto out = std::make_unique<char[]>(size);
  const std::vector<char> in(text.begin(), text.end());
  const auto bad_at = implementation.decode({in.data(), in.size()}, out.get());
  return {bad_at, bad_at ? std::string() : std::string(out.get(), size)};
}

TEST_CASE("base64 agrees with the vectors of RFC 4648") {
  for (const auto& implementation : implementations()) {
    CAPTURE(implementation.name);
    for (const auto& [bytes, text] : std::vector<std::pair<std::string, std::string>>{
             {"", ""},
             {"f", "Zg=="},
             {"fo", "Zm8="},
             {"foo", "Zm9v"},
             {"foob", "Zm9vYg=="},
             {"fooba", "Zm9vYmE="},
             {"foobar", "Zm9vYmFy"},
             {"\xfb\xff\xbf", "+/+/"},
         }) {
      CHECK(encode_with(implementation, bytes) == text);
      CHECK(decode_with(implementation, text) == Decoded{std::nullopt, bytes});
    }
  }
}

TEST_CASE("every base64 character has its value at every place of a block") {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (const auto& implementation : implementations()) {
    CAPTURE(implementation.name);
    for (std::size_t shift = 0; shift < 64; ++shift) {
      std::string text;
      for (std::size_t i = 0; i < 128; ++i) text += alphabet[(i + shift) % 64];
      const Decoded decoded = decode_with(implementation, text);
      REQUIRE_FALSE(decoded.bad_at.has_value());
      for (std::size_t i = 0; i < 128; ++i) {
        const auto byte = [&](std::size_t k) -> unsigned {
          return k < 96 ? static_cast<unsigned char>(decoded.bytes[k]) : 0;
        };
        const std::size_t bit = i * 6;
        const unsigned pair = byte(bit / 8) << 8 | byte(bit / 8 + 1);
        REQUIRE((pair >> (10 - bit % 8) & 63) == (i + shift) % 64);
      }
      CHECK(encode_with(implementation, decoded.bytes) == text);
    }
  }
}

TEST_CASE(
    "base64 of every length up to 300 is the same from kernel and scalar code, and comes back") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  for (std::size_t size = 0; size <= 300; ++size) {
    for (int round = 0; round < 8; ++round) {
      const std::string bytes = random_bytes(random, size);
      const std::string text = encode_with(implementations().front(), bytes);
      for (const auto& implementation : implementations()) {
        CAPTURE(implementation.name);
        REQUIRE(encode_with(implementation, bytes) == text);
        REQUIRE(decode_with(implementation, text) == Decoded{std::nullopt, bytes});
      }
    }
  }
}

TEST_CASE("a bad byte at any place of base64 is found there") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  for (const std::size_t size : {3u, 24u, 26u, 75u, 97u}) {
    const std::string good = base64::encode(random_bytes(random, size));
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        if (std::isalnum(byte) || c == '+' || c == '/') continue;
        std::string text = good;
        if (text[at] == '=' && c == '=') continue;
        text[at] = c;
        // Where padding comes or goes, the place depends on what is beside it:
        // there it is enough that the implementations agree.
        const bool changes_padding = at + 2 >= good.size() && (c == '=' || good[at] == '=');
        const auto expected = decode_with(implementations().front(), text);
        if (!changes_padding) REQUIRE(expected.bad_at == at);
        for (const auto& implementation : implementations()) {
          CAPTURE(implementation.name);
          REQUIRE(decode_with(implementation, text) == expected);
        }
      }
    }
  }
}

TEST_CASE("kernel and scalar code find the same in random text of base64 characters and others") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random.below(140), 'A');
    for (char& c : text) c = "QRSTuvwx0189+/"[random.below(14)];
    if (!text.empty() && random.below(2) == 0) {
      text[random.below(text.size())] = static_cast<char>(random.next());
    }
    if (random.below(2) == 0) text += "=";
    CAPTURE(text);
    const auto expected = decode_with(implementations().front(), text);
    for (const auto& implementation : implementations()) {
      REQUIRE(decode_with(implementation, text) == expected);
    }
    if (!expected.bad_at) CHECK(base64::encode(expected.bytes) == text);
  }
}

TEST_CASE("base64 that is no single line with exact padding is refused with the place") {
  for (const auto& [text, at] : std::vector<std::pair<std::string, std::size_t>>{
           {"Zg", 2},        // padding missing
           {"Zm9vYg=", 6},   //
           {"Zm9vY", 5},     // cut off
           {"Z===", 1},      // too much padding
           {"====", 0},      //
           {"=", 0},         //
           {"Zg==Zg==", 2},  // text after padding
           {"Zm=v", 2},      // padding within a group
           {"Zm9v\n", 4},    // line break
           {"Zm 9v", 2},     // space
           {"Zm-_", 2},      // the URL alphabet
           {"Zh==", 1},      // stray bits before the padding
           {"Zm9=", 2},      //
           {"\x80mFy", 0},   //
           {"data:image/png;base64,Zm9v", 4},
       }) {
    CAPTURE(text);
    const auto decoded = base64::decode(text);
    REQUIRE_FALSE(decoded.ok());
    CHECK(decoded.error().code == Errc::invalid_argument);
    CHECK(decoded.error().message.find(fmt::format("at byte {}:", at)) != std::string::npos);
  }
}

TEST_CASE("base64 decodes to a Blob, and into a buffer of its decoded size") {
  CHECK(base64::decode("Zm9vYg==").value().view() == "foob");
  CHECK(base64::decode("").value().empty());
  char out[4];
  REQUIRE(base64::decoded_size("Zm9vYg==") == sizeof out);
  CHECK(base64::decode("Zm9vYg==", out).ok());
  CHECK(std::string_view(out, sizeof out) == "foob");
}

}  // namespace
}  // namespace imgcached::http
