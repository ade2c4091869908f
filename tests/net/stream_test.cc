#include "net/stream.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/blob.h"
#include "net/listener.h"
#include "net/timer.h"
#include "tests/net/run_task.h"
#include "tests/net/stream_pair.h"

namespace imgcached::net {
namespace {

using test::end_of_writing;
using test::keep_result;
using test::loopback;
using test::read_all;
using test::read_some;
using test::run_task;
using test::run_until;
using test::StreamPair;
using test::write_text;

constexpr std::size_t more_than_sockets_hold = 32u << 20;

// Bytes of which no two neighbouring blocks are equal.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>(i * 31 + (i >> 8) + (i >> 16));
  return bytes;
}

Task<void> echo(Loop& loop, Stream& stream) {
  while (true) {
    Result<std::string> text = co_await read_some(loop, stream);
    if (!text || text->empty()) co_return;
    Result<void> written = co_await write_text(stream, std::move(*text));
    CHECK(written.ok());
  }
}

Task<Result<void>> write_pieces(Stream& stream, std::string_view head, std::string_view body) {
  const Stream::Pieces pieces{head, body};
  Result<void> written = co_await stream.write(pieces);
  co_return written;
}

Task<Digest> read_slowly(Loop& loop, Stream& stream) {
  DigestStream digest;
  ReadBuffer buffer(loop.buffers());
  Timer pause(loop);
  for (int reads = 1;; ++reads) {
    Result<std::size_t> count = co_await stream.read(buffer);
    if (!count || *count == 0) break;
    digest.update(buffer.unread());
    buffer.release();
    if (reads % 50 == 0) co_await pause.wait(1);
  }
  co_return digest.finish();
}

TEST_CASE("what one side writes the other reads, both ways, until the end") {
  Loop loop;
  StreamPair pair(loop);
  Gate gate;
  gate.spawn(echo(loop, *pair.far));
  for (const char* text : {"one", "two", "three"}) {
    REQUIRE(run_task(loop, write_text(*pair.near, text)));
    const Result<std::string> answer = run_task(loop, read_some(loop, *pair.near));
    REQUIRE(answer.ok());
    CHECK(*answer == text);
  }
  REQUIRE(run_task(loop, end_of_writing(*pair.near)));
  run_until(loop, [&] { return gate.running() == 0; });
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("the end of the stream reads as nothing, and the other direction goes on") {
  Loop loop;
  StreamPair pair(loop);
  REQUIRE(run_task(loop, end_of_writing(*pair.near)));
  for (int again = 0; again < 2; ++again) {
    const Result<std::string> end = run_task(loop, read_some(loop, *pair.far));
    REQUIRE(end.ok());
    CHECK(end->empty());
  }
  REQUIRE(run_task(loop, write_text(*pair.far, "still here")));
  const Result<std::string> text = run_task(loop, read_some(loop, *pair.near));
  REQUIRE(text.ok());
  CHECK(*text == "still here");
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a peer is connected until either side closes, not only until it has said all") {
  Loop loop;
  StreamPair pair(loop);
  CHECK(pair.near->is_connected());
  REQUIRE(run_task(loop, end_of_writing(*pair.far)).ok());
  CHECK(pair.near->is_connected());
  REQUIRE(run_task(loop, write_text(*pair.near, "never read: the close becomes a reset")).ok());
  pair.far->close();
  CHECK_FALSE(pair.near->is_connected());
  CHECK_FALSE(pair.far->is_connected());
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a reset reads as closed") {
  Loop loop;
  StreamPair pair(loop);
  REQUIRE(run_task(loop, write_text(*pair.near, "never read: the close becomes a reset")));
  pair.far->close();
  const Result<std::string> text = run_task(loop, read_some(loop, *pair.near));
  REQUIRE_FALSE(text.ok());
  CHECK(text.error().code == Errc::closed);
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("writing to a peer that has gone is an error and does not end the process") {
  Loop loop;
  StreamPair pair(loop);
  REQUIRE(run_task(loop, write_text(*pair.near, "unread")));
  pair.far->close();
  REQUIRE_FALSE(run_task(loop, read_some(loop, *pair.near)));  // the reset has arrived
  for (int again = 0; again < 2; ++again) {
    const Result<void> written = run_task(loop, write_text(*pair.near, "too late"));
    REQUIRE_FALSE(written.ok());
    CHECK(written.error().code == Errc::closed);
  }
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a large write arrives whole at a reader who takes its time") {
  Loop loop;
  StreamPair pair(loop);
  const std::string body = pattern(more_than_sockets_hold);
  Gate gate;
  std::optional<Result<void>> written;
  std::optional<Digest> digest;
  gate.spawn(keep_result(write_pieces(*pair.near, "head", body), written));
  CHECK_FALSE(written);
  gate.spawn(keep_result(read_slowly(loop, *pair.far), digest));
  run_until(loop, [&] { return written.has_value(); });
  CHECK(written->ok());
  REQUIRE(run_task(loop, end_of_writing(*pair.near)));
  run_until(loop, [&] { return gate.running() == 0; });
  CHECK(*digest == digest_of("head" + body));
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("pieces arrive in order, whichever is empty") {
  Loop loop;
  StreamPair pair(loop);
  REQUIRE(run_task(loop, write_pieces(*pair.near, "a", "b")));
  REQUIRE(run_task(loop, write_pieces(*pair.near, "", "c")));
  REQUIRE(run_task(loop, write_pieces(*pair.near, "", "")));
  REQUIRE(run_task(loop, write_pieces(*pair.near, "d", "")));
  REQUIRE(run_task(loop, end_of_writing(*pair.near)));
  const Result<std::string> text = run_task(loop, read_all(loop, *pair.far));
  REQUIRE(text.ok());
  CHECK(*text == "abcd");
  pair.close();
  loop.run();
}

TEST_CASE("while nobody reads, the writer is held back, and nothing is lost") {
  Loop loop;
  StreamPair pair(loop);
  const std::string body = pattern(more_than_sockets_hold);
  Gate gate;
  std::optional<Result<void>> written;
  gate.spawn(keep_result(write_pieces(*pair.near, {}, body), written));
  // One read switches reading on; then nobody reads for a while.
  const Result<std::string> first = run_task(loop, read_some(loop, *pair.far));
  REQUIRE(first.ok());
  Timer pause(loop);
  bool passed = false;
  pause.start(
      50, [](void* flag) { *static_cast<bool*>(flag) = true; }, &passed);
  run_until(loop, [&] { return passed; });
  CHECK_FALSE(written);

  std::optional<Result<std::string>> rest;
  gate.spawn(keep_result(read_all(loop, *pair.far), rest));
  run_until(loop, [&] { return written.has_value(); });
  REQUIRE(run_task(loop, end_of_writing(*pair.near)));
  run_until(loop, [&] { return gate.running() == 0; });
  REQUIRE(rest->ok());
  CHECK(digest_of(*first + **rest) == digest_of(body));
  pause.close();
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a write that meets its deadline is timed out and ends the connection") {
  Loop loop;
  StreamPair pair(loop);
  const std::string body(more_than_sockets_hold, 'x');
  pair.near->set_deadline(30);
  const Result<void> written = run_task(loop, write_pieces(*pair.near, {}, body));
  REQUIRE_FALSE(written.ok());
  CHECK(written.error().code == Errc::timed_out);
  pair.near->set_deadline(0);
  const Result<void> again = run_task(loop, write_text(*pair.near, "more"));
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().code == Errc::closed);
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a read that meets its deadline is timed out, and the stream stays usable") {
  Loop loop;
  StreamPair pair(loop);
  pair.far->set_deadline(20);
  for (int again = 0; again < 2; ++again) {  // the second need not wait any more
    const Result<std::string> nothing = run_task(loop, read_some(loop, *pair.far));
    REQUIRE_FALSE(nothing.ok());
    CHECK(nothing.error().code == Errc::timed_out);
  }
  REQUIRE(run_task(loop, write_text(*pair.near, "late")));
  pair.far->set_deadline(5'000);
  const Result<std::string> text = run_task(loop, read_some(loop, *pair.far));
  REQUIRE(text.ok());
  CHECK(*text == "late");
  REQUIRE(run_task(loop, write_text(*pair.far, "answer")));
  CHECK(*run_task(loop, read_some(loop, *pair.near)) == "answer");
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

// The loop's timers run before its sockets: a busy loop used to time out what was there.
TEST_CASE("what came before the deadline is read, however late the loop looks") {
  Loop loop;
  StreamPair pair(loop);
  Gate gate;
  std::optional<Result<std::string>> text;
  pair.near->set_deadline(20);
  gate.spawn(keep_result(read_some(loop, *pair.near), text));
  REQUIRE(run_task(loop, write_text(*pair.far, "in time")).ok());
  const auto late = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  while (std::chrono::steady_clock::now() < late) {}  // the loop is busy
  test::run_until(loop, [&] { return text.has_value(); });
  REQUIRE((*text).ok());
  CHECK(**text == "in time");
  // The deadline has passed all the same.
  const Result<std::string> more = run_task(loop, read_some(loop, *pair.near));
  REQUIRE_FALSE(more.ok());
  CHECK(more.error().code == Errc::timed_out);
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a connection that was made in time counts, however late the loop looks") {
  Loop loop;
  {
    Result<Listener> listener = Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    Gate gate;
    std::optional<Result<Stream>> stream;
    uv_update_time(loop.raw());
    gate.spawn(keep_result(Stream::connect(loop, listener->address(), 20), stream));
    const auto late = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    while (std::chrono::steady_clock::now() < late) {}  // the loop is busy
    test::run_until(loop, [&] { return stream.has_value(); });
    CHECK((*stream).ok());
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a deadline that was removed does not fire") {
  Loop loop;
  StreamPair pair(loop);
  Gate gate;
  std::optional<Result<std::string>> text;
  pair.far->set_deadline(10);
  pair.far->set_deadline(0);
  gate.spawn(keep_result(read_some(loop, *pair.far), text));
  Timer pause(loop);
  bool passed = false;
  pause.start(
      40, [](void* flag) { *static_cast<bool*>(flag) = true; }, &passed);
  run_until(loop, [&] { return passed; });
  CHECK_FALSE(text);
  REQUIRE(run_task(loop, write_text(*pair.near, "here")));
  run_until(loop, [&] { return gate.running() == 0; });
  CHECK(**text == "here");
  pause.close();
  pair.close();
  loop.run();
}

TEST_CASE("closing a stream gives the waiting reader an error") {
  Loop loop;
  StreamPair pair(loop);
  Gate gate;
  std::optional<Result<std::string>> text;
  gate.spawn(keep_result(read_some(loop, *pair.near), text));
  pair.near->close();
  CHECK_FALSE(text);  // resumed by the loop, never from within close()
  run_until(loop, [&] { return gate.running() == 0; });
  REQUIRE_FALSE(text->ok());
  CHECK(text->error().code == Errc::closed);
  pair.near->close();
  CHECK_FALSE(pair.near->is_open());
  CHECK(run_task(loop, read_some(loop, *pair.near)).error().code == Errc::closed);
  CHECK(run_task(loop, write_text(*pair.near, "x")).error().code == Errc::closed);
  CHECK(run_task(loop, end_of_writing(*pair.near)).error().code == Errc::closed);
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("closing a stream gives the waiting writer an error") {
  Loop loop;
  StreamPair pair(loop);
  const std::string body(more_than_sockets_hold, 'x');
  Gate gate;
  std::optional<Result<void>> written;
  gate.spawn(keep_result(write_pieces(*pair.near, {}, body), written));
  pair.near->close();
  run_until(loop, [&] { return gate.running() == 0; });
  REQUIRE_FALSE(written->ok());
  CHECK(written->error().code == Errc::closed);
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a stream that moves takes its deadline along") {
  Loop loop;
  StreamPair pair(loop);
  pair.far->set_deadline(20);
  Stream moved = std::move(*pair.far);
  const Result<std::string> nothing = run_task(loop, read_some(loop, moved));
  REQUIRE_FALSE(nothing.ok());
  CHECK(nothing.error().code == Errc::timed_out);
  moved.close();
  pair.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a stream knows its peer") {
  Loop loop;
  StreamPair pair(loop);
  CHECK(pair.near->peer().host == "127.0.0.1");
  CHECK(pair.far->peer().host == "127.0.0.1");
  CHECK(pair.far->peer().port != pair.near->peer().port);
  pair.close();
  loop.run();
}

TEST_CASE("connecting where nobody listens is unavailable and names the address") {
  Loop loop;
  Address nobody;
  {
    Result<Listener> listener = Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    nobody = listener->address();
  }
  loop.run();
  const Result<Stream> stream = run_task(loop, Stream::connect(loop, nobody, 1'000));
  REQUIRE_FALSE(stream.ok());
  CHECK(stream.error().code == Errc::unavailable);
  CHECK(stream.error().message.find(nobody.text()) != std::string::npos);
  loop.run();
  CHECK(loop.live_handles() == 0);
}

// A port whose backlog is full: the kernel drops what else wants to connect.
class DeadEnd {
 public:
  explicit DeadEnd(Loop& loop) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof name;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&name), length) == 0);
    REQUIRE(::listen(socket_, 0) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address.storage), &length) == 0);
    while (!error && connected_.size() < 8) {
      Result<Stream> stream = run_task(loop, Stream::connect(loop, {address}, 50));
      if (stream) {
        connected_.push_back(std::move(*stream));
      } else {
        error = stream.error();
      }
    }
    REQUIRE(error);
  }
  ~DeadEnd() { ::close(socket_); }

  SocketAddress address;
  std::optional<Error> error;  // of an attempt to connect to it

 private:
  const int socket_;
  std::vector<Stream> connected_;
};

TEST_CASE("connecting takes no longer than its timeout") {
  Loop loop;
  {
    const DeadEnd dead_end(loop);
    CHECK(dead_end.error->code == Errc::timed_out);
    CHECK(dead_end.error->message.find(dead_end.address.address().text()) != std::string::npos);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

// Only the first address of a name used to be tried.
TEST_CASE("the addresses of a name are tried in turn") {
  Loop loop;
  {
    const DeadEnd silent(loop);
    SocketAddress refusing;
    {
      Result<Listener> listener = Listener::open(loop, loopback(loop));
      REQUIRE(listener.ok());
      refusing = run_task(loop, resolve(loop, listener->address()))->front();
    }
    Result<Listener> listener = Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    const SocketAddress serving = run_task(loop, resolve(loop, listener->address()))->front();

    std::vector<SocketAddress> targets;
    SUBCASE("past one that refuses") { targets = {refusing, serving}; }
    SUBCASE("past one that is silent") { targets = {silent.address, serving}; }
    SUBCASE("past several") { targets = {refusing, silent.address, refusing, serving}; }
    Result<Stream> stream = run_task(loop, Stream::connect(loop, targets, 2'000));
    REQUIRE_MESSAGE(stream.ok(), stream.error().message);
    CHECK(stream->peer() == listener->address());

    const Result<Stream> none = run_task(loop, Stream::connect(loop, {refusing, refusing}, 2'000));
    REQUIRE_FALSE(none.ok());
    CHECK(none.error().code == Errc::unavailable);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

}  // namespace
}  // namespace imgcached::net
