// FaultyServer: a small store of images in memory that misbehaves to order, so
// that one can see whether the load generator notices. It shares the loop of the
// generator under test.
//
// It speaks both dialects: GET, HEAD and PUT of any path, and of the API POST
// /api/upload and POST /api/key/KEY, which are PUT and GET of /images/KEY.
#pragma once

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/gate.h"
#include "http/base64.h"
#include "http/multipart.h"
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
  drip,      // answers a byte every 10 ms
  endless,   // answers with an image that does not end
  // Of answers in JSON:
  spoil_json,    // drops the brace at its end
  spoil_base64,  // puts a character into the content that base64 has not
  misname,       // names another key than it was asked for
  refuse,        // says that it had no success, with status 200
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
  // Every operation on an image, `GET /images/KEY`, in the order they came in.
  const std::vector<std::string>& operations() const { return operations_; }

  // What happens to every `every`-th request of that method: GET, a read, or PUT,
  // a write, in either dialect.
  void misbehave(Fault fault, std::string method = "GET", unsigned every = 1) {
    fault_ = fault;
    faulty_method_ = std::move(method);
    every_ = every;
  }
  std::uint64_t faults = 0;  // how often it did

 private:
  static constexpr std::uint64_t stall_ms = 200;
  static constexpr std::uint64_t drip_ms = 10;
  static constexpr std::string_view api_key = "/api/key/";

  struct Versions {
    std::string last, before;
  };
  // A request, in whichever dialect it was.
  struct Asked {
    bool is_api = false;
    std::string method;  // GET, HEAD or PUT
    std::string path;
    std::string image;  // PUT
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
    Asked asked = understand(parser.head(), std::move(body));
    const bool is_put = asked.method == "PUT";
    Versions& versions = images_[asked.path];
    const bool is_image = parser.head().target != "/metrics";  // which a run reads as well
    if (is_image) operations_.push_back(asked.method + ' ' + asked.path);
    const bool is_faulty = is_image && fault_ != Fault::none && asked.method == faulty_method_ &&
                           ++counted_ % every_ == 0;
    const Fault fault = is_faulty ? fault_ : Fault::none;
    if (is_faulty) ++faults;
    if (fault == Fault::silent) co_await wait_for_end(stream, buffer);
    if (fault == Fault::drop || fault == Fault::silent) co_return false;
    if (fault == Fault::stall) co_await wait_for_stall();
    if (is_put && fault != Fault::fail) {
      versions.before = std::exchange(versions.last, std::move(asked.image));
    }

    int status = is_put ? 200 : versions.last.empty() ? 404 : 200;
    std::string content = is_put ? std::string() : versions.last;
    if (fault == Fault::stale && !versions.before.empty()) content = versions.before;
    if (fault == Fault::corrupt && !content.empty()) content[content.size() / 2] ^= 1;
    if (fault == Fault::swap) content = images_.begin()->second.last;
    if (fault == Fault::lose) status = 404;
    if (fault == Fault::fail) status = 503;
    if (status != 200) content.clear();
    if (asked.is_api) content = api_answer(asked, status, content, fault);
    const std::string framing = fault == Fault::endless
                                    ? "Connection: close"
                                    : fmt::format("Content-Length: {}", content.size());
    std::string answer = fmt::format("HTTP/1.1 {} Whatever\r\n{}\r\nX-Cache: {}\r\n\r\n", status,
                                     framing, ++answered_ % 2 == 0 ? "hit" : "miss");
    if (fault == Fault::garbage) answer = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
    if (fault == Fault::truncate) content.resize(content.size() / 2);
    if (fault == Fault::endless) content.resize(content.size() / 2);  // within the JSON's string
    if (fault != Fault::drip) answer += content;
    const net::Stream::Pieces pieces{answer, {}, {}};
    Result<void> written = co_await stream.write(pieces);
    if (fault == Fault::drip) co_await drip(stream, content);
    if (fault == Fault::endless) co_await write_endlessly(stream);
    const bool is_last = fault == Fault::truncate || fault == Fault::garbage ||
                         fault == Fault::drip || fault == Fault::endless;
    co_return written.ok() && !is_last;
  }

  static Asked understand(const http::MessageHead& head, std::string body) {
    Asked asked;
    asked.method = to_string(head.method);
    asked.path = head.target;
    asked.image = std::move(body);
    asked.is_api = head.target.starts_with("/api/");
    if (head.target.starts_with(api_key)) {
      asked.method = "GET";
      asked.path = "/images/" + head.target.substr(api_key.size());
    } else if (head.target == "/api/upload") {
      asked.method = "PUT";
      read_form(head.headers.find("Content-Type").value_or(""), asked);
    }
    return asked;
  }

  // The fields `key` and `file`.
  static void read_form(std::string_view content_type, Asked& asked) {
    using Event = http::MultipartParser::Event;
    const Result<std::string> boundary = http::boundary_of(content_type);
    CHECK(boundary.ok());
    if (!boundary) return;
    const std::string body = std::exchange(asked.image, {});
    asked.path = "/images/";
    http::MultipartParser parser(*boundary);
    std::string_view input = body;
    Event event = Event::need_more;
    do {
      event = parser.next(input);
      if (event != Event::data) continue;
      (parser.part().name == "file" ? asked.image : asked.path) += parser.data();
    } while (event != Event::need_more && event != Event::end && event != Event::error);
    CHECK(event == Event::end);
  }

  static std::string api_answer(const Asked& asked, int status, const std::string& image,
                                Fault fault) {
    const bool succeeds = status == 200 && fault != Fault::refuse;
    std::string json = fmt::format(R"({{"success":"{}")", succeeds);
    if (succeeds && asked.method == "GET") {
      std::string content = http::base64::encode(image);
      if (fault == Fault::spoil_base64) content[content.size() / 2] = '?';
      std::string key = asked.path.substr(std::string_view("/images/").size());
      if (fault == Fault::misname) key += '0';
      json += fmt::format(R"(,"key":"{}","content":"{}")", key, content);
    }
    if (fault != Fault::spoil_json) json += '}';
    return json;
  }

  Task<void> drip(net::Stream& stream, std::string_view content) {
    net::Timer timer(loop_);
    Result<void> written;
    while (written && !content.empty()) {
      co_await timer.wait(drip_ms);
      const net::Stream::Pieces pieces{content.substr(0, 1), {}, {}};
      written = co_await stream.write(pieces);
      content.remove_prefix(1);
    }
  }

  // Until nobody reads it any more.
  static Task<void> write_endlessly(net::Stream& stream) {
    const std::string more(64 * 1024, 'x');
    const net::Stream::Pieces pieces{more, {}, {}};
    Result<void> written;
    while (written) written = co_await stream.write(pieces);
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
  std::vector<std::string> operations_;
  Fault fault_ = Fault::none;
  std::string faulty_method_;
  unsigned every_ = 1;
  std::uint64_t counted_ = 0;
  std::uint64_t answered_ = 0;
  Gate gate_;
};

}  // namespace imgcached::test
