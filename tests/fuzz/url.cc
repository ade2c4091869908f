// URLs: escapes, request targets, forms, and the way of a key into a path and
// back.
#include "http/url.h"

#include <algorithm>
#include <optional>
#include <string>

#include "cache/key.h"
#include "pages/raw_images.h"
#include "tests/fuzz/property.h"

namespace imgcached::fuzz {
namespace {

std::optional<int> hex_digit(char c) {
  constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
  const std::size_t at = digits.find(c);
  if (at == digits.npos) return std::nullopt;
  return static_cast<int>(at % 16);
}

// Percent escapes by their definition (RFC 3986, section 2.1).
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.front() != '%') {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    if (text.size() < 3 || !hex_digit(text[1]) || !hex_digit(text[2])) return std::nullopt;
    out += static_cast<char>(*hex_digit(text[1]) * 16 + *hex_digit(text[2]));
    text.remove_prefix(3);
  }
  return out;
}

void check_escapes(std::string_view text) {
  const Result<std::string> plain = http::percent_decode(text);
  const auto expected = decoded(text);
  require(plain.ok() == expected.has_value() && (!plain || *plain == *expected),
          "escapes mean what they are defined to mean");

  const std::string segment = http::percent_encode(text);
  constexpr std::string_view reserved = ":/?#[]@!$&'()*+,;= \"<>\\^`{|}";
  require(std::none_of(
              segment.begin(), segment.end(),
              [&](char c) { return c <= ' ' || c == 0x7f || reserved.find(c) != reserved.npos; }),
          "an encoded text is one segment");
  const std::string path = http::percent_encode_path(text);
  require(std::count(path.begin(), path.end(), '/') == std::count(text.begin(), text.end(), '/'),
          "a path keeps its slashes");
  for (const std::string& encoded : {segment, path}) {
    const Result<std::string> back = http::percent_decode(encoded);
    require(back && *back == text, "what was encoded is decoded");
  }
}

void check_target(std::string_view text) {
  const Result<http::Target> target = http::split_target(text);
  if (!target) return;
  const auto [path, query, authority] = *target;
  require(authority.empty() || http::split_authority(authority), "an authority is one");
  require(path == "*" || path.starts_with('/'), "a path begins with a slash");
  require(path.find_first_of("?#") == path.npos && query.find('#') == query.npos,
          "path and query are apart, and without a fragment");
  require(path == "*" || path == "/" || text.find(path) != text.npos,
          "a path is part of its target");
  require(query.empty() || text.ends_with(query), "the query ends the target");
  const std::string_view collapsed = http::collapse_leading_slashes(path);
  require(path.ends_with(collapsed) && !collapsed.starts_with("//") &&
              collapsed.starts_with('/') == path.starts_with('/'),
          "slashes at the start are one");
}

void check_form(std::string_view text) {
  const Result<http::Form> form = http::parse_form(text);
  if (!form) return;
  require(form->fields().size() <= http::Form::fields_max, "fields have their limit");
  std::string written;
  for (const auto& [name, value] : form->fields()) {
    require(form->find(name).has_value(), "a field is found by its name");
    written += http::percent_encode(name) + '=' + http::percent_encode(value) + '&';
  }
  const Result<http::Form> again = http::parse_form(written);
  require(again && again->fields() == form->fields(), "a form that was written is read");
}

void check_limit(std::string_view text) {
  constexpr std::size_t most = 1000;
  const Result<std::size_t> limit = http::parse_limit(text, 7, most);
  require(!limit || (*limit >= 1 && *limit <= most), "a limit is from 1 to the most");
  require(limit || !text.empty(), "no limit is not wrong");
}

// A client follows the URL of an image and comes to the key that it was made of,
// and no client on the way makes another path of it.
void check_image_url(std::string_view key) {
  if (!cache::validate_key(key)) return;
  const std::string url = pages::raw_image_url(key);
  const Result<http::Target> target = http::split_target(url);
  require(target.ok(), "the URL of an image is a request target");
  const Result<std::string> path = http::percent_decode(target->path);
  require(path.ok(), "its path can be decoded");
  if (*path == "/images") {
    const Result<http::Form> query = http::parse_form(target->query);
    require(query && query->find("key") == key, "the query has the key");
    return;
  }
  require(*path == "/images/" + std::string(key), "the path has the key");
  const std::string segments = url + '/';
  for (const char* const segment : {"//", "/./", "/../"}) {
    require(segments.find(segment) == std::string::npos, "nothing of the path can be left out");
  }
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  const fuzz::ExactCopy copy(data, size);
  const std::string_view text = copy.text();
  fuzz::check_escapes(text);
  fuzz::check_target(text);
  fuzz::check_form(text);
  fuzz::check_limit(text);
  fuzz::check_image_url(text);
  return 0;
}
