#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <utility>

namespace imgcached::log {
namespace {

spdlog::logger& logger() {
  // Never destroyed: the destructors of other static objects may have something to say.
  static const auto* const instance = [] {
    auto created = spdlog::stderr_logger_mt("imgcached");
    created->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    created->flush_on(spdlog::level::trace);
    return new std::shared_ptr<spdlog::logger>(std::move(created));
  }();
  return **instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
    case Level::off: return spdlog::level::off;
  }
  return spdlog::level::off;
}

struct Character {
  std::size_t size;              // in bytes
  std::optional<char32_t> code;  // absent: a byte that belongs to no character
};

// The first character of text in UTF-8. REQUIRES: there is one.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {1, byte(0)};
  const std::size_t size = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || size > text.size()) return {1, std::nullopt};
  char32_t code = byte(0) & (0x7f >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {1, std::nullopt};
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool is_overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  if (is_overlong || is_surrogate || code > 0x10ffff) return {1, std::nullopt};
  return {size, code};
}

// C1 controls, separators of lines, and marks that reorder what stands around them.
bool is_misleading(char32_t code) {
  return (code >= 0x80 && code < 0xa0) || code == 0x061c || (code >= 0x200e && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

bool parse_level(std::string_view name, Level& level) {
  if (name == "debug") level = Level::debug;
  else if (name == "info") level = Level::info;
  else if (name == "warning") level = Level::warning;
  else if (name == "error") level = Level::error;
  else if (name == "off") level = Level::off;
  else return false;
  return true;
}

void set_level(Level level) { logger().set_level(to_spdlog(level)); }

bool enabled(Level level) { return logger().should_log(to_spdlog(level)); }

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character first = first_character(text);
    const auto byte = static_cast<unsigned char>(text.front());
    if (!first.code || byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (byte == '"' || byte == '\\') {
      out += {'\\', text.front()};
    } else if (is_misleading(*first.code)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(*first.code));
    } else {
      out += text.substr(0, first.size);
    }
    text.remove_prefix(first.size);
  }
  return out;
}

void write(Level level, std::string_view line) { logger().log(to_spdlog(level), line); }

}  // namespace imgcached::log
