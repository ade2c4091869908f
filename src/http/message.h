// HTTP messages: what the parser produces and the serializer writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/blob.h"
#include "http/headers.h"

namespace imgcached::http {

enum class Method { get, head, post, put, delete_, options, other };

std::string_view to_string(Method method);

// True when the comma-separated list `value` has the token, as in
// `Connection: keep-alive, Upgrade`.
bool has_token(std::string_view value, std::string_view token);

// The head of a request or a response, as parsed.
struct MessageHead {
  Method method = Method::other;  // requests
  std::string target;             // requests: as sent, still encoded
  int status = 0;                 // responses
  int version_minor = 1;          // HTTP/1.x
  Headers headers;
  bool keep_alive = false;
  bool chunked = false;
  std::optional<std::uint64_t> content_length;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  // For the next message, in the same memory.
  void clear() {
    MessageHead next;
    next.target = std::move(target);
    next.target.clear();
    next.headers = std::move(headers);
    next.headers.clear();
    *this = std::move(next);
  }
};

// Bytes in base64 between two texts, as a JSON answer holds an image. They are
// encoded while they are sent, so that a slow reader holds no copy of his own.
struct Base64Body {
  std::string before;
  Blob bytes;
  std::string after;
};

// The bytes of a message: text made for it, a shared Blob, or one in base64.
class Body {
 public:
  Body() = default;
  Body(std::string text) : content_(std::move(text)) {}
  Body(const char* text) : content_(std::string(text)) {}
  Body(Blob blob) : content_(std::move(blob)) {}
  Body(Base64Body encoded) : content_(std::move(encoded)) {}

  std::size_t size() const;
  // The next piece, of bytes_max at most, to be taken from 0 to the end: `offset` is
  // the size of the former pieces together. What has to be made is made in `buffer`.
  // Valid until either changes. REQUIRES: bytes_max >= 4.
  std::string_view piece(std::size_t offset, std::size_t bytes_max, TextBuffer& buffer) const;
  // Whether all of it lies in a Blob's pages, see Blob::is_mapped().
  bool is_mapped() const {
    const auto* blob = std::get_if<Blob>(&content_);
    return blob && blob->is_mapped();
  }
  // What it keeps in memory: its own bytes, and those that it has in common with all
  // bodies made from the same Blob.
  struct Memory {
    const void* shared = nullptr;
    std::size_t shared_bytes = 0;
    std::size_t own_bytes = 0;
  };
  Memory memory() const;
  // REQUIRES: not in base64.
  std::string_view view() const {
    if (const auto* text = std::get_if<std::string>(&content_)) return *text;
    return std::get<Blob>(content_).view();
  }

 private:
  std::variant<std::string, Blob, Base64Body> content_;
};

struct Response {
  int status = 200;
  Headers headers;
  Body body;
  // A part of the body, for 206; the whole when not set. REQUIRES: it lies within.
  struct Part {
    std::size_t offset = 0;
    std::size_t size = 0;
  };
  std::optional<Part> part;

  // What is sent of the body.
  Part payload() const { return part.value_or(Part{0, body.size()}); }
};

// A response with a body of that type.
Response make_response(int status, std::string_view content_type, Body body);

// The head of a response as it goes over the wire, for a payload of
// `content_length` bytes. 204 and 304 announce none.
//
// Every response tells browsers to take it for nothing but its Content-Type, to
// show it in no frame and to send no Referer from it; and one that has no
// Content-Security-Policy of its own, that it may load and run nothing.
TextBuffer serialize_head(const Response& response, std::uint64_t content_length, int version_minor,
                          bool keep_alive, std::string_view date);

}  // namespace imgcached::http
