// FaultyServer: a small store of images in memory (GET, HEAD and PUT of any
// path) that misbehaves to order, so that one can see whether the load generator
// notices. It shares the loop of the generator under test.
#pragma once

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/gate.h"
#include "http/parser.h"
#include "net/listener.h"
#include "net/stream.h"
#include "net/timer.h"
#include "tests/net/run_task.h"
#include "tests/net/stream_pair.h"

namespace imgcached::test {

enum class Fault {
  none,
  fail,      // answers 503
  drop,      // closes the connection instead of answering
  truncate,  // announces the whole image and sends half of it
  corrupt,   // flips a bit of the image
  stale,     // answers with the image before the last one
  lose,      // says 404 for what it was given
  swap,      // answers with another key's image
  silent,    // never answers
  stall,     // answers nothing during the first 200 ms of each second
  garbage,   // answers with something that is no HTTP
};

class FaultyServer {
 public:
  explicit FaultyServer(net::Loop& loop) : loop_(loop), began_ms_(loop.now_ms()) {
    Result<net::Listener> listener = net::Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    listener_.emplace(std::move(*listener));
    gate_.spawn(accept_all());
  }
  ~FaultyServer() {
    listener_->close();
    for (net::Stream* stream : open_) stream->close();
    run_until(loop_, [this] { return gate_.running() == 0; });
  }

  net::Address address() const { return listener_->address(); }
  std::size_t images() const { return images_.size(); }

  // What happens to every `every`-th request of that method.
  void misbehave(Fault fault, std::string method = "GET", unsigned every = 1) {
    fault_ = fault;
    faulty_method_ = std::move(method);
    every_ = every;
  }
  std::uint64_t faults = 0;  // how often it did

 private:
  static constexpr std::uint64_t stall_ms = 200;

  struct Versions {
    std::string last, before;
  };

  Task<void> accept_all() {
    while (true) {
      Result<net::Stream> stream = co_await listener_->accept();
      if (!stream) co_return;
      gate_.spawn(serve(std::move(*stream)));
    }
  }

  Task<void> serve(net::Stream stream) {
    open_.push_back(&stream);
    bool goes_on = true;
    net::ReadBuffer buffer(loop_.buffers());
    http::Parser parser(http::Parser::Kind::request);
    while (goes_on) goes_on = co_await serve_request(stream, buffer, parser);
    std::erase(open_, &stream);
  }

  // False: the connection ends.
  Task<bool> serve_request(net::Stream& stream, net::ReadBuffer& buffer, http::Parser& parser) {
    using Event = http::Parser::Event;
    std::string body;
    while (true) {
      std::string_view input = buffer.unread();
      const Event event = parser.advance(input);
      buffer.consume(buffer.unread().size() - input.size());
      if (event == Event::body) body += parser.body();
      if (event == Event::end) break;
      if (event == Event::error) co_return false;
      if (event != Event::need_more) continue;
      buffer.release();
      Result<std::size_t> count = co_await stream.read(buffer);
      if (!count || *count == 0) co_return false;
    }
    const http::MessageHead& head = parser.head();
    const std::string path = head.target;
    const bool is_put = head.method == http::Method::put;
    Versions& versions = images_[path];
    const bool is_faulty = fault_ != Fault::none && to_string(head.method) == faulty_method_ &&
                           ++counted_ % every_ == 0;
    const Fault fault = is_faulty ? fault_ : Fault::none;
    if (is_faulty) ++faults;
    if (fault == Fault::silent) co_await wait_for_end(stream, buffer);
    if (fault == Fault::drop || fault == Fault::silent) co_return false;
    if (fault == Fault::stall) co_await wait_for_stall();
    if (is_put && fault != Fault::fail) {
      versions.before = std::exchange(versions.last, std::move(body));
      body.clear();
    }

    int status = is_put ? 200 : versions.last.empty() ? 404 : 200;
    std::string content = is_put ? std::string() : versions.last;
    if (fault == Fault::stale && !versions.before.empty()) content = versions.before;
    if (fault == Fault::corrupt && !content.empty()) content[content.size() / 2] ^= 1;
    if (fault == Fault::swap) content = images_.begin()->second.last;
    if (fault == Fault::lose) status = 404;
    if (fault == Fault::fail) status = 503;
    if (status != 200) content.clear();
    std::string answer =
        fmt::format("HTTP/1.1 {} Whatever\r\nContent-Length: {}\r\nX-Cache: {}\r\n\r\n", status,
                    content.size(), ++answered_ % 2 == 0 ? "hit" : "miss");
    if (fault == Fault::garbage) answer = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
    if (fault == Fault::truncate) content.resize(content.size() / 2);
    answer += content;
    const net::Stream::Pieces pieces{answer, {}, {}};
    Result<void> written = co_await stream.write(pieces);
    co_return written.ok() && fault != Fault::truncate&& fault != Fault::garbage;
  }

  Task<void> wait_for_stall() {
    net::Timer timer(loop_);
    const std::uint64_t into_second_ms = (loop_.now_ms() - began_ms_) % 1'000;
    if (into_second_ms < stall_ms) co_await timer.wait(stall_ms - into_second_ms);
  }

  static Task<void> wait_for_end(net::Stream& stream, net::ReadBuffer& buffer) {
    while (true) {
      buffer.release();
      Result<std::size_t> count = co_await stream.read(buffer);
      if (!count || *count == 0) co_return;
    }
  }

  net::Loop& loop_;
  const std::uint64_t began_ms_;
  std::optional<net::Listener> listener_;
  std::vector<net::Stream*> open_;
  std::map<std::string, Versions> images_;
  Fault fault_ = Fault::none;
  std::string faulty_method_;
  unsigned every_ = 1;
  std::uint64_t counted_ = 0;
  std::uint64_t answered_ = 0;
  Gate gate_;
};

}  // namespace imgcached::test
