#include "http/server.h"

#include <malloc.h>

#include <algorithm>
#include <cassert>
#include <iterator>

#include "base/clock.h"
#include "base/log.h"
#include "http/conditional.h"
#include "http/connection.h"
#include "net/timer.h"

namespace imgcached::http {

ServerFigures& ServerFigures::operator+=(const ServerFigures& other) {
  counted.connections_accepted += other.counted.connections_accepted;
  counted.connections_refused += other.counted.connections_refused;
  counted.accepts_failed += other.counted.accepts_failed;
  counted.requests += other.counted.requests;
  for (std::size_t i = 0; i < std::size(counted.responses_by_class); ++i) {
    counted.responses_by_class[i] += other.counted.responses_by_class[i];
  }
  counted.bytes_written += other.counted.bytes_written;
  readers_cut += other.readers_cut;
  connections += other.connections;
  tasks += other.tasks;
  body_bytes_in_flight += other.body_bytes_in_flight;
  answer_bytes_in_flight += other.answer_bytes_in_flight;
  loop_handles += other.loop_handles;
  loop_jobs += other.loop_jobs;
  return *this;
}

Server::Server(net::Loop& loop, const Router& router, ErrorRenderer render_error, Options options)
    : loop_(loop),
      router_(router),
      render_error_(std::move(render_error)),
      options_(std::move(options)),
      bodies_(options_.limits.body_bytes_in_flight_max),
      answers_(options_.limits.answer_bytes_in_flight_max, options_.name) {}

Server::~Server() { assert(connections_.empty()); }

Result<void> Server::listen(const net::SocketAddress& address, net::PortUse use) {
  Result<net::Listener> listener = net::Listener::open(loop_, address, use);
  if (!listener) return std::move(listener).error();
  listener_.emplace(std::move(*listener));
  gate_.spawn(accept_all());
  return {};
}

// A failure to accept is followed by a pause, in which connections wait in the
// kernel's backlog: it would only fail again, and the loop would have no turn for
// the connections whose end makes room.
Task<void> Server::accept_all() {
  constexpr std::uint64_t log_interval_ms = 1'000;
  net::Timer pause(loop_);
  std::uint64_t quiet_until_ms = 0;
  while (true) {
    Result<net::Stream> stream = co_await listener_->accept();
    if (!stream) {
      if (stream.error().code == Errc::closed && draining_) co_return;
      ++stats_.accepts_failed;
      if (loop_.now_ms() >= quiet_until_ms) {
        quiet_until_ms = loop_.now_ms() + log_interval_ms;
        log::warning("accept_failed server={} reason=\"{}\" failures={}", options_.name,
                     stream.error().message, stats_.accepts_failed);
      }
      co_await pause.wait(options_.limits.accept_pause_ms);
      continue;
    }
    ++stats_.connections_accepted;
    if (connections_.size() < options_.limits.connections_max) {
      gate_.spawn(serve(std::move(*stream)));
    } else {
      ++stats_.connections_refused;
      if (refusals_ < options_.limits.refusals_max) gate_.spawn(refuse(std::move(*stream)));
    }
  }
}

Task<void> Server::serve(net::Stream stream) {
  Connection connection(*this, std::move(stream));
  connections_.insert(&connection);
  connections_peak_ = std::max(connections_peak_, connections_.size());
  co_await connection.run();
  connections_.erase(&connection);
  return_memory();
}

void Server::return_memory() {
  constexpr std::size_t crowd_min = 256;
  if (connections_peak_ < crowd_min || connections_.size() > connections_peak_ / 8) return;
  connections_peak_ = connections_.size();
  malloc_trim(0);
}

Task<void> Server::refuse(net::Stream stream) {
  ++refusals_;
  co_await explain_refusal(std::move(stream));
  --refusals_;
}

Task<void> Server::explain_refusal(net::Stream stream) {
  Response response = render_error_("", 503, "too many connections; try again in a moment");
  response.headers.set("Retry-After", "1");
  const std::string_view body = response.body.view();
  const TextBuffer head = serialize_head(response, body.size(), 1, false, date());
  stream.set_deadline(options_.limits.linger_timeout_ms);
  const net::Stream::Pieces pieces{head.view(), body};
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

ServerFigures Server::figures() const {
  ServerFigures figures;
  figures.counted = stats_;
  figures.readers_cut = answers_.readers_cut();
  figures.connections = connections_.size();
  figures.tasks = gate_.running();
  figures.body_bytes_in_flight = bodies_.in_flight();
  figures.answer_bytes_in_flight = answers_.in_flight();
  figures.loop_handles = loop_.live_handles();
  figures.loop_jobs = loop_.live_jobs();
  return figures;
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
