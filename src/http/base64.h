// Base64 (RFC 4648, section 4): with padding, on one line, and strict.
//
// Whole images pass through here, so the work is done 24 bytes at a time with
// AVX2, or 48 at a time with AVX-512 (VBMI), where the processor has them, after
// W. Muła and D. Lemire, "Faster Base64 Encoding and Decoding Using AVX2
// Instructions", ACM Transactions on the Web 12(3), 2018, and "Base64 encoding and
// decoding at almost the speed of a memory copy", Software: Practice and Experience
// 50(2), 2020. The scalar code is the definition: it finishes what is shorter than
// a block, and it finds the exact place of an error.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/blob.h"
#include "base/result.h"

namespace imgcached::http::base64 {

// The characters that `bytes` bytes become.
constexpr std::size_t encoded_size(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

// Writes encoded_size(bytes.size()) characters, and no more, to `out`.
void encode(std::string_view bytes, char* out);
std::string encode(std::string_view bytes);

// The bytes that `text` becomes if it is valid; never too few.
constexpr std::size_t decoded_size(std::string_view text) {
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::size_t bytes = text.size() / 4 * 3;
  return text.size() % 4 == 0 ? bytes - padding : bytes;
}

// Writes decoded_size(text) bytes, and no more, to `out`. Accepts only what
// encode() writes: anything else (white space, missing padding, the URL
// alphabet, stray bits before the padding) is invalid_argument that says at
// which byte, and leaves `out` partly written.
Result<void> decode(std::string_view text, char* out);
Result<Blob> decode(std::string_view text);

// What does the work, for the tests that hold one against the other.
namespace internal {

struct Implementation {
  const char* name;
  void (*encode)(std::string_view bytes, char* out);
  // The offset of the first bad byte, or nothing if the text is valid. A text that
  // stops within a group of four is bad at its end.
  std::optional<std::size_t> (*decode)(std::string_view text, char* out);
};

// Those that this processor can run: the definition first, the fastest last.
std::span<const Implementation> implementations();

}  // namespace internal
}  // namespace imgcached::http::base64
