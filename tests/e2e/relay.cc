#include "tests/e2e/relay.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/random.h"

namespace imgcached::e2e {
namespace {

using Kind = Relay::Fault::Kind;

constexpr int drip_ms = 20;
constexpr std::uint64_t noise_seed = 1;

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

template <class Address>
const sockaddr* generic(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

}  // namespace

// A client and the server it talks to.
class Relay::Pair {
 public:
  Pair(int client, int server) : client_(client), server_(server) {}
  ~Pair() {
    ::close(client_);
    if (server_ >= 0) ::close(server_);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  int client() const { return client_; }
  int server() const { return server_; }
  // When it has to be looked at though nothing comes; 0: never.
  std::uint64_t due_ms() const { return due_ms_; }
  bool wants_to_write() const { return !to_client_.empty() && due_ms_ == 0; }

  // False: it is over.
  bool take_from_client(const Fault& fault) {
    const std::string bytes = receive(client_);
    if (bytes.empty()) return false;
    if (fault.kind != Kind::answer) return send_all(server_, bytes);
    for (std::size_t i = count_of(bytes, " HTTP/1.1\r\n"); i > 0; --i) to_client_ += fault.text;
    is_repeating_ = fault.then == Then::repeat_for_ever;
    return true;
  }
  bool take_from_server(const Fault& fault, std::size_t passed_before) {
    std::string bytes = receive(server_);
    if (bytes.empty()) return false;
    const std::size_t good =
        std::min(bytes.size(), fault.bytes - std::min(fault.bytes, passed_before));
    if (fault.kind == Kind::cut && good < bytes.size()) {
      send_all(client_, std::string_view(bytes).substr(0, good));
      return false;
    }
    if (fault.kind == Kind::garble) {
      for (std::size_t i = good; i < bytes.size(); ++i) bytes[i] = static_cast<char>(noise_.next());
    }
    taken_ = bytes.size();
    to_client_ += bytes;
    if (fault.kind == Kind::delay)
      due_ms_ = monotonic_ms() + static_cast<std::uint64_t>(fault.pause_ms);
    return true;
  }
  std::size_t take_count() { return std::exchange(taken_, 0); }

  bool give_to_client(const Fault& fault) {
    if (due_ms_ > monotonic_ms()) return true;
    due_ms_ = 0;
    if (to_client_.empty()) return true;
    const bool drips = fault.kind == Kind::answer && fault.then == Then::drip;
    const std::size_t size = drips ? 1 : to_client_.size();
    const ssize_t sent = ::send(client_, to_client_.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN;
    to_client_.erase(0, static_cast<std::size_t>(sent));
    if (drips) due_ms_ = monotonic_ms() + drip_ms;
    if (!to_client_.empty()) return true;
    if (is_repeating_ && fault.then == Then::repeat_for_ever) to_client_ = fault.text;
    return fault.kind != Kind::answer || fault.then != Then::close;
  }

 private:
  static std::string receive(int socket) {
    std::array<char, 65536> chunk;
    const ssize_t count = ::recv(socket, chunk.data(), chunk.size(), 0);
    return {chunk.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
  }
  static bool send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  int client_;
  int server_;
  std::string to_client_;
  std::uint64_t due_ms_ = 0;
  std::size_t taken_ = 0;
  bool is_repeating_ = false;
  Random noise_{noise_seed};
};

Relay::Relay(const std::string& server_socket)
    : server_socket_(server_socket), socket_(directory_.path() + "/socket") {
  const sockaddr_un address = unix_address(socket_);
  start(generic(address), sizeof address);
}

Relay::Relay(std::uint16_t server_port) : server_port_(server_port) {
  sockaddr_in address = loopback_address(0);
  socklen_t size = sizeof address;
  start(generic(address), size);
  REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
}

void Relay::start(const sockaddr* address, socklen_t size) {
  listener_ = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(listener_, address, size) == 0);
  REQUIRE(::listen(listener_, 128) == 0);
  wake_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread(&Relay::run, this);
}

Relay::~Relay() {
  ends_ = true;
  ::eventfd_write(wake_, 1);
  thread_.join();
  ::close(listener_);
  ::close(wake_);
}

void Relay::spoil(Fault fault) {
  {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
    server_bytes_ = 0;
  }
  ::eventfd_write(wake_, 1);
}

Relay::Fault Relay::fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

int Relay::connect_to_server() const {
  const int server = ::socket(server_port_ ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in port = loopback_address(server_port_);
  const sockaddr_un path = unix_address(server_socket_);
  const int failed = server_port_ ? ::connect(server, generic(port), sizeof port)
                                  : ::connect(server, generic(path), sizeof path);
  if (!failed) return server;
  ::close(server);
  return -1;
}

void Relay::accept_one() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = connect_to_server();
  if (server >= 0) {
    pairs_.push_back(std::make_unique<Pair>(client, server));
  } else {
    ::close(client);
  }
}

void Relay::run() {
  while (!ends_) {
    const bool passes = fault().kind != Kind::swallow;
    std::vector<pollfd> polled{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    std::uint64_t due_ms = 0;
    for (const auto& pair : pairs_) {
      const short writing = pair->wants_to_write() ? POLLOUT : 0;
      polled.push_back({passes ? pair->client() : -1, static_cast<short>(POLLIN | writing), 0});
      polled.push_back({passes ? pair->server() : -1, POLLIN, 0});
      if (pair->due_ms() && (!due_ms || pair->due_ms() < due_ms)) due_ms = pair->due_ms();
    }
    const std::uint64_t now_ms = monotonic_ms();
    const int wait_ms = due_ms ? static_cast<int>(due_ms - std::min(due_ms, now_ms)) : -1;
    ::poll(polled.data(), polled.size(), wait_ms);

    eventfd_t count;
    if (polled[0].revents) ::eventfd_read(wake_, &count);
    const Fault fault = this->fault();  // whoever set it may have sent something since
    std::vector<std::unique_ptr<Pair>> left;
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      Pair& pair = *pairs_[i];
      bool lives = true;
      if (passes && fault.kind != Kind::swallow) {
        if (polled[2 + 2 * i].revents & (POLLIN | POLLHUP)) lives = pair.take_from_client(fault);
        if (lives && polled[3 + 2 * i].revents) {
          lives = pair.take_from_server(fault, server_bytes_);
          server_bytes_ += pair.take_count();
        }
        if (lives) lives = pair.give_to_client(fault);
      }
      if (lives) left.push_back(std::move(pairs_[i]));
    }
    pairs_ = std::move(left);
    if (polled[1].revents) accept_one();
  }
  pairs_.clear();
}

}  // namespace imgcached::e2e
