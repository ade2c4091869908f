#include "tools/bench/answer.h"

#include <charconv>

namespace imgcached::bench {
namespace {

constexpr std::string_view line_end = "\r\n";

// The number that `text` begins with.
std::optional<std::size_t> number_at(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

Answer no_answer(std::string_view received) { return {received.size(), false}; }

std::optional<Answer> measure_http(std::string_view received) {
  constexpr std::string_view version = "HTTP/1.1 ", length = "\r\nContent-Length: ";
  const std::size_t end = received.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view head = received.substr(0, end);
  if (!head.starts_with(version)) return no_answer(received);
  const std::size_t status = number_at(head.substr(version.size())).value_or(0);
  const std::size_t length_at = head.find(length);
  std::size_t body = 0;
  if (status != 304 && length_at != std::string_view::npos) {
    body = number_at(head.substr(length_at + length.size())).value_or(0);
  }
  return Answer{end + 4 + body, status / 100 == 2 || status == 304};
}

// "VALUE <key> <flags> <bytes>\r\n<data>\r\nEND\r\n"
std::optional<Answer> measure_memcached(std::string_view received) {
  constexpr std::size_t after_data = std::string_view("\r\nEND\r\n").size();
  const std::size_t end = received.find(line_end);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = received.substr(0, end);
  if (!line.starts_with("VALUE ")) return no_answer(received);
  const auto data = number_at(line.substr(line.rfind(' ') + 1));
  if (!data) return no_answer(received);
  return Answer{end + line_end.size() + *data + after_data, true};
}

// "$<bytes>\r\n<data>\r\n"
std::optional<Answer> measure_redis(std::string_view received) {
  const std::size_t end = received.find(line_end);
  if (end == std::string_view::npos) return std::nullopt;
  const auto data = received.starts_with('$') ? number_at(received.substr(1)) : std::nullopt;
  if (!data) return no_answer(received);
  return Answer{end + line_end.size() + *data + line_end.size(), true};
}

}  // namespace

std::optional<Protocol> parse_protocol(std::string_view word) {
  if (word == "http") return Protocol::http;
  if (word == "memcached") return Protocol::memcached;
  if (word == "redis") return Protocol::redis;
  return std::nullopt;
}

std::optional<Answer> measure(Protocol protocol, std::string_view received) {
  switch (protocol) {
    case Protocol::http: return measure_http(received);
    case Protocol::memcached: return measure_memcached(received);
    case Protocol::redis: return measure_redis(received);
  }
  return std::nullopt;
}

}  // namespace imgcached::bench
