#include "http/message.h"

#include <algorithm>

#include "http/status.h"
#include "http/white_space.h"

namespace imgcached::http {
namespace {

constexpr std::string_view security_fields =
    "\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer";
constexpr std::string_view inert_policy =
    "\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'";

void append_value(std::string& head, std::string_view value) {
  const auto begin = static_cast<std::ptrdiff_t>(head.size());
  head += value;
  std::replace_if(
      head.begin() + begin, head.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::delete_: return "DELETE";
    case Method::options: return "OPTIONS";
    case Method::other: return "other";
  }
  return "other";
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool has_token(std::string_view value, std::string_view token) {
  while (true) {
    const std::size_t comma = value.find(',');
    if (equals_ignoring_case(trimmed(value.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    value.remove_prefix(comma + 1);
  }
}

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(fields_,
                [&](const Field& field) { return equals_ignoring_case(field.first, name); });
  add(std::string(name), std::move(value));
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (equals_ignoring_case(field.first, name)) return field.second;
  }
  return std::nullopt;
}

std::optional<std::string> Headers::joined(std::string_view name) const {
  std::optional<std::string> list;
  for (const auto& [other, value] : fields_) {
    if (!equals_ignoring_case(other, name)) continue;
    if (list) list->append(", ").append(value);
    else list = value;
  }
  return list;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(),
                    [&](const Field& field) { return equals_ignoring_case(field.first, name); }));
}

Response make_response(int status, std::string content_type, Body body) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", std::move(content_type));
  response.body = std::move(body);
  return response;
}

std::string serialize_head(const Response& response, std::uint64_t content_length,
                           int version_minor, bool keep_alive, std::string_view date) {
  std::string head;
  head.reserve(512);
  head += "HTTP/1.1 ";
  head += std::to_string(response.status);
  head += ' ';
  head += reason_phrase(response.status);
  head += "\r\nDate: ";
  head += date;
  if (response.status >= 200 && response.status != 204 && response.status != 304) {
    head += "\r\nContent-Length: ";
    head += std::to_string(content_length);
  }
  for (const auto& [name, value] : response.headers) {
    head += "\r\n";
    head += name;
    head += ": ";
    append_value(head, value);
  }
  head += security_fields;
  if (!response.headers.find("Content-Security-Policy")) head += inert_policy;
  if (!keep_alive) {
    head += "\r\nConnection: close";
  } else if (version_minor == 0) {
    head += "\r\nConnection: keep-alive";
  }
  head += "\r\n\r\n";
  return head;
}

}  // namespace imgcached::http
