// Server: accepts connections and serves each with a coroutine of its own.
//
// Model: Server owns the listener, the limits and the set of its connections;
// a Connection (connection.h) is one client's loop of read, match, handle,
// write. What the server says by itself (no such page, too large, too slow) is
// put into words by the application's ErrorRenderer, so that a page answers in
// HTML and an API in JSON.
//
// drain() ends it: nothing new is accepted, idle connections are closed,
// running requests may finish within the grace, what is left is cut.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/gate.h"
#include "base/result.h"
#include "http/access_token.h"
#include "http/answer_budget.h"
#include "http/byte_budget.h"
#include "http/message.h"
#include "http/parser.h"
#include "http/router.h"
#include "net/listener.h"
#include "net/loop.h"

namespace imgcached::http {

struct ServerLimits {
  ParserLimits parser;
  std::size_t connections_max = 16384;     // beyond: 503
  std::size_t refusals_max = 64;           // such answers at a time; beyond: closed at once
  std::uint64_t accept_pause_ms = 100;     // after a failure to accept, for want of descriptors
  std::uint64_t idle_timeout_ms = 60'000;  // between requests: closed silently
  std::uint64_t head_timeout_ms = 10'000;  // from a head's first byte to its last: 408
  std::uint64_t body_timeout_ms = 20'000;  // between two pieces of a body: 408
  // What a body has to come at, but for pauses of body_timeout_ms: 408. That is
  // far below any network people upload by, and makes a slot cost its holder.
  std::uint64_t body_bytes_per_second_min = 500;
  std::uint64_t write_timeout_ms = 20'000;  // per written_piece_bytes: closed
  // What is handed to the socket at once, and what a reader of an image in base64
  // holds of it. Who reads less than this within write_timeout_ms is cut off.
  std::size_t written_piece_bytes = 64 << 10;
  // Of all bodies that are being read or handled, together; beyond: 503. No less
  // than the largest body that a route takes, or that one could never come.
  std::uint64_t body_bytes_in_flight_max = 512 << 20;
  // Of all answers that their readers are slow to take, together, an image that several
  // read counted once; beyond: the slowest are cut off, see AnswerBudget.
  std::uint64_t answer_bytes_in_flight_max = 512 << 20;
  // Requests of one connection in a row that the client sent without waiting for
  // an answer. The answer to the last of them ends the connection.
  std::size_t pipelined_requests_max = 1'000;
  // A body that no handler wanted: read and dropped up to this size, to keep the
  // connection; beyond it the connection ends.
  std::size_t unread_body_bytes_max = 1 << 18;
  // Before a connection ends with bytes of the client unread, it is drained up
  // to this much, or a reset could overtake our answer.
  std::size_t lingered_bytes_max = 64 << 20;
  std::uint64_t linger_timeout_ms = 2'000;
};

// What a server has counted since the start.
struct ServerStats {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t accepts_failed = 0;
  std::uint64_t requests = 0;
  std::uint64_t responses_by_class[6] = {};  // [2] counts 2xx ...
  std::uint64_t bytes_written = 0;
};

// The same and how it stands now, for /metrics. Those of several servers add up.
struct ServerFigures {
  ServerStats counted;
  std::uint64_t readers_cut = 0;
  std::size_t connections = 0;
  std::size_t tasks = 0;
  std::uint64_t body_bytes_in_flight = 0;
  std::uint64_t answer_bytes_in_flight = 0;
  std::size_t loop_handles = 0;
  std::size_t loop_jobs = 0;

  ServerFigures& operator+=(const ServerFigures& other);
};

// The response to a failure. `path` is decoded, or empty when it is unknown.
using ErrorRenderer =
    std::function<Response(std::string_view path, int status, std::string_view message)>;

// What is answered by 401 when the request does not say the token.
enum class TokenFor { changes, everything };

class Connection;

class Server {
 public:
  struct Options {
    ServerLimits limits;
    std::optional<AccessToken> token;  // none: nobody is asked
    TokenFor token_for = TokenFor::changes;
    bool access_log = false;
    std::string name;  // for log lines
  };

  Server(net::Loop& loop, const Router& router, ErrorRenderer render_error, Options options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // Starts to listen; serving begins with the loop. Errors name the address.
  Result<void> listen(const net::SocketAddress& address,
                      net::PortUse use = net::PortUse::exclusive);
  net::Address address() const { return listener_->address(); }

  // Ends serving, see above; returns when no connection is left.
  Task<void> drain(std::uint64_t grace_ms);

  const std::string& name() const { return options_.name; }
  ServerFigures figures() const;

 private:
  friend class Connection;

  Task<void> accept_all();
  Task<void> serve(net::Stream stream);
  Task<void> refuse(net::Stream stream);
  Task<void> explain_refusal(net::Stream stream);
  // After a crowd has gone, for the allocator keeps what it took.
  void return_memory();
  // The value of the Date field, made once a second.
  std::string_view date();

  net::Loop& loop_;
  const Router& router_;
  ErrorRenderer render_error_;
  Options options_;
  ByteBudget bodies_;
  AnswerBudget answers_;
  std::optional<net::Listener> listener_;
  std::unordered_set<Connection*> connections_;
  std::size_t connections_peak_ = 0;  // since memory was returned
  std::size_t refusals_ = 0;          // under way
  bool draining_ = false;
  ServerStats stats_;
  std::int64_t date_second_ = -1;
  std::string date_;
  Gate gate_;
};

}  // namespace imgcached::http
