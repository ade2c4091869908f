#include "http/content_coding.h"

#include <zlib.h>

#include <cassert>
#include <optional>

#include "http/message.h"
#include "http/white_space.h"

namespace imgcached::http {
namespace {

// The parameters of an element of the list: `q=0`, `q=0.00` and the like refuse it.
bool is_refused(std::string_view parameters) {
  const std::string_view weight = trimmed(parameters);
  if (!equals_ignoring_case(weight.substr(0, 2), "q=")) return false;
  return weight.find_first_not_of("0.", 2) == weight.npos;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<bool> by_name;
  bool by_star = false;
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const std::string_view element = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(comma == element.npos ? accept_encoding.size() : comma + 1);

    const auto semicolon = element.find(';');
    const std::string_view coding = trimmed(element.substr(0, semicolon));
    const bool refused = semicolon != element.npos && is_refused(element.substr(semicolon + 1));
    if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip")) {
      by_name = !refused;
    } else if (coding == "*") {
      by_star = !refused;
    }
  }
  return by_name.value_or(by_star);
}

std::string gzip(std::string_view bytes) {
  constexpr int gzip_format = 16;
  constexpr int memory_level = 9;
  z_stream stream{};
  const int begun = deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + gzip_format,
                                 memory_level, Z_DEFAULT_STRATEGY);
  assert(begun == Z_OK);
  std::string coded(deflateBound(&stream, bytes.size()), '\0');
  // zlib reads its input only; its type says otherwise for historical reasons.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(coded.data());
  stream.avail_out = static_cast<uInt>(coded.size());
  const int ended = deflate(&stream, Z_FINISH);
  assert(ended == Z_STREAM_END);
  coded.resize(stream.total_out);
  deflateEnd(&stream);
  return coded;
}

}  // namespace imgcached::http
