// The client of the benchmarks: asks one server for the same thing over and over.
//
//   bench-client PROTOCOL HOST:PORT CONNECTIONS SECONDS REQUEST_FILE
//
// A closed loop on one thread: each connection sends its next request when it
// has the whole of the last answer. It is one client for all servers, and so
// plain that it is not what is measured: a request is bytes that were prepared,
// an answer is counted off, and nothing of it is looked at but its length and
// success. HOST is a numeric IPv4 address. Eight `#` in the request stand for
// the number of the request, so that uploads go to different keys.
//
// Prints one line: requests a second, p50 and p99 in microseconds, CPU seconds
// of this client for a million requests. Exits 1, with the reason, when an
// answer was no success or a connection ended.
#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "net/file.h"
#include "tools/bench/answer.h"
#include "tools/loadgen/histogram.h"
#include "tools/loadgen/process_usage.h"

namespace imgcached::bench {
namespace {

constexpr std::size_t request_bytes_max = 64 << 20;
constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::string_view number_mark = "########";
constexpr int events_max = 256;

[[noreturn]] void fail(const std::string& reason) {
  fmt::print(stderr, "bench-client: {}\n", reason);
  std::exit(1);
}

[[noreturn]] void fail_by_system(std::string_view what) {
  fail(fmt::format("{}: {}", what, std::strerror(errno)));
}

// What all connections ask, and what they saw.
struct Load {
  Protocol protocol = Protocol::http;
  std::string request;
  std::size_t number_at = std::string::npos;  // of the mark; npos: there is none
  std::uint64_t next_number = 0;
  std::uint64_t done = 0;
  loadgen::Histogram times;
  std::vector<char> buffer = std::vector<char>(buffer_bytes);

  void number_request() {
    if (number_at == std::string::npos) return;
    const std::string number = fmt::format("{:08}", next_number++ % 100'000'000);
    request.replace(number_at, number.size(), number);
  }
};

class Connection {
 public:
  Connection(Load& load, const sockaddr_in& server, int epoll) : load_(load) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) fail_by_system("socket");
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&server), sizeof server) < 0) {
      fail_by_system("connect");
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = this;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, socket_, &event) < 0) fail_by_system("epoll_ctl");
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Blocks while the kernel has no room: the server reads what it is sent.
  void send() {
    load_.number_request();
    sent_ns_ = monotonic_ns();
    std::string_view left = load_.request;
    while (!left.empty()) {
      const ssize_t sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
      if (sent < 0) fail_by_system("send");
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // Takes what has come. Whether that completes the answer.
  bool receive() {
    const ssize_t count = ::recv(socket_, load_.buffer.data(), load_.buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return false;
    if (count < 0) fail_by_system("recv");
    if (count == 0) fail("the server ended a connection");
    const std::string_view piece(load_.buffer.data(), static_cast<std::size_t>(count));
    received_ += piece.size();
    if (due_ == 0 && !learn_length(piece)) return false;
    if (received_ > due_) fail("an answer is longer than it says");
    if (received_ < due_) return false;
    load_.times.record(monotonic_ns() - sent_ns_);
    ++load_.done;
    received_ = due_ = 0;
    return true;
  }

 private:
  bool learn_length(std::string_view piece) {
    // Heads come in one piece nearly always, and then nothing is copied.
    const bool is_whole = head_.empty();
    if (!is_whole) head_ += piece;
    const auto answer = measure(load_.protocol, is_whole ? piece : head_);
    if (!answer) {
      if (is_whole) head_ = piece;
      return false;
    }
    if (!answer->is_success) {
      const std::string_view beginning =
          (is_whole ? piece : std::string_view(head_)).substr(0, 300);
      fail(fmt::format("no success: {}", beginning));
    }
    due_ = answer->bytes;
    head_.clear();
    return true;
  }

  Load& load_;
  int socket_;
  std::uint64_t sent_ns_ = 0;
  std::size_t received_ = 0;
  std::size_t due_ = 0;  // bytes of this answer; 0: not known yet
  std::string head_;     // what came of a head that is not whole
};

void drive(std::vector<std::unique_ptr<Connection>>& connections, int epoll, std::uint64_t end_ns) {
  for (const auto& connection : connections) connection->send();
  epoll_event events[events_max];
  while (monotonic_ns() < end_ns) {
    const int count = ::epoll_wait(epoll, events, events_max, 100);
    if (count < 0 && errno != EINTR) fail_by_system("epoll_wait");
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection->receive()) connection->send();
    }
  }
}

template <class Number>
Number number_of(std::string_view text, std::string_view what) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number > 0)) {
    fail(fmt::format("{}: \"{}\" is no number above 0", what, text));
  }
  return number;
}

sockaddr_in server_of(std::string_view text) {
  const Result<net::Address> address = net::Address::parse(text);
  if (!address) fail(address.error().message);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(address->port);
  if (::inet_pton(AF_INET, address->host.c_str(), &server.sin_addr) != 1) {
    fail(fmt::format("\"{}\" is no numeric IPv4 address", address->host));
  }
  return server;
}

Load load_of(std::string_view protocol_word, const char* request_path) {
  const auto protocol = parse_protocol(protocol_word);
  if (!protocol) fail(fmt::format("\"{}\" is none of http, memcached and redis", protocol_word));
  const Result<Blob> request = net::read_file(request_path, request_bytes_max);
  if (!request) fail(request.error().message);
  Load load;
  load.protocol = *protocol;
  load.request = request->view();
  load.number_at = load.request.find(number_mark);
  return load;
}

int run(int argument_count, char** arguments) {
  if (argument_count != 6) {
    fail("usage: bench-client http|memcached|redis HOST:PORT CONNECTIONS SECONDS REQUEST_FILE");
  }
  Load load = load_of(arguments[1], arguments[5]);
  const sockaddr_in server = server_of(arguments[2]);
  const auto connection_count = number_of<unsigned>(arguments[3], "CONNECTIONS");
  const auto seconds = number_of<double>(arguments[4], "SECONDS");

  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail_by_system("epoll_create1");
  std::vector<std::unique_ptr<Connection>> connections;
  for (unsigned i = 0; i < connection_count; ++i) {
    connections.push_back(std::make_unique<Connection>(load, server, epoll));
  }
  const std::uint64_t begin_ns = monotonic_ns();
  drive(connections, epoll, begin_ns + static_cast<std::uint64_t>(seconds * 1e9));
  const double elapsed_s = static_cast<double>(monotonic_ns() - begin_ns) * 1e-9;
  ::close(epoll);
  if (load.done == 0) fail("no answer came");
  const auto done = static_cast<double>(load.done);
  fmt::print("{:.0f} {:.1f} {:.1f} {:.2f}\n", done / elapsed_s,
             static_cast<double>(load.times.percentile(50)) * 1e-3,
             static_cast<double>(load.times.percentile(99)) * 1e-3,
             loadgen::cpu_seconds() / done * 1e6);
  return 0;
}

}  // namespace
}  // namespace imgcached::bench

int main(int argument_count, char** arguments) {
  return imgcached::bench::run(argument_count, arguments);
}
