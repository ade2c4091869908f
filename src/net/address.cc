#include "net/address.h"

#include <cassert>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>

#include "net/timer.h"

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
Result<std::vector<SocketAddress>> look_up(const Address& address) {
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
  std::vector<SocketAddress> result;
  for (const addrinfo* each = found; each; each = each->ai_next) {
    std::memcpy(&result.emplace_back().storage, each->ai_addr, each->ai_addrlen);
  }
  freeaddrinfo(found);
  return result;
}

}  // namespace

// A look-up under way, and those who wait for it. Frees itself at its end, which
// need not find anybody waiting any more.
struct LookUp {
  struct Waiter {
    explicit Waiter(Loop& loop) : timer(loop) {}
    Timer timer;
    std::optional<Result<std::vector<SocketAddress>>> found;
  };

  // The one for this address, started if need be.
  static LookUp& of(Loop& loop, const Address& address) {
    for (LookUp* under_way : loop.look_ups_) {
      if (under_way->address == address) return *under_way;
    }
    auto started = std::make_unique<LookUp>(loop, address);
    loop.look_ups_.push_back(started.get());
    ++loop.live_jobs_;
    started->work.data = started.get();
    const int status = uv_queue_work(
        loop.raw(), &started->work,
        [](uv_work_t* work) {
          auto* self = static_cast<LookUp*>(work->data);
          self->found = look_up(self->address);
        },
        [](uv_work_t* work, int) { static_cast<LookUp*>(work->data)->finish(); });
    assert(status == 0);  // fails only without a callback
    (void)status;
    return *started.release();
  }

  LookUp(Loop& owner, Address asked) : loop(owner), address(std::move(asked)) {}

  void finish() {
    const std::unique_ptr<LookUp> self(this);
    --loop.live_jobs_;
    std::erase(loop.look_ups_, this);
    for (Waiter* waiter : waiters) waiter->found = found;
    for (Waiter* waiter : waiters) waiter->timer.wake();
  }

  Loop& loop;
  const Address address;
  uv_work_t work;
  Result<std::vector<SocketAddress>> found = std::vector<SocketAddress>();
  std::vector<Waiter*> waiters;
};

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
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      uv_inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], name, sizeof name);
      return {name, ntohs(v6->sin6_port)};
    }
    uv_ip6_name(v6, name, sizeof name);
    return {name, ntohs(v6->sin6_port)};
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
  uv_ip4_name(v4, name, sizeof name);
  return {name, ntohs(v4->sin_port)};
}

void SocketAddress::set_port(std::uint16_t port) {
  if (storage.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
  }
}

Task<Result<std::vector<SocketAddress>>> resolve(Loop& loop, Address address,
                                                 std::uint64_t timeout_ms) {
  SocketAddress numeric;
  if (parse_numeric(address, numeric)) co_return std::vector<SocketAddress>(1, numeric);
  LookUp& look_up = LookUp::of(loop, address);
  LookUp::Waiter waiter(loop);
  look_up.waiters.push_back(&waiter);
  const bool too_long = co_await waiter.timer.wait(timeout_ms);
  if (too_long) {
    std::erase(look_up.waiters, &waiter);
    co_return Error{Errc::timed_out, "resolving host \"" + address.host + "\" took over " +
                                         std::to_string(timeout_ms) + " ms"};
  }
  co_return std::move(*waiter.found);
}

}  // namespace imgcached::net
