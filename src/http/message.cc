#include "http/message.h"

#include <algorithm>

#include "http/base64.h"
#include "http/status.h"
#include "http/white_space.h"

namespace imgcached::http {
namespace {

constexpr std::string_view security_fields =
    "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n";
constexpr std::string_view inert_policy =
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";

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

std::size_t Body::size() const {
  const auto* encoded = std::get_if<Base64Body>(&content_);
  if (!encoded) return view().size();
  return encoded->before.size() + base64::encoded_size(encoded->bytes.size()) +
         encoded->after.size();
}

Body::Memory Body::memory() const {
  if (const auto* text = std::get_if<std::string>(&content_)) return {nullptr, 0, text->capacity()};
  const auto* encoded = std::get_if<Base64Body>(&content_);
  const Blob& blob = encoded ? encoded->bytes : std::get<Blob>(content_);
  const std::size_t texts = encoded ? encoded->before.capacity() + encoded->after.capacity() : 0;
  return {blob.data(), blob.size(), texts};
}

std::string_view Body::piece(std::size_t offset, std::size_t bytes_max, TextBuffer& buffer) const {
  const auto* encoded = std::get_if<Base64Body>(&content_);
  if (!encoded) return view().substr(offset, bytes_max);
  buffer.clear();
  buffer.reserve(std::min(bytes_max, size() - offset));
  // What is left of each of the three; the offset counts from its beginning.
  const auto append_text = [&](std::string_view text) {
    if (offset < text.size()) buffer.append(text.substr(offset, bytes_max - buffer.size()));
    offset -= std::min(offset, text.size());
  };
  append_text(encoded->before);
  const std::size_t encoded_size = base64::encoded_size(encoded->bytes.size());
  if (offset < encoded_size) {
    const std::size_t groups_max = (bytes_max - buffer.size()) / 4;
    const std::string_view bytes = encoded->bytes.view().substr(offset / 4 * 3, groups_max * 3);
    const std::size_t size = base64::encoded_size(bytes.size());
    base64::encode(bytes, buffer.extend(size));
    if (offset + size < encoded_size) return buffer.view();
  }
  offset -= std::min(offset, encoded_size);
  append_text(encoded->after);
  return buffer.view();
}

Response make_response(int status, std::string_view content_type, Body body) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", content_type);
  response.body = std::move(body);
  return response;
}

TextBuffer serialize_head(const Response& response, std::uint64_t content_length, int version_minor,
                          bool keep_alive, std::string_view date) {
  constexpr std::size_t other_bytes_max = 400;  // beside the fields of the response
  TextBuffer head(other_bytes_max + response.headers.wire().size());
  head.append("HTTP/1.1 ", std::to_string(response.status), " ", reason_phrase(response.status),
              "\r\nDate: ", date, "\r\n");
  if (response.status >= 200 && response.status != 204 && response.status != 304) {
    head.append("Content-Length: ", std::to_string(content_length), "\r\n");
  }
  head.append(response.headers.wire(), security_fields);
  if (!response.headers.find("Content-Security-Policy")) head.append(inert_policy);
  if (!keep_alive) {
    head.append("Connection: close\r\n");
  } else if (version_minor == 0) {
    head.append("Connection: keep-alive\r\n");
  }
  head.append("\r\n");
  return head;
}

}  // namespace imgcached::http
