// What the load generator needs of PNG (W3C, "Portable Network Graphics
// Specification", 3rd edition): chunks with their checksums, and images of noise
// of an exact size.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/random.h"

namespace imgcached::loadgen::png {

inline constexpr std::string_view signature = "\x89PNG\r\n\x1a\n";
// The signature and the header chunk, IHDR, which comes first.
inline constexpr std::size_t header_bytes = 33;
// Of every chunk: length, type and checksum.
inline constexpr std::size_t chunk_overhead_bytes = 12;

// A number as PNG has them: the highest byte first.
std::string big_endian(std::unsigned_integral auto value) {
  std::string bytes(sizeof value, '\0');
  for (std::size_t i = bytes.size(); i-- > 0; value >>= 8) bytes[i] = static_cast<char>(value);
  return bytes;
}

// REQUIRES: type has 4 letters.
std::string chunk(std::string_view type, std::string_view data);

// Pixels of noise have this many colours.
inline constexpr std::size_t colours = 16;
inline constexpr std::size_t noise_bytes_min = 128;

// An image of exactly `bytes` bytes that lacks only its palette: a PLTE chunk of
// `colours` colours, to be inserted behind the first header_bytes.
// REQUIRES: bytes >= noise_bytes_min.
std::string noise_without_palette(std::size_t bytes, Random& random);

}  // namespace imgcached::loadgen::png
