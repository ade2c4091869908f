// Conditional and range requests (RFC 9110, sections 13 and 14): the decisions,
// as functions of header values.
//
// Every ETag of this program is strong: it is made from the digest of the
// bytes. An `etag` argument is the whole entity-tag, quotes included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/blob.h"
#include "http/message.h"

namespace imgcached::http {

// The entity-tag that is made of a digest, or of its hexadecimal digits.
std::string entity_tag(const Digest& digest);
std::string entity_tag(std::string_view digest_hex);

// Whether If-None-Match names `etag` (or is `*`), compared weakly: then the
// answer is 304. What is malformed matches nothing.
bool if_none_match(std::string_view header, std::string_view etag);

// Whether If-Match names `etag` (or is `*`), strongly compared.
bool if_match(std::string_view header, std::string_view etag);

// Whether there is a condition on changing what is there, and whether it holds:
// `etag` is of what is there now, absent when there is nothing. If not: 412.
bool has_precondition(const Headers& headers);
bool precondition_holds(const Headers& headers, std::optional<std::string_view> etag);

// Whether If-Range lets a Range count: the header must be just `etag`, strongly
// compared. A date never matches, for we send no Last-Modified with an image.
bool if_range(std::string_view header, std::string_view etag);

// What a Range header asks of a representation.
struct Range {
  enum class Kind {
    whole,          // 200: no range we understand, or several at once
    partial,        // 206 with `length` bytes from `first`
    unsatisfiable,  // 416: it lies outside of the representation
  };
  Kind kind = Kind::whole;
  std::uint64_t first = 0;
  std::uint64_t length = 0;

  friend bool operator==(const Range&, const Range&) = default;
};

// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n`, also as a list of which all else
// is empty, against a representation of `size` bytes, as section 14.2 wants it:
// what is not well-formed is ignored.
Range resolve_range(std::string_view header, std::uint64_t size);

// The time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
// REQUIRES: the year has four digits.
std::string http_date(std::int64_t unix_seconds);

}  // namespace imgcached::http
