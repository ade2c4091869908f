#include "http/url.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "http/message.h"

namespace imgcached::http {
namespace {

constexpr std::array<bool, 256> unreserved = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = table[c | 0x20] = true;
  for (const char c : {'-', '.', '_', '~'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

// Of a host's name: what a URL may have there, but for the comma, which would
// make a list of a Host field.
constexpr std::array<bool, 256> of_host_names = [] {
  std::array<bool, 256> table = unreserved;
  for (const char c : {'%', '!', '$', '&', '\'', '(', ')', '*', '+', ';', '='}) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

bool is_of_ip_literal(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
         c == '.';
}

// The digit's value, or -1.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

enum class Plus { itself, space };

// `offset` is where `text` stands in what the client sent, for the error.
Result<std::string> decode(std::string_view text, Plus plus, std::size_t offset) {
  if (text.find('%') == text.npos && plus == Plus::itself) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '+' && plus == Plus::space) {
      out += ' ';
    } else if (c != '%') {
      out += c;
    } else {
      const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Error{Errc::invalid_argument,
                     fmt::format("bad percent escape at byte {}: write % and two hexadecimal "
                                 "digits, and a percent sign itself as %25",
                                 offset + i)};
      }
      out += static_cast<char>(high << 4 | low);
      i += 2;
    }
  }
  return out;
}

std::string encode(std::string_view text, bool keep_slash) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (unreserved[byte] || (c == '/' && keep_slash)) {
      out += c;
    } else {
      out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return out;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text) { return decode(text, Plus::itself, 0); }

std::string percent_encode(std::string_view text) { return encode(text, false); }

std::string percent_encode_path(std::string_view text) { return encode(text, true); }

std::optional<Authority> split_authority(std::string_view text) {
  constexpr std::size_t port_digits_max = 5;
  const bool is_literal = text.starts_with('[');
  const auto host_end = is_literal ? text.find(']') : std::min(text.find(':'), text.size());
  if (host_end == text.npos || host_end == 0) return std::nullopt;
  const std::string_view host = text.substr(0, host_end + (is_literal ? 1 : 0));
  const std::string_view name = is_literal ? host.substr(1, host.size() - 2) : host;
  const bool is_host = !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_literal ? is_of_ip_literal(c) : of_host_names[static_cast<unsigned char>(c)];
  });
  if (!is_host) return std::nullopt;
  std::string_view port = text.substr(host.size());
  if (port.empty()) return Authority{host, {}};
  if (port.front() != ':') return std::nullopt;
  port.remove_prefix(1);
  const bool is_port =
      port.size() <= port_digits_max &&
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_port) return std::nullopt;
  return Authority{host, port};
}

Result<Target> split_target(std::string_view target) {
  if (target == "*") return Target{target, {}, {}};
  if (const auto hash = target.find('#'); hash != target.npos) {
    return Error{Errc::invalid_argument,
                 fmt::format("'#' at byte {} of the request target: write it as %23", hash)};
  }
  std::string_view authority;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    authority = target.substr(0, target.find_first_of("/?"));
    if (!split_authority(authority)) {
      return Error{Errc::invalid_argument,
                   "the request target is a URL without a plain host and an optional port"};
    }
    target.remove_prefix(authority.size());
    if (target.empty() || target.front() == '?') {
      return Target{"/", target.substr(std::min<std::size_t>(1, target.size())), authority};
    }
    break;
  }
  if (target.empty() || target.front() != '/') {
    return Error{Errc::invalid_argument,
                 "the request target must be a path that starts with '/', or an http URL"};
  }
  const auto question = target.find('?');
  if (question == target.npos) return Target{target, {}, authority};
  return Target{target.substr(0, question), target.substr(question + 1), authority};
}

std::string_view collapse_leading_slashes(std::string_view path) {
  while (path.starts_with("//")) path.remove_prefix(1);
  return path;
}

std::optional<std::string_view> Form::find(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (field == name) return value;
  }
  return std::nullopt;
}

Result<Form> parse_form(std::string_view text) {
  std::vector<Form::Field> fields;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('&', begin), text.size());
    const std::string_view field = text.substr(begin, end - begin);
    if (!field.empty()) {
      if (fields.size() == Form::fields_max) {
        return Error{Errc::too_large,
                     fmt::format("the form has more than {} fields", Form::fields_max)};
      }
      const auto equals = std::min(field.find('='), field.size());
      const auto value_at = std::min(equals + 1, field.size());
      auto name = decode(field.substr(0, equals), Plus::space, begin);
      if (!name) return std::move(name).error();
      auto value = decode(field.substr(value_at), Plus::space, begin + value_at);
      if (!value) return std::move(value).error();
      fields.emplace_back(*std::move(name), *std::move(value));
    }
    begin = end + 1;
  }
  return Form(std::move(fields));
}

Result<std::size_t> parse_limit(std::string_view text, std::size_t otherwise, std::size_t most) {
  if (text.empty()) return otherwise;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool beyond_all = error == std::errc::result_out_of_range;
  if (end != text.data() + text.size() || (number == 0 && !beyond_all)) {
    return Error{Errc::invalid_argument, "`limit` must be a whole number of at least 1"};
  }
  return beyond_all ? most : std::min(number, most);
}

}  // namespace imgcached::http
