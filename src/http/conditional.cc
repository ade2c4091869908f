#include "http/conditional.h"

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <chrono>
#include <limits>
#include <optional>

#include "http/message.h"
#include "http/white_space.h"

namespace imgcached::http {
namespace {

// A number of any length; what does not fit is as good as the largest one,
// because no representation is that long.
std::optional<std::uint64_t> parse_position(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::numeric_limits<std::uint64_t>::max();
  return value;
}

enum class Comparison { strong, weak };

// Whether the list of entity-tags names `etag`, or is `*`.
bool names(std::string_view list, std::string_view etag, Comparison comparison) {
  list = trimmed(list);
  if (list == "*") return true;
  while (true) {
    list.remove_prefix(std::min(list.find_first_not_of(" \t,"), list.size()));
    const bool is_weak = list.starts_with("W/");
    if (is_weak) list.remove_prefix(2);
    if (!list.starts_with('"')) return false;
    const auto close = list.find('"', 1);
    if (close == list.npos) return false;
    const bool counts = comparison == Comparison::weak || !is_weak;
    if (counts && list.substr(0, close + 1) == etag) return true;
    list = trimmed(list.substr(close + 1));
    if (!list.starts_with(',')) return false;
  }
}

// The only element of a list that is not empty; nothing when there are several.
std::optional<std::string_view> only_element(std::string_view list) {
  std::optional<std::string_view> found;
  while (true) {
    const auto comma = list.find(',');
    const std::string_view element = trimmed(list.substr(0, comma));
    if (!element.empty() && found) return std::nullopt;
    if (!element.empty()) found = element;
    if (comma == list.npos) return found;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string entity_tag(const Digest& digest) {
  std::string tag(Digest::hex_digits + 2, '"');
  digest.write_hex(tag.data() + 1);
  return tag;
}

std::string entity_tag(std::string_view digest_hex) {
  std::string tag(digest_hex.size() + 2, '"');
  std::copy(digest_hex.begin(), digest_hex.end(), tag.begin() + 1);
  return tag;
}

bool if_none_match(std::string_view header, std::string_view etag) {
  return names(header, etag, Comparison::weak);
}

bool if_match(std::string_view header, std::string_view etag) {
  return names(header, etag, Comparison::strong);
}

bool has_precondition(const Headers& headers) {
  return headers.find("If-Match") || headers.find("If-None-Match");
}

bool precondition_holds(const Headers& headers, std::optional<std::string_view> etag) {
  const auto wanted = headers.joined("If-Match");
  if (wanted && !(etag && if_match(*wanted, *etag))) return false;
  const auto unwanted = headers.joined("If-None-Match");
  return !(unwanted && etag && if_none_match(*unwanted, *etag));
}

bool if_range(std::string_view header, std::string_view etag) {
  return !etag.starts_with("W/") && trimmed(header) == etag;
}

Range resolve_range(std::string_view header, std::uint64_t size) {
  constexpr Range whole;
  constexpr Range unsatisfiable{Range::Kind::unsatisfiable, 0, 0};
  header = trimmed(header);
  const auto equals = header.find('=');
  if (equals == header.npos || !equals_ignoring_case(header.substr(0, equals), "bytes")) {
    return whole;
  }
  const auto only = only_element(header.substr(equals + 1));
  if (!only) return whole;
  const std::string_view spec = *only;
  const auto dash = spec.find('-');
  if (dash == spec.npos) return whole;

  const auto second = parse_position(spec.substr(dash + 1));
  if (dash == 0) {  // the last `second` bytes
    if (!second) return whole;
    if (*second == 0) return unsatisfiable;
    if (size == 0) return whole;  // satisfiable, but no Content-Range can say it
    const auto length = std::min(*second, size);
    return {Range::Kind::partial, size - length, length};
  }
  const auto first = parse_position(spec.substr(0, dash));
  const bool open = dash + 1 == spec.size();
  if (!first || (!second && !open) || (second && *second < *first)) return whole;
  if (*first >= size) return unsatisfiable;
  const auto last = std::min(second.value_or(size - 1), size - 1);
  return {Range::Kind::partial, *first, last - *first + 1};
}

std::string http_date(std::int64_t unix_seconds) {
  // Names of our own: the C library's follow the locale.
  static constexpr const char* day_names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  using namespace std::chrono;
  const sys_seconds time{seconds{unix_seconds}};
  const auto midnight = floor<days>(time);
  const year_month_day date{midnight};
  const hh_mm_ss clock{time - midnight};
  const int year = static_cast<int>(date.year());
  assert(year >= 0 && year <= 9999);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     day_names[weekday{midnight}.c_encoding()], static_cast<unsigned>(date.day()),
                     month_names[static_cast<unsigned>(date.month()) - 1], year,
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace imgcached::http
