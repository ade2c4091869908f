#include "http/client.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/clock.h"
#include "net/timer.h"

namespace imgcached::http {
namespace {

// What is handed to the socket under one time limit.
constexpr std::size_t written_piece_bytes = 1 << 20;

std::string serialize_request_head(const ClientRequest& request, const std::string& host) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + host + "\r\n";
  const std::size_t size = request.body.size();
  if (size > 0 || request.method == "POST" || request.method == "PUT") {
    head += "Content-Length: " + std::to_string(size) + "\r\n";
  }
  head += request.headers.wire();
  head += "\r\n";
  return head;
}

// Takes up to bytes_max off the front of `pieces`.
net::Stream::Pieces take_front(net::Stream::Pieces& pieces, std::size_t bytes_max) {
  net::Stream::Pieces front;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    front[i] = pieces[i].substr(0, bytes_max);
    pieces[i].remove_prefix(front[i].size());
    bytes_max -= front[i].size();
  }
  return front;
}

bool is_empty(const net::Stream::Pieces& pieces) {
  return std::all_of(pieces.begin(), pieces.end(),
                     [](std::string_view piece) { return piece.empty(); });
}

// Collects an answer: its body in place when the size was announced, growing
// otherwise.
class Collector : public ResponseSink {
 public:
  Collector(std::size_t bytes_max, bool head_only) : bytes_max_(bytes_max), head_only_(head_only) {}

  bool head(const MessageHead& head) override {
    response_.status = head.status;
    response_.headers = head.headers;
    if (head_only_ || !head.content_length) return true;
    if (*head.content_length > bytes_max_) return false;
    exact_.emplace(*head.content_length);
    return true;
  }
  bool body(std::string_view piece) override {
    const std::size_t room = exact_ ? exact_->size() : bytes_max_;
    if (piece.size() > room - size_) return false;
    if (exact_) {
      std::memcpy(exact_->data() + size_, piece.data(), piece.size());
    } else {
      growing_ += piece;
    }
    size_ += piece.size();
    return true;
  }
  // What was announced need not have come: a 304 may announce a body, and has none.
  ClientResponse finish() {
    const bool is_whole = exact_ && size_ == exact_->size();
    response_.body = is_whole ? std::move(*exact_).seal() : Blob::copy_of(growing_);
    return std::move(response_);
  }

 private:
  std::size_t bytes_max_;
  bool head_only_;
  ClientResponse response_;
  std::size_t size_ = 0;
  std::optional<BlobBuffer> exact_;
  std::string growing_;
};

}  // namespace

ClientConnection::ClientConnection(net::Loop& loop, net::Address server, Limits limits)
    : loop_(loop), server_(std::move(server)), limits_(limits), buffer_(loop.buffers()) {}

Task<Result<void>> ClientConnection::connect() {
  const Result<std::uint64_t> timeout_ms = time_for(limits_.connect_timeout_ms);
  if (!timeout_ms) co_return timeout_ms.error();
  Result<net::Stream> stream = co_await net::Stream::connect(loop_, server_, *timeout_ms);
  if (!stream) co_return std::move(stream).error();
  if (aborted_) co_return Error{Errc::closed, "aborted while connecting to " + server_.text()};
  stream_.emplace(std::move(*stream));
  buffer_.release();
  parser_ = Parser(Parser::Kind::response);
  co_return Result<void>();
}

Task<Result<ClientResponse>> ClientConnection::exchange(const ClientRequest& request) {
  const std::string head = serialize_request_head(request, server_.text());
  const net::Stream::Pieces pieces{head, request.body.view(), {}};
  const bool head_only = request.method == "HEAD";
  Collector collector(limits_.body_bytes_max, head_only);
  Result<void> exchanged = co_await exchange(pieces, head_only, collector);
  if (!exchanged) co_return std::move(exchanged).error();
  co_return collector.finish();
}

Task<Result<void>> ClientConnection::exchange(net::Stream::Pieces request, bool method_is_head,
                                              ResponseSink& sink) {
  const std::uint64_t timeout_ms = limits_.exchange_timeout_ms;
  exchange_ends_ms_ = timeout_ms == 0 ? 0 : monotonic_ms() + timeout_ms;
  const bool kept = is_open();
  Result<void> done = co_await exchange_once(request, method_is_head, sink);
  // The server may have closed a kept connection before it saw this request.
  sent_twice_ = !done && done.error().code == Errc::closed && kept && !answered_ && !aborted_;
  if (sent_twice_) done = co_await exchange_once(request, method_is_head, sink);
  co_return done;
}

Task<Result<void>> ClientConnection::exchange_once(net::Stream::Pieces request, bool method_is_head,
                                                   ResponseSink& sink) {
  answered_ = false;
  if (aborted_) co_return Error{Errc::closed, "aborted"};
  Result<void> done;
  if (!is_open()) done = co_await connect();
  if (done) done = co_await send(request);
  if (done) done = co_await receive(method_is_head, sink);
  if (!done) {
    close();
  } else {
    stream_->set_deadline(0);
    if (!parser_.head().keep_alive || !buffer_.empty()) close();
  }
  co_return done;
}

