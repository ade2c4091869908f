// A real server on a free port of the loopback interface, and a peer who talks
// to it in raw bytes; both on one loop, which turns while the peer waits.
#pragma once

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/parser.h"
#include "http/server.h"
#include "http/status.h"
#include "net/timer.h"
#include "tests/net/run_task.h"
#include "tests/net/stream_pair.h"

namespace imgcached::test {

class ServerFixture {
 public:
  static constexpr std::size_t body_bytes_max = 1 << 20;  // of the routes that take a body
  static constexpr std::size_t big_bytes = 8 << 20;       // of /big and /text

  // Change `limits` before start().
  ServerFixture() {
    add(http::Method::get, "/hello", [](http::Request&) { return hello(); });
    add(http::Method::get, "/images/*", [](http::Request& request) { return name(request); });
    add(http::Method::put, "/images/*", [](http::Request& request) { return echo(request); });
    add(http::Method::post, "/echo", [](http::Request& request) { return echo(request); });
    router_.add({http::Method::post, "/needy", [](http::Request& request) { return echo(request); },
                 body_bytes_max, http::Route::Body::required});
    add(http::Method::post, "/ignore", [](http::Request&) { return hello(); });
    add(http::Method::post, "/measure",
        [this](http::Request& request) { return measure(*this, request); });
    add(http::Method::post, "/tail",
        [this](http::Request& request) { return tail(*this, request); });
    router_.add({http::Method::get, "/change", [](http::Request&) { return hello(); },
                 body_bytes_max, http::Route::Body::optional, http::Route::Effect::mutating});
    add(http::Method::get, "/empty", [](http::Request&) { return empty(); });
    add(http::Method::get, "/big", [this](http::Request&) { return big(*this); });
    add(http::Method::get, "/text", [](http::Request&) { return text(); });
    add(http::Method::get, "/steps",
        [this](http::Request& request) { return steps_until_abandoned(*this, request); });
    add(http::Method::get, "/wait", [this](http::Request&) { return wait(*this); });
  }
  ~ServerFixture() {
    if (server) {
      release();
      run_task(loop, server->drain(60'000));  // every peer has gone: nothing to cut
      CHECK(server->figures().connections == 0);
      server.reset();
    }
    loop.run();
    CHECK(loop.live_handles() == 0);
  }

  void start() {
    http::Server::Options options;
    options.limits = limits;
    options.name = "test";
    server.emplace(loop, router_, &render_error, options);
    REQUIRE(server->listen(loopback(loop)).ok());
  }

  // Ends the requests for /wait that are under way.
  void release() {
    for (net::Timer* timer : std::vector(waiting)) timer->wake();
  }

  net::Loop loop;
  http::ServerLimits limits;
  std::optional<http::Server> server;
  std::vector<net::Timer*> waiting;                 // one for each request for /wait
  int steps = 0;                                    // of requests for /steps
  std::string first_piece;                          // what /tail saw first
  std::uint64_t measured_bytes_per_second_min = 0;  // what /measure asks for
  const Blob big_blob = pattern();

 private:
  void add(http::Method method, std::string path, http::Handler handler) {
    const bool has_body = method == http::Method::post || method == http::Method::put;
    router_.add({method, std::move(path), std::move(handler), has_body ? body_bytes_max : 0});
  }

  static Blob pattern() {
    static const Blob made = [] {
      BlobBuffer bytes(big_bytes);
      for (std::size_t i = 0; i < big_bytes; ++i) {
        bytes.data()[i] = static_cast<char>(i * 7 + (i >> 9));
      }
      return std::move(bytes).seal();
    }();
    return made;
  }

  static http::Response render_error(std::string_view path, int status, std::string_view message) {
    return http::make_response(status, "text/plain",
                               std::string(path) + ": " + std::string(message));
  }
  static http::Response failure(const http::Request& request, const Error& error) {
    return render_error(request.path, http::status_of(error.code), error.message);
  }

  static Task<http::Response> hello() { co_return http::make_response(200, "text/plain", "hello"); }

  static Task<http::Response> name(http::Request& request) {
    std::string text = request.path;
    text.append("|").append(request.rest).append("|").append(request.query);
    co_return http::make_response(200, "text/plain", std::move(text));
  }

  static Task<http::Response> echo(http::Request& request) {
    Result<std::string> text = co_await request.body->read_text();
    if (!text) co_return failure(request, text.error());
    co_return http::make_response(200, "text/plain", std::move(*text));
  }

  // Keeps nothing of what it reads.
  static Task<http::Response> measure(ServerFixture& fixture, http::Request& request) {
    std::size_t bytes = 0;
    while (!request.body->at_end()) {
      Result<std::string_view> piece = co_await request.body->next();
      if (!piece) co_return failure(request, piece.error());
      bytes += piece->size();
      request.body->keep(0);
      request.body->hasten(fixture.measured_bytes_per_second_min);
    }
    co_return http::make_response(200, "text/plain", std::to_string(bytes));
  }

  static Task<http::Response> tail(ServerFixture& fixture, http::Request& request) {
    Result<std::string_view> piece = co_await request.body->next();
    if (!piece) co_return failure(request, piece.error());
    fixture.first_piece = *piece;
    Result<Blob> rest = co_await request.body->read_blob();
    if (!rest) co_return failure(request, rest.error());
    co_return http::make_response(200, "text/plain", std::move(*rest));
  }

  static Task<http::Response> empty() {
    http::Response response;
    response.status = 204;
    co_return response;
  }

  static Task<http::Response> big(ServerFixture& fixture) {
    co_return http::make_response(200, "application/octet-stream", fixture.big_blob);
  }

  // As large, but each reader's own.
  static Task<http::Response> text() {
    co_return http::make_response(200, "text/plain", std::string(big_bytes, 't'));
  }

  // Work that ends for one reason only.
  static Task<http::Response> steps_until_abandoned(ServerFixture& fixture,
                                                    http::Request& request) {
    net::Timer timer(fixture.loop);
    while (!request.is_abandoned()) {
      ++fixture.steps;
      co_await timer.wait(1);
    }
    co_return http::make_response(200, "text/plain", "abandoned");
  }

  static Task<http::Response> wait(ServerFixture& fixture) {
    net::Timer timer(fixture.loop);
    fixture.waiting.push_back(&timer);
    co_await timer.wait(1'000'000);
    std::erase(fixture.waiting, &timer);
    co_return http::make_response(200, "text/plain", "waited");
  }

  http::Router router_;
};

// A client that says exactly what it is told to. Whatever it waits for, it does
// not wait forever.
class Peer {
 public:
  Peer(net::Loop& loop, const net::Address& server)
      : loop_(loop), buffer_(loop.buffers()), parser_(http::Parser::Kind::response) {
    Result<net::Stream> stream = run_task(loop, net::Stream::connect(loop, server, patience_ms));
    REQUIRE(stream.ok());
    stream_.emplace(std::move(*stream));
  }
  explicit Peer(ServerFixture& fixture) : Peer(fixture.loop, fixture.server->address()) {}

  bool try_send(std::string text) {
    stream_->set_deadline(patience_ms);
    return run_task(loop_, write_text(*stream_, std::move(text))).ok();
  }
  void send(std::string text) { REQUIRE(try_send(std::move(text))); }
  void end() { REQUIRE(run_task(loop_, end_of_writing(*stream_)).ok()); }
  void close() { stream_->close(); }

  struct Answer {
    int status = 0;  // 0: none came, as the connection ended
    http::Headers headers;
    bool keep_alive = false;
    std::string body;

    std::string_view header(std::string_view name) const {
      return headers.find(name).value_or(std::string_view("(none)"));
    }
  };
  // The next response, an interim one too.
  Answer receive(bool to_head = false) {
    stream_->set_deadline(patience_ms);
    return run_task(loop_, receive(*this, to_head));
  }
  Answer ask(std::string request) {
    send(std::move(request));
    return receive();
  }

  // Whether the server ended the connection with nothing more, and not by a reset.
  bool sees_end() {
    if (!buffer_.empty()) return false;
    stream_->set_deadline(patience_ms);
    const Result<std::string> rest = run_task(loop_, read_some(loop_, *stream_));
    return rest.ok() && rest->empty();
  }

  // Reads at least that many bytes of whatever comes.
  void skim(std::size_t size) {
    stream_->set_deadline(patience_ms);
    for (std::size_t seen = 0; seen < size;) {
      const Result<std::string> some = run_task(loop_, read_some(loop_, *stream_));
      REQUIRE(some.ok());
      REQUIRE_FALSE(some->empty());
      seen += some->size();
    }
  }

 private:
  static constexpr std::uint64_t patience_ms = 20'000;

  static Task<Answer> receive(Peer& peer, bool to_head) {
    using Event = http::Parser::Event;
    peer.parser_.expect_body(!to_head);
    Answer answer;
    while (true) {
      std::string_view input = peer.buffer_.unread();
      const Event event = peer.parser_.advance(input);
      peer.buffer_.consume(peer.buffer_.unread().size() - input.size());
      if (event == Event::body) answer.body += peer.parser_.body();
      if (event == Event::end) break;
      if (event == Event::error) co_return Answer{};
      if (event != Event::need_more) continue;
      Result<std::size_t> count = co_await peer.stream_->read(peer.buffer_);
      if (!count || *count == 0) co_return Answer{};
    }
    answer.status = peer.parser_.head().status;
    answer.keep_alive = peer.parser_.head().keep_alive;
    answer.headers = peer.parser_.head().headers;
    co_return answer;
  }

  net::Loop& loop_;
  std::optional<net::Stream> stream_;
  net::ReadBuffer buffer_;
  http::Parser parser_;
};

}  // namespace imgcached::test
