// Base64: each implementation beside the scalar code, and the way there and back.
#include <string>

#include "http/base64.h"
#include "tests/fuzz/property.h"

namespace imgcached::fuzz {
namespace {

namespace base64 = http::base64;

// Memory of exactly the size that base64.h asks for, so that the sanitizer sees
// who writes beyond it.
using Bytes = std::vector<char>;

std::string_view view(const Bytes& bytes) { return {bytes.data(), bytes.size()}; }

Bytes copy_of(std::string_view text) { return {text.begin(), text.end()}; }

void check_encode(std::string_view input) {
  const Bytes bytes = copy_of(input);
  Bytes text(base64::encoded_size(bytes.size()));
  const auto implementations = base64::internal::implementations();
  implementations.front().encode(view(bytes), text.data());
  for (const auto& implementation : implementations) {
    Bytes other(text.size());
    implementation.encode(view(bytes), other.data());
    require(other == text, "each encodes as the scalar code does");
  }
  const Result<Blob> back = base64::decode(view(text));
  require(back && back->view() == view(bytes), "what was encoded is decoded");
}

void check_decode(std::string_view input) {
  const Bytes text = copy_of(input);
  Bytes bytes(base64::decoded_size(view(text)));
  const auto implementations = base64::internal::implementations();
  const auto bad = implementations.front().decode(view(text), bytes.data());
  require(!bad || *bad <= text.size(), "an error is within the text, or at its end");
  for (const auto& implementation : implementations) {
    Bytes other(bytes.size());
    require(implementation.decode(view(text), other.data()) == bad,
            "each finds the error that the scalar code finds");
    require(bad || other == bytes, "each decodes as the scalar code does");
  }
  require(base64::decode(view(text)).ok() == !bad, "decode() is one of the two");
  if (!bad) require(base64::encode(view(bytes)) == view(text), "bytes have one text only");
}

// The text of `input` with one byte of it spoilt, or cut off.
void check_damaged(std::string_view input) {
  if (input.size() < 3) return;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
  std::string text = base64::encode(input.substr(2));
  const std::size_t at = byte(0) % text.size();
  check_decode(std::string_view(text).substr(0, at));
  text[at] = input[1];
  check_decode(text);
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  const std::string_view input = fuzz::text_of(data, size);
  fuzz::check_encode(input);
  fuzz::check_decode(input);
  fuzz::check_damaged(input);
  return 0;
}
