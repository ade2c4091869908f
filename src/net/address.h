// Where to listen or to connect to: a host and a port.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "net/loop.h"

namespace imgcached::net {

struct Address {
  std::string host;  // a name or a numeric address, IPv6 without brackets
  std::uint16_t port = 0;

  // Understands `host:port` and `[v6]:port`; an empty host is an error.
  static Result<Address> parse(std::string_view text);
  // As parse() reads it.
  std::string text() const;

  friend bool operator==(const Address&, const Address&) = default;
};

// An address as the kernel wants it.
struct SocketAddress {
  sockaddr_storage storage{};

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
  Address address() const;
};

// Turns a host name into a socket address, on the thread pool (getaddrinfo
// blocks); a numeric host takes no trip.
Task<Result<SocketAddress>> resolve(Loop& loop, Address address);

}  // namespace imgcached::net
