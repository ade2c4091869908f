// Relay: stands between the program and a server it depends on, and spoils what
// passes, as networks, proxies and strangers on a port do.
//
//   Relay relay(database.socket());
//   ... a server that uses relay.socket() ...
//   relay.spoil(Relay::cut_after(100));   // of what the server sends
//   relay.heal();
//
// Whoever connects gets a connection to the server of his own. A fault holds for
// all connections, those that are open and new ones, until the next one or
// heal(); connections that it has broken are closed, not mended.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/e2e/fixture.h"

namespace imgcached::e2e {

class Relay {
 public:
  struct Fault {
    enum class Kind {
      none,
      swallow,  // nothing passes, nothing is closed
      delay,    // of the server's bytes, each time by pause_ms
      cut,      // closes after `bytes` of what the server sends
      garble,   // passes random bytes after `bytes` of what the server sends
      answer,   // gives `text` to each request of HTTP; the server gets nothing
    };
    // What comes after `text`.
    enum class Then { keep, close, repeat_for_ever, drip };

    Kind kind = Kind::none;
    std::size_t bytes = 0;
    int pause_ms = 0;
    std::string text = {};
    Then then = Then::keep;  // drip: the text itself comes byte by byte
  };
  using Then = Fault::Then;

  static Fault swallow() { return {Fault::Kind::swallow}; }
  static Fault delay(int pause_ms) { return {Fault::Kind::delay, 0, pause_ms}; }
  static Fault cut_after(std::size_t bytes) { return {Fault::Kind::cut, bytes}; }
  static Fault garble_after(std::size_t bytes) { return {Fault::Kind::garble, bytes}; }
  static Fault answer(std::string text, Then then = Then::keep) {
    return {Fault::Kind::answer, 0, 0, std::move(text), then};
  }

  // To a server's unix socket, by one of its own.
  explicit Relay(const std::string& server_socket);
  // To a port of this machine, by one of its own.
  explicit Relay(std::uint16_t server_port);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const std::string& socket() const { return socket_; }
  std::uint16_t port() const { return port_; }

  void spoil(Fault fault);
  void heal() { spoil({}); }
  // How many of the server's bytes came since the last spoil() or heal().
  std::size_t server_bytes() const { return server_bytes_; }

 private:
  class Pair;

  // Listens there, and begins.
  void start(const sockaddr* address, socklen_t size);
  void run();
  void accept_one();
  int connect_to_server() const;
  Fault fault() const;

  ScratchDirectory directory_;
  std::string server_socket_;
  std::uint16_t server_port_ = 0;
  std::string socket_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;
  mutable std::mutex mutex_;
  Fault fault_;
  std::atomic<std::size_t> server_bytes_ = 0;
  std::atomic<bool> ends_ = false;
  std::vector<std::unique_ptr<Pair>> pairs_;  // of the thread
  std::thread thread_;
};

}  // namespace imgcached::e2e
