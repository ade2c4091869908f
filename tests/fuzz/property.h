// What the fuzz targets share: how a broken property is told, and how an input
// is cut into pieces.
//
// A target is one libFuzzer entry point, tests/fuzz/NAME.cc, and checks what the
// code promises for every input, not only that it survives it. `make fuzz` runs
// the targets under clang; `make test` feeds them their corpora
// (replay_test.cc), under any compiler and sanitizer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "base/blob.h"
#include "base/random.h"

namespace imgcached::fuzz {

// A failure is an exception that no target catches: libFuzzer takes it for a
// crash and keeps the input, the replay reports it together with the file.
inline void require(bool holds, const char* property) {
  if (!holds) throw std::logic_error(property);
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A copy of just that size, so that the sanitizer sees who reads beyond it; libFuzzer's own
// buffer is larger.
class ExactCopy {
 public:
  explicit ExactCopy(std::string_view text) : bytes_(text.begin(), text.end()) {}
  ExactCopy(const std::uint8_t* data, std::size_t size) : ExactCopy(text_of(data, size)) {}

  std::string_view text() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

// Takes the first line off the front of `input`, its line feed too.
inline std::string_view take_line(std::string_view& input) {
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view line = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return line;
}

using Pieces = std::vector<std::string_view>;

// The input cut at random, seeded by the input: a finding can be repeated, and
// every mutation moves the cuts.
inline Pieces cut_at_random(std::string_view input, std::size_t piece_bytes_max) {
  Random random(digest_of(input).low ^ piece_bytes_max);
  Pieces pieces;
  while (!input.empty()) {
    pieces.push_back(input.substr(0, 1 + random.below(piece_bytes_max)));
    input.remove_prefix(pieces.back().size());
  }
  return pieces;
}

// Ways in which the input may come: byte by byte, with nothing in between; in a few
// bytes at a time; in two or three large pieces.
inline std::vector<Pieces> cuts_of(std::string_view input) {
  Pieces bytes;
  for (const std::string_view byte : cut_at_random(input, 1)) {
    bytes.insert(bytes.end(), {byte, std::string_view()});
  }
  return {bytes, cut_at_random(input, 9), cut_at_random(input, input.size() + 1)};
}

}  // namespace imgcached::fuzz