Task<Result<void>> ClientConnection::send(net::Stream::Pieces pieces) {
  while (!is_empty(pieces)) {
    const net::Stream::Pieces next = take_front(pieces, written_piece_bytes);
    const Result<std::uint64_t> timeout_ms = time_for(limits_.response_timeout_ms);
    if (!timeout_ms) co_return timeout_ms.error();
    stream_->set_deadline(*timeout_ms);
    Result<void> written = co_await stream_->write(next);
    if (!written) co_return written;
  }
  co_return Result<void>();
}

Task<Result<void>> ClientConnection::receive(bool head_only, ResponseSink& sink) {
  parser_.expect_body(!head_only);
  const Error over_limit{Errc::too_large, server_.text() + " sent more than was to be taken"};
  Parser::Event event = Parser::Event::need_more;
  while (event != Parser::Event::end) {
    std::string_view input = buffer_.unread();
    event = parser_.advance(input);
    buffer_.consume(buffer_.unread().size() - input.size());
    if (event == Parser::Event::error) {
      co_return Error{Errc::protocol, server_.text() + ": " + parser_.error_message()};
    }
    const bool interim = parser_.head().status / 100 == 1;
    if (event == Parser::Event::head && !interim && !sink.head(parser_.head())) {
      co_return over_limit;
    }
    if (event == Parser::Event::body && !sink.body(parser_.body())) co_return over_limit;
    // The final response is still to come.
    if (event == Parser::Event::end && interim) event = Parser::Event::head;
    if (event != Parser::Event::need_more) continue;

    buffer_.release();
    const Result<std::uint64_t> timeout_ms = time_for(limits_.response_timeout_ms);
    if (!timeout_ms) co_return timeout_ms.error();
    stream_->set_deadline(*timeout_ms);
    Result<std::size_t> count = co_await stream_->read(buffer_);
    if (!count) co_return std::move(count).error();
    if (*count > 0) {
      answered_ = true;
    } else {
      event = parser_.finish();
      if (event != Parser::Event::end) {
        co_return Error{Errc::closed, server_.text() + " closed the connection"};
      }
    }
  }
  co_return Result<void>();
}

// Asked before every wait: bytes that keep coming move no deadline of the stream's
// past the end of the exchange.
Result<std::uint64_t> ClientConnection::time_for(std::uint64_t timeout_ms) const {
  if (exchange_ends_ms_ == 0) return timeout_ms;
  const std::uint64_t now_ms = monotonic_ms();
  if (now_ms >= exchange_ends_ms_) {
    return Error{Errc::timed_out, server_.text() + " took over " +
                                      std::to_string(limits_.exchange_timeout_ms) + " ms"};
  }
  return std::min(timeout_ms, exchange_ends_ms_ - now_ms);
}

void ClientConnection::close() { stream_.reset(); }

void ClientConnection::abort() {
  aborted_ = true;
  close();
}

// One who waits for a connection to become free.
struct Client::Turn {
  explicit Turn(net::Loop& loop) : timer(loop) {}
  net::Timer timer;
};

Client::Client(net::Loop& loop, net::Address server, Limits limits)
    : loop_(loop), server_(std::move(server)), limits_(limits) {}

Client::~Client() { assert(busy_ == 0 && waiting_.empty()); }

Task<Result<ClientResponse>> Client::request(const ClientRequest& request) {
  if (busy_ < limits_.connections_max && waiting_.empty()) {
    ++busy_;
  } else {
    if (waiting_.size() >= limits_.waiting_max) {
      co_return Error{Errc::unavailable, "too many requests are waiting for " + server_.text()};
    }
    Turn turn(loop_);
    waiting_.push_back(&turn);
    const bool too_long = co_await turn.timer.wait(limits_.wait_timeout_ms);
    if (too_long) {
      std::erase(waiting_, &turn);
      co_return Error{Errc::unavailable, "no connection to " + server_.text() + " became free"};
    }
  }
  std::unique_ptr<ClientConnection> connection = take_idle();
  Result<ClientResponse> response = co_await connection->exchange(request);
  if (!response) ++exchanges_failed_;
  if (connection->is_open()) idle_.push_back(std::move(connection));
  --busy_;
  pass_turn();
  co_return response;
}

std::unique_ptr<ClientConnection> Client::take_idle() {
  if (idle_.empty()) {
    return std::make_unique<ClientConnection>(loop_, server_, limits_.connection);
  }
  std::unique_ptr<ClientConnection> connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void Client::pass_turn() {
  // A request that fails at once passes the turn on from within resume(): it is
  // left to the loop, or the stack would grow with the queue.
  if (passing_turn_) return;
  passing_turn_ = true;
  while (!waiting_.empty() && busy_ < limits_.connections_max) {
    Turn* next = waiting_.front();
    waiting_.pop_front();
    ++busy_;
    next->timer.wake();
  }
  passing_turn_ = false;
}

void Client::close() {
  assert(busy_ == 0);
  idle_.clear();
}

}  // namespace imgcached::http
