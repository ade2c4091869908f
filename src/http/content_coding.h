// Content codings (RFC 9110, section 8.4): gzip, the one that every client has; and what
// else a client accepts.
//
// Bytes in a coding are a representation of their own, with an ETag of its own;
// an answer that depends on what the client accepts says `Vary: Accept-Encoding`, or
// `Vary: Accept`.
#pragma once

#include <string>
#include <string_view>

namespace imgcached::http {

// Whether the value of Accept-Encoding lets an answer come in gzip. A client that
// sends none has not asked for it.
bool accepts_gzip(std::string_view accept_encoding);

// Whether the value of Accept names the media type, and not to refuse it. That it takes anything
// (`*/*`) is no wish for this one.
bool accepts_type(std::string_view accept, std::string_view type);

// As small as zlib makes it, which takes some 20 ms for 100 KB: for start-up.
std::string gzip(std::string_view bytes);

}  // namespace imgcached::http
