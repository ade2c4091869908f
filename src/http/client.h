// Client: a pool of kept-alive connections to one server, and requests on them.
//
// Used between the two services, by the load generator and by tests. A request
// takes an idle connection or opens one; beyond connections_max it waits its
// turn, in order, and bounded in number and time. Each connection carries one
// request at a time.
//
// A kept connection may have been closed by the server meanwhile, which shows
// only when it is used: a request that failed on a kept connection before any
// byte of the answer came is sent once more, on a new one. REQUIRES therefore:
// requests may be repeated without harm, or the caller asks sent_twice().
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/gate.h"
#include "base/result.h"
#include "base/task.h"
#include "http/message.h"
#include "http/parser.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/stream.h"

namespace imgcached::http {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  Headers headers;  // Host and Content-Length are added
  Body body;
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  Blob body;
};

// Takes an answer as it comes.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  // The final head, once. False: what it announces is too large.
  virtual bool head(const MessageHead& head) = 0;
  // The next bytes of the body. False: they are too many.
  virtual bool body(std::string_view piece) = 0;
};

// One connection to a server, one exchange at a time.
class ClientConnection {
 public:
  struct Limits {
    std::uint64_t connect_timeout_ms = 1'000;
    std::uint64_t response_timeout_ms = 2'000;  // from the request's last byte, and between pieces
    std::uint64_t exchange_timeout_ms = 0;      // all of an exchange, sent twice or not; 0: none
    std::size_t body_bytes_max = 64u << 20;
  };

  ClientConnection(net::Loop& loop, net::Address server, Limits limits);

  // Sends the request and awaits the whole response. Errors: unavailable
  // (can't connect), timed_out, closed, protocol, too_large; after any of them
  // the connection is closed.
  Task<Result<ClientResponse>> exchange(const ClientRequest& request);
  // The same for a request that is written out already, with the answer going
  // where it is wanted. `method_is_head`: the answer has no body. The bytes and
  // the sink must outlive the await.
  Task<Result<void>> exchange(net::Stream::Pieces request, bool method_is_head, ResponseSink& sink);

  // Whether it can take another request without connecting anew.
  bool is_open() const { return stream_ && stream_->is_open(); }
  // Whether the request of the last exchange was sent once more, since a kept
  // connection had ended without a byte of a response: the server may carry out
  // both of them, in any order.
  bool sent_twice() const { return sent_twice_; }
  void close();
  // Ends the exchange under way, and any further one, with Errc::closed. One that
  // is about to connect ends when that is done.
  void abort();

 private:
  Task<Result<void>> exchange_once(net::Stream::Pieces request, bool method_is_head,
                                   ResponseSink& sink);
  Task<Result<void>> connect();
  Task<Result<void>> send(net::Stream::Pieces pieces);
  Task<Result<void>> receive(bool head_only, ResponseSink& sink);
  // `timeout_ms`, or what the exchange has left if that is less.
  Result<std::uint64_t> time_for(std::uint64_t timeout_ms) const;

  net::Loop& loop_;
  net::Address server_;
  Limits limits_;
  std::optional<net::Stream> stream_;
  net::ReadBuffer buffer_;
  Parser parser_{Parser::Kind::response};
  std::uint64_t exchange_ends_ms_ = 0;  // by the clock; 0: never
  bool answered_ = false;
  bool sent_twice_ = false;
  bool aborted_ = false;
};

class Client {
 public:
  struct Limits {
    ClientConnection::Limits connection;
    std::size_t connections_max = 32;
    std::size_t waiting_max = 4096;         // beyond: unavailable
    std::uint64_t wait_timeout_ms = 1'000;  // of waiting in line, then: unavailable
  };

  Client(net::Loop& loop, net::Address server, Limits limits);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // Errors as ClientConnection::exchange, and unavailable when too many wait
  // or one did so for too long.
  // `request` must outlive the await.
  Task<Result<ClientResponse>> request(const ClientRequest& request);

  // How many requests failed on a connection, or for want of a new one. The
  // others that failed say nothing about the server: they never got a turn.
  std::uint64_t exchanges_failed() const { return exchanges_failed_; }

  // Closes the idle connections. REQUIRES: no request under way.
  void close();

 private:
  struct Turn;

  std::unique_ptr<ClientConnection> take_idle();
  // Lets the first of those who wait go on.
  void pass_turn();

  net::Loop& loop_;
  net::Address server_;
  Limits limits_;
  std::vector<std::unique_ptr<ClientConnection>> idle_;
  std::size_t busy_ = 0;
  std::uint64_t exchanges_failed_ = 0;
  std::deque<Turn*> waiting_;
  bool passing_turn_ = false;
};

}  // namespace imgcached::http
