// Base64 (RFC 4648, section 4): with padding, on one line, and strict.
//
// Whole images pass through here, so the work is done 24 bytes at a time with
// AVX2 where the processor has it, after W. Muła and D. Lemire, "Faster Base64
// Encoding and Decoding Using AVX2 Instructions", ACM Transactions on the Web
// 12(3), 2018. The scalar code below it is the definition: it finishes what is
// shorter than a block, and it finds the exact place of an error.
#pragma once

#include <cstddef>
#include <optional>
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

// The two implementations, for the tests that hold one against the other.
namespace internal {

// A decoder returns the offset of the first bad byte, or nothing if the text is
// valid. A text that stops within a group of four is bad at its end.

void encode_scalar(std::string_view bytes, char* out);
std::optional<std::size_t> decode_scalar(std::string_view text, char* out);
// REQUIRES: has_avx2().
void encode_avx2(std::string_view bytes, char* out);
std::optional<std::size_t> decode_avx2(std::string_view text, char* out);
bool has_avx2();

}  // namespace internal
}  // namespace imgcached::http::base64
