// What the targets for requests and for responses check alike.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "http/white_space.h"
#include "tests/fuzz/property.h"
#include "tests/http/message_reading.h"

namespace imgcached::fuzz {

inline bool is_limit(int status) { return status == 414 || status == 431; }

inline void check_same(const http::Reading& a, const http::Reading& b) {
  require(a.messages.size() == b.messages.size(), "the cuts change no number of messages");
  for (std::size_t i = 0; i < a.messages.size(); ++i) {
    const http::ReadMessage& one = a.messages[i];
    const http::ReadMessage& other = b.messages[i];
    require(http::to_text(one.head, a.kind) == http::to_text(other.head, b.kind),
            "the cuts change no head");
    require(one.body == other.body, "the cuts change no body");
    require(one.ended == other.ended && one.end == other.end, "a message ends where it ends");
  }
  require((a.error_status != 0) == (b.error_status != 0), "the cuts make nothing right or wrong");
  // Of what is over a limit and malformed behind it, the one or the other is told.
  require(a.error_status == b.error_status || is_limit(a.error_status) || is_limit(b.error_status),
          "the cuts change no status");
}

// Every message of the input, read in one piece and in many: which must be the
// same.
inline http::Reading read_every_way(http::Parser::Kind kind, std::string_view input,
                                    const http::ReadingOptions& options) {
  http::Reading whole = http::read(kind, {input}, options);
  for (const Pieces& pieces : cuts_of(input)) check_same(http::read(kind, pieces, options), whole);
  return whole;
}

inline void check_field(std::string_view name, std::string_view value) {
  constexpr std::string_view no_name("\0\t\n\r :", 6);
  constexpr std::string_view no_value("\0\n\r", 3);
  require(!name.empty() && name.find_first_of(no_name) == name.npos, "a field has a plain name");
  require(value.find_first_of(no_value) == value.npos, "a value is on one line");
  require(http::trimmed(value) == value, "a value has no blanks around it");
}

// What http/parser.h says of every message.
inline void check_message(const http::ReadMessage& message, const http::ParserLimits& limits) {
  const http::MessageHead& head = message.head;
  std::size_t head_bytes = 0;
  std::size_t fields = 0;
  for (const auto& [name, value] : head.headers) {
    check_field(name, value);
    head_bytes += name.size() + value.size();
    fields += 1;
  }
  require(head_bytes <= limits.head_bytes_max && fields <= limits.headers_max &&
              head.target.size() <= limits.target_bytes_max,
          "no head is over its limits");
  require(head.version_minor == 0 || head.version_minor == 1, "the version is 1.0 or 1.1");
  require(!head.chunked || !head.content_length, "a length is announced in one way");
  const auto coding = head.headers.find("Transfer-Encoding");
  require(coding.has_value() == head.chunked &&
              (!coding || http::equals_ignoring_case(*coding, "chunked")),
          "what is coded is in chunks, for all who read it");
}

// Whether the fields of the head decide about a body (a request has no status).
inline bool may_have_body(const http::MessageHead& head) {
  return head.status / 100 != 1 && head.status != 204 && head.status != 304;
}

inline constexpr std::string_view line_end = "\r\n";

// Takes a line off the front of `text`; nothing if no CR LF ends it.
inline std::optional<std::string_view> take_http_line(std::string_view& text) {
  const std::size_t end = text.find(line_end);
  if (end == text.npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + line_end.size());
  return line;
}

inline std::optional<std::uint64_t> number_of(std::string_view digits, int base) {
  std::uint64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped_at, error] = std::from_chars(digits.data(), end, number, base);
  if (error != std::errc() || stopped_at != end) return std::nullopt;
  return number;
}

inline bool skip(std::string_view& text, std::uint64_t count) {
  if (count > text.size()) return false;
  text.remove_prefix(count);
  return true;
}

// Takes a body in chunks, with its trailers, off the front of `text`.
inline bool skip_chunks(std::string_view& text) {
  while (true) {
    const auto line = take_http_line(text);
    if (!line) return false;
    const auto size = number_of(line->substr(0, line->find(';')), 16);
    if (!size) return false;
    if (*size == 0) break;
    if (!skip(text, *size) || !text.starts_with(line_end)) return false;
    text.remove_prefix(line_end.size());
  }
  while (true) {
    const auto trailer = take_http_line(text);
    if (!trailer || trailer->empty()) return trailer.has_value();
  }
}

// Takes a message off the front of `text`, line by line; false if that can't be
// done. Whether it is a good one is not asked.
inline bool skip_message(std::string_view& text, http::Parser::Kind kind, bool has_body) {
  while (text.starts_with(line_end)) text.remove_prefix(line_end.size());
  if (!take_http_line(text)) return false;
  bool is_chunked = false;
  std::optional<std::uint64_t> length;
  while (true) {
    const auto line = take_http_line(text);
    if (!line) return false;
    if (line->empty()) break;
    const std::size_t colon = std::min(line->find(':'), line->size());
    const std::string_view name = line->substr(0, colon);
    const std::string_view value = http::trimmed(line->substr(std::min(colon + 1, line->size())));
    if (http::equals_ignoring_case(name, "Transfer-Encoding")) is_chunked = true;
    if (http::equals_ignoring_case(name, "Content-Length")) {
      length = number_of(value, 10);
      if (!length) return false;
    }
  }
  if (!has_body) return true;
  if (is_chunked) return skip_chunks(text);
  if (length || kind == http::Parser::Kind::request) return skip(text, length.value_or(0));
  return skip(text, text.size());  // a response that ends with its connection
}

// Where a message ends must not be a matter of opinion: the simplest reader there
// is sees the same ends.
inline void check_ends(const http::Reading& reading, std::string_view input, bool expect_body) {
  std::string_view rest = input;
  for (const http::ReadMessage& message : reading.messages) {
    if (!message.ended) return;
    require(skip_message(rest, reading.kind, expect_body && may_have_body(message.head)) &&
                input.size() - rest.size() == message.end,
            "a simple reader sees the same end of a message");
  }
}

}  // namespace imgcached::fuzz
