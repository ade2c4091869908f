#include "http/message.h"

#include <algorithm>

#include "http/base64.h"
#include "http/status.h"
#include "http/white_space.h"

namespace imgcached::http {
namespace {

constexpr std::string_view security_fields =
    "\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer";
constexpr std::string_view inert_policy =
    "\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'";

void append_value(std::string& head, std::string_view value) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  const auto begin = static_cast<std::ptrdiff_t>(head.size());
  head += value;
  if (std::none_of(value.begin(), value.end(), is_control)) return;
  std::replace_if(head.begin() + begin, head.end(), is_control, ' ');
}

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

std::size_t Body::size() const {
  const auto* encoded = std::get_if<Base64Body>(&content_);
  if (!encoded) return view().size();
  return encoded->before.size() + base64::encoded_size(encoded->bytes.size()) +
         encoded->after.size();
}

std::string_view Body::piece(std::size_t offset, std::size_t bytes_max, std::string& buffer) const {
  const auto* encoded = std::get_if<Base64Body>(&content_);
  if (!encoded) return view().substr(offset, bytes_max);
  buffer.clear();
  buffer.reserve(std::min(bytes_max, size() - offset));
  // What is left of each of the three; the offset counts from its beginning.
  const auto append_text = [&](std::string_view text) {
    if (offset < text.size()) buffer += text.substr(offset, bytes_max - buffer.size());
    offset -= std::min(offset, text.size());
  };
  append_text(encoded->before);
  const std::size_t encoded_size = base64::encoded_size(encoded->bytes.size());
  if (offset < encoded_size) {
    const std::size_t groups_max = (bytes_max - buffer.size()) / 4;
    const std::string_view bytes = encoded->bytes.view().substr(offset / 4 * 3, groups_max * 3);
    const std::size_t begin = buffer.size();
    buffer.resize(begin + base64::encoded_size(bytes.size()));
    base64::encode(bytes, buffer.data() + begin);
    if (offset + buffer.size() - begin < encoded_size) return buffer;
  }
  offset -= std::min(offset, encoded_size);
  append_text(encoded->after);
  return buffer;
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
