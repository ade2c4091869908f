#include "http/content_coding.h"

#include <zlib.h>

#include <cassert>
#include <optional>

#include "http/message.h"
#include "http/white_space.h"

namespace imgcached::http {
namespace {

// The front of `list` up to the separator; takes both off.
std::string_view take_element(std::string_view& list, char separator) {
  const auto end = list.find(separator);
  const std::string_view element = list.substr(0, end);
  list.remove_prefix(end == list.npos ? list.size() : end + 1);
  return trimmed(element);
}

// `q=0`, `q=0.00` and the like among the parameters of an element refuse it.
bool is_refused(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = take_element(parameters, ';');
    if (!equals_ignoring_case(parameter.substr(0, 2), "q=")) continue;
    return parameter.find_first_not_of("0.", 2) == parameter.npos;
  }
  return false;
}

// Whether the list accepts or refuses what it calls by that name; nothing if it does not name it.
std::optional<bool> verdict_on(std::string_view name, std::string_view list) {
  std::optional<bool> accepted;
  while (!list.empty()) {
    std::string_view parameters = take_element(list, ',');
    const std::string_view named = take_element(parameters, ';');
    if (equals_ignoring_case(named, name)) accepted = !is_refused(parameters);
  }
  return accepted;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  for (const char* name : {"gzip", "x-gzip", "*"}) {
    if (const auto accepted = verdict_on(name, accept_encoding)) return *accepted;
  }
  return false;
}

bool accepts_type(std::string_view accept, std::string_view type) {
  return verdict_on(type, accept).value_or(false);
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
