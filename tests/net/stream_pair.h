// Two connected streams on one loop, and the small tasks that tests make of
// them.
#pragma once

#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "net/listener.h"
#include "net/stream.h"
#include "net/timer.h"
#include "tests/e2e/fixture.h"
#include "tests/net/run_task.h"

namespace imgcached::test {

// A free port of the loopback interface.
inline net::SocketAddress loopback(net::Loop& loop) {
  Result<std::vector<net::SocketAddress>> addresses =
      run_task(loop, net::resolve(loop, {"127.0.0.1", 0}));
  return addresses->front();
}

struct StreamPair {
  explicit StreamPair(net::Loop& loop) {
    Result<net::Listener> listener = net::Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    run_task(loop, connect(loop, *listener, *this));
    REQUIRE(near);
    REQUIRE(far);
  }

  void close() {
    near->close();
    far->close();
  }

  std::optional<net::Stream> near;  // the side that connected
  std::optional<net::Stream> far;   // the side that was accepted

 private:
  static Task<void> connect(net::Loop& loop, net::Listener& listener, StreamPair& pair) {
    Result<net::Stream> near = co_await net::Stream::connect(loop, listener.address(), 5'000);
    CHECK(near.ok());
    Result<net::Stream> far = co_await listener.accept();
    CHECK(far.ok());
    if (near) pair.near.emplace(std::move(*near));
    if (far) pair.far.emplace(std::move(*far));
  }
};

inline Task<Result<void>> write_text(net::Stream& stream, std::string text) {
  const net::Stream::Pieces pieces{text, {}};
  Result<void> written = co_await stream.write(pieces);
  co_return written;
}

// What one read brings; empty at the end of the stream.
inline Task<Result<std::string>> read_some(net::Loop& loop, net::Stream& stream) {
  net::ReadBuffer buffer(loop.buffers());
  Result<std::size_t> count = co_await stream.read(buffer);
  if (!count) co_return std::move(count).error();
  co_return std::string(buffer.unread());
}

// All until the end of the stream.
inline Task<Result<std::string>> read_all(net::Loop& loop, net::Stream& stream) {
  std::string text;
  while (true) {
    Result<std::string> some = co_await read_some(loop, stream);
    if (!some) co_return std::move(some).error();
    if (some->empty()) co_return text;
    text += *some;
  }
}

inline Task<Result<void>> end_of_writing(net::Stream& stream) {
  Result<void> ended = co_await stream.shutdown();
  co_return ended;
}

// Turns the loop until `done()`; a test that has no more patience fails.
template <class Predicate>
void run_until(net::Loop& loop, Predicate done) {
  bool is_late = false;
  net::Timer patience(loop);
  patience.start(
      e2e::patience_ms, [](void* late) { *static_cast<bool*>(late) = true; }, &is_late);
  while (!done()) {
    if (is_late) FAIL("what the test waits for does not happen");
    uv_run(loop.raw(), UV_RUN_ONCE);
  }
}

}  // namespace imgcached::test
