#include "http/server.h"

#include <cassert>

#include "base/clock.h"
#include "base/log.h"
#include "http/conditional.h"
#include "http/connection.h"
#include "net/timer.h"

namespace imgcached::http {

Server::Server(net::Loop& loop, const Router& router, ErrorRenderer render_error, Options options)
    : loop_(loop),
      router_(router),
      render_error_(std::move(render_error)),
      options_(std::move(options)) {}

Server::~Server() { assert(connections_.empty()); }

Result<void> Server::listen(const net::SocketAddress& address) {
  Result<net::Listener> listener = net::Listener::open(loop_, address);
  if (!listener) return std::move(listener).error();
  listener_.emplace(std::move(*listener));
  gate_.spawn(accept_all());
  return {};
}

Task<void> Server::accept_all() {
  while (true) {
    Result<net::Stream> stream = co_await listener_->accept();
    if (!stream) {
      if (stream.error().code == Errc::closed && draining_) co_return;
      log::warning("accept_failed server={} reason=\"{}\"", options_.name, stream.error().message);
      continue;
    }
    ++stats_.connections_accepted;
    if (connections_.size() < options_.limits.connections_max) {
      gate_.spawn(serve(std::move(*stream)));
    } else if (gate_.running() < 2 * options_.limits.connections_max) {
      gate_.spawn(refuse(std::move(*stream)));
    }
  }
}

Task<void> Server::serve(net::Stream stream) {
  Connection connection(*this, std::move(stream));
  connections_.insert(&connection);
  co_await connection.run();
  connections_.erase(&connection);
}

Task<void> Server::refuse(net::Stream stream) {
  ++stats_.connections_refused;
  Response response = render_error_("", 503, "too many connections; try again in a moment");
  response.headers.set("Retry-After", "1");
  const std::string_view body = response.payload();
  const std::string head = serialize_head(response, body.size(), 1, false, date());
  stream.set_deadline(options_.limits.linger_timeout_ms);
  const net::Stream::Pieces pieces{head, body};
  Result<void> written = co_await stream.write(pieces);
  if (!written) co_return;
  Result<void> ended = co_await stream.shutdown();
  if (!ended) co_return;
  net::ReadBuffer buffer(loop_.buffers());
  while (true) {
    buffer.release();
    Result<std::size_t> count = co_await stream.read(buffer);
    if (!count || *count == 0) co_return;
  }
}

Task<void> Server::drain(std::uint64_t grace_ms) {
  draining_ = true;
  if (listener_) listener_->close();
  // finish() may end a connection, and so change the set; never at once,
  // because a close resumes its coroutine from the loop only.
  for (Connection* connection : connections_) connection->finish();
  net::Timer grace(loop_);
  grace.start(
      grace_ms,
      [](void* argument) {
        auto* server = static_cast<Server*>(argument);
        log::warning("drain_cut server={} connections={}", server->options_.name,
                     server->connections_.size());
        for (Connection* connection : server->connections_) connection->abort();
      },
      this);
  co_await gate_.drained();
}

std::string_view Server::date() {
  const std::int64_t second = unix_ms() / 1000;
  if (second != date_second_) {
    date_second_ = second;
    date_ = http_date(second);
  }
  return date_;
}

}  // namespace imgcached::http
