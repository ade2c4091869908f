// Requests: http::Parser with its rules and limits, and what the server makes of
// the target of each request.
#include <charconv>
#include <string>

#include "http/url.h"
#include "tests/fuzz/message.h"

namespace imgcached::fuzz {
namespace {

void check_body(const http::ReadMessage& message) {
  const http::MessageHead& head = message.head;
  require(head.has_body() || message.body.empty(), "a request without a length has no body");
  if (!head.content_length) return;
  require(message.body.size() <= *head.content_length, "a body is no longer than announced");
  require(!message.ended || message.body.size() == *head.content_length,
          "a body is as long as announced");
}

void check_host(const http::Headers& headers, int version_minor) {
  require(headers.count("Host") <= 1 && (version_minor == 0 || headers.count("Host") == 1),
          "there is one Host");
}

// As http::Connection does it.
void check_target(std::string_view text) {
  const Result<http::Target> target = http::split_target(text);
  if (!target) return;
  require(target->path == "*" || target->path.starts_with('/'), "a path begins with a slash");
  const std::string_view path = http::collapse_leading_slashes(target->path);
  require(!path.starts_with("//"), "slashes at the start are one");
  const Result<std::string> decoded = http::percent_decode(path);
  require(!decoded || decoded->size() <= path.size(), "decoding lets nothing grow");
}

// The requests as a client would write them that means the same. Of a method we
// don't know the name is not kept, and only the targets of CONNECT are no paths.
std::string rewritten(const http::Reading& reading) {
  std::string text;
  for (const auto& [head, body, ended, end] : reading.messages) {
    if (!ended || !head.target.starts_with('/')) break;
    const bool is_known = head.method != http::Method::other;
    text += is_known ? http::to_string(head.method) : std::string_view("PATCH");
    text += " " + head.target + " HTTP/1." + std::to_string(head.version_minor) + "\r\n";
    text += head.headers.wire();
    text += "\r\n";
    if (!head.chunked) {
      text += body;
      continue;
    }
    char size[17] = {};
    std::to_chars(size, size + sizeof size - 1, body.size(), 16);
    if (!body.empty()) text += std::string(size) + "\r\n" + body + "\r\n";
    text += "0\r\n\r\n";
  }
  return text;
}

void check_rewritten(const http::Reading& reading, const http::ReadingOptions& options) {
  const http::Reading again =
      http::read(http::Parser::Kind::request, {rewritten(reading)}, options);
  require(again.error_status == 0, "what was accepted is accepted when written plainly");
  for (std::size_t i = 0; i < again.messages.size(); ++i) {
    require(again.messages[i].ended && again.messages[i].body == reading.messages[i].body &&
                http::to_text(again.messages[i].head, again.kind) ==
                    http::to_text(reading.messages[i].head, reading.kind),
            "a request means the same when written plainly");
  }
}

void check_requests(std::string_view input, const http::ParserLimits& limits) {
  const http::ReadingOptions options{.limits = limits, .ends = true};
  const http::Reading reading = read_every_way(http::Parser::Kind::request, input, options);
  for (const http::ReadMessage& message : reading.messages) {
    check_message(message, limits);
    check_body(message);
    check_host(message.head.headers, message.head.version_minor);
    check_target(message.head.target);
  }
  check_ends(reading, input, true);
  check_rewritten(reading, options);
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  const std::string_view input = fuzz::text_of(data, size);
  fuzz::check_requests(input, {});
  fuzz::check_requests(input, {.target_bytes_max = 16, .head_bytes_max = 48, .headers_max = 3});
  return 0;
}
