// Images made on the spot: small, real ones of every accepted type, and PNGs of
// any size and as many different ones as a test wants.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace imgcached::e2e {

inline constexpr std::size_t png_bytes_min = 152;

// A valid PNG of exactly `bytes` bytes; another seed makes another image.
// REQUIRES: bytes >= png_bytes_min.
std::string png(std::size_t bytes, std::uint64_t seed);

// The smallest real image of each type, one pixel each.
struct Sample {
  std::string_view content_type;
  std::string bytes;
};
const std::array<Sample, 8>& samples();

}  // namespace imgcached::e2e
