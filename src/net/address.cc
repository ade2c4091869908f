#include "net/address.h"

#include <charconv>
#include <cstring>

#include "net/offload.h"

namespace imgcached::net {
namespace {

bool parse_numeric(const Address& address, SocketAddress& out) {
  if (uv_ip4_addr(address.host.c_str(), address.port,
                  reinterpret_cast<sockaddr_in*>(&out.storage)) == 0) {
    return true;
  }
  return uv_ip6_addr(address.host.c_str(), address.port,
                     reinterpret_cast<sockaddr_in6*>(&out.storage)) == 0;
}

// Blocks: for the thread pool.
Result<SocketAddress> look_up(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const int status = getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
  if (status != 0) {
    return Error{Errc::unavailable,
                 "cannot resolve host \"" + address.host + "\": " + gai_strerror(status)};
  }
  SocketAddress result;
  std::memcpy(&result.storage, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return result;
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  const Error bad{Errc::invalid_argument, "\"" + std::string(text) +
                                              "\" is no address: write host:port, such as "
                                              "127.0.0.1:5000 or [::1]:5000"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return bad;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.front() == '[') {
    if (host.back() != ']' || host.size() < 3) return bad;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad;
  }
  Address address{std::string(host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return bad;
  return address;
}

std::string Address::text() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address SocketAddress::address() const {
  char name[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    uv_ip6_name(v6, name, sizeof name);
    return {name, ntohs(v6->sin6_port)};
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
  uv_ip4_name(v4, name, sizeof name);
  return {name, ntohs(v4->sin_port)};
}

Task<Result<SocketAddress>> resolve(Loop& loop, Address address) {
  SocketAddress numeric;
  if (parse_numeric(address, numeric)) co_return numeric;
  auto job = [&address] { return look_up(address); };
  Result<SocketAddress> found = co_await offload(loop, job);
  co_return found;
}

}  // namespace imgcached::net
