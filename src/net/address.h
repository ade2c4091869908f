// Where to listen or to connect to: a host and a port.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
  // Whether only this machine can be there. REQUIRES: numeric.
  bool is_loopback() const { return host.starts_with("127.") || host == "::1"; }

  friend bool operator==(const Address&, const Address&) = default;
};

// An address as the kernel wants it.
struct SocketAddress {
  sockaddr_storage storage{};

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
  Address address() const;
  void set_port(std::uint16_t port);
};

inline constexpr std::uint64_t resolve_timeout_ms = 5'000;

// Turns a host name into its socket addresses, at least one, in the order in
// which to try them; a numeric host is one and takes no trip. Errors:
// unavailable, timed_out.
//
// getaddrinfo blocks for as long as it likes and can't be interrupted, so it
// runs on the thread pool and may outlive whoever waits for it. There is one
// such job for a name at a time, which all who ask for it share: a name server
// that is silent takes one thread, not the pool. The loop counts the job and
// does not end before it has.
Task<Result<std::vector<SocketAddress>>> resolve(Loop& loop, Address address,
                                                 std::uint64_t timeout_ms = resolve_timeout_ms);

}  // namespace imgcached::net
