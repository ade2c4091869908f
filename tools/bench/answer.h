// How an answer tells its own length, in the three protocols of the benchmarks.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace imgcached::bench {

enum class Protocol {
  http,       // HTTP/1.1 with Content-Length
  memcached,  // the text protocol, one key
  redis,      // RESP, one bulk string
};

std::optional<Protocol> parse_protocol(std::string_view word);

struct Answer {
  std::size_t bytes;  // all of it, its head included
  bool is_success;    // 2xx and 304; a value that was found
};

// What `received`, the beginning of an answer, says of the whole; nothing while
// that can't be told. An answer that is none of the protocol's is no success,
// and as long as what has come.
std::optional<Answer> measure(Protocol protocol, std::string_view received);

}  // namespace imgcached::bench
