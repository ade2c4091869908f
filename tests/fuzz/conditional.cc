// Range, If-None-Match and If-Range, beside their grammar.
//
// The first line of an input is the value of the header, the second the size of
// the representation, or an entity-tag.
#include "http/conditional.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include "http/white_space.h"
#include "tests/fuzz/property.h"

namespace imgcached::fuzz {
namespace {

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();

// One or more digits; what is too large is the largest.
std::optional<std::uint64_t> number_of(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    number = number > (largest - digit) / 10 ? largest : number * 10 + digit;
  }
  return number;
}

// The one element of a list that is not empty (RFC 9110, section 5.6.1.2).
std::optional<std::string_view> only_element(std::string_view list) {
  std::optional<std::string_view> only;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view element = http::trimmed(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (element.empty()) continue;
    if (only) return std::nullopt;
    only = element;
  }
  return only;
}

// Whether the header asks for the byte at `at`, by RFC 9110, section 14.1.2;
// nothing if it is no single range of bytes.
std::optional<bool> asks_for(std::string_view header, std::uint64_t size, std::uint64_t at) {
  header = http::trimmed(header);
  if (header.size() < 6) return std::nullopt;
  std::string unit(header.substr(0, 6));
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  if (unit != "bytes=") return std::nullopt;
  const auto only = only_element(header.substr(6));
  if (!only) return std::nullopt;
  const std::string_view spec = *only;
  const std::size_t dash = spec.find('-');
  if (dash == spec.npos) return std::nullopt;
  const auto first = number_of(spec.substr(0, dash));
  const auto last = number_of(spec.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    return size - at <= *last;
  }
  const bool is_open = dash + 1 == spec.size();
  if (!first || (!last && !is_open) || (last && *last < *first)) return std::nullopt;
  return at >= *first && (is_open || at <= *last);
}

void check_range(std::string_view header, std::uint64_t size) {
  const http::Range range = http::resolve_range(header, size);
  switch (range.kind) {
    case http::Range::Kind::whole:
      require(size == 0 || !asks_for(header, size, 0), "what is no range is ignored");
      return;
    case http::Range::Kind::unsatisfiable:
      // The ends would be asked for, if any byte is: but for a range in between.
      if (size == 0) return;
      require(asks_for(header, size, size - 1) == false, "nothing of it is asked for");
      return;
    case http::Range::Kind::partial: break;
  }
  require(range.length > 0 && range.first < size && range.length <= size - range.first,
          "a range lies within the representation");
  const std::uint64_t last = range.first + range.length - 1;
  require(asks_for(header, size, range.first) == true && asks_for(header, size, last) == true,
          "the ends of the range are asked for");
  require(range.first == 0 || asks_for(header, size, range.first - 1) == false,
          "nothing before it is");
  require(last == size - 1 || asks_for(header, size, last + 1) == false, "nothing behind it is");
}

bool is_tag_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x21 && byte != '"' && byte != 0x7f;
}

// Takes an entity-tag off the front of `list`, without its W/.
std::optional<std::string_view> take_tag(std::string_view& list) {
  if (list.starts_with("W/")) list.remove_prefix(2);
  if (!list.starts_with('"')) return std::nullopt;
  std::size_t end = 1;
  while (end < list.size() && is_tag_character(list[end])) ++end;
  if (end == list.size() || list[end] != '"') return std::nullopt;
  const std::string_view tag = list.substr(0, end + 1);
  list.remove_prefix(end + 1);
  return tag;
}

// Whether a list of entity-tags has the tag; nothing if it is none (RFC 9110,
// sections 5.6.1 and 13.1.2).
std::optional<bool> has_tag(std::string_view list, std::string_view tag) {
  bool found = false;
  list = http::trimmed(list);
  while (!list.empty()) {
    if (list.front() != ',') {
      const auto one = take_tag(list);
      if (!one) return std::nullopt;
      found = found || *one == tag;
      list = http::trimmed_front(list);
    }
    if (list.empty()) break;
    if (list.front() != ',') return std::nullopt;
    list = http::trimmed_front(list.substr(1));
  }
  return found;
}

void check_etag(std::string_view header, std::string_view etag) {
  const bool matches = http::if_none_match(header, etag);
  const bool is_star = http::trimmed(header) == "*";
  require(!is_star || matches, "a star matches everything");
  require(!matches || is_star || header.find(etag) != header.npos, "what matches is in the header");
  if (const auto expected = has_tag(header, etag)) {
    require(matches == *expected, "a well-formed list matches by its tags");
  }
  require(http::if_range(header, etag) == (http::trimmed(header) == etag),
          "If-Range is the tag itself");
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  std::string_view rest = fuzz::text_of(data, size);
  const std::string_view header = fuzz::take_line(rest);
  std::string_view second = fuzz::take_line(rest);
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{10},
                                    fuzz::largest, fuzz::number_of(second).value_or(100)}) {
    fuzz::check_range(header, bytes);
  }
  fuzz::check_etag(header, "\"abc\"");
  const auto etag = fuzz::take_tag(second);
  if (etag && second.empty()) fuzz::check_etag(header, *etag);
  return 0;
}
