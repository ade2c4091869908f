#include "net/listener.h"

#include <doctest/doctest.h>

#include "tests/net/run_task.h"
#include "tests/net/stream_pair.h"

namespace imgcached::net {
namespace {

using test::keep_result;
using test::loopback;
using test::run_task;
using test::run_until;

Task<Result<Stream>> accept_one(Listener& listener) {
  Result<Stream> stream = co_await listener.accept();
  co_return stream;
}

Task<void> accept_all(Listener& listener, std::size_t& accepted) {
  std::vector<Stream> streams;
  while (true) {
    Result<Stream> stream = co_await listener.accept();
    if (!stream) co_return;
    streams.push_back(std::move(*stream));
    ++accepted;
  }
}

TEST_CASE("port 0 picks a free port, which the listener tells") {
  Loop loop;
  {
    Result<Listener> listener = Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    CHECK(listener->address().host == "127.0.0.1");
    CHECK(listener->address().port != 0);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a port that is taken is an error that names the address") {
  Loop loop;
  {
    Result<Listener> first = Listener::open(loop, loopback(loop));
    REQUIRE(first.ok());
    const Address taken = first->address();
    Result<std::vector<SocketAddress>> same = run_task(loop, resolve(loop, taken));
    const Result<Listener> second = Listener::open(loop, same->front());
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().code == Errc::invalid_argument);
    CHECK(second.error().message.find(taken.text()) != std::string::npos);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a port that is shared is for those who join it, and for nobody who does not") {
  Loop loop;
  {
    Result<Listener> first = Listener::open(loop, loopback(loop), PortUse::shared);
    REQUIRE(first.ok());
    Result<std::vector<SocketAddress>> same = run_task(loop, resolve(loop, first->address()));
    const auto open = [&](PortUse use) { return Listener::open(loop, same->front(), use); };
    // Another program that shares its port does not get into this one's.
    CHECK_FALSE(open(PortUse::exclusive).ok());
    CHECK_FALSE(open(PortUse::shared).ok());
    Result<Listener> second = open(PortUse::shared_join);
    REQUIRE(second.ok());
    CHECK(second->address() == first->address());
    CHECK_FALSE(open(PortUse::shared).ok());

    // Each gets some of many.
    Gate gate;
    std::size_t accepted[2] = {};
    gate.spawn(accept_all(*first, accepted[0]));
    gate.spawn(accept_all(*second, accepted[1]));
    std::vector<Stream> clients;
    for (std::size_t i = 1; i <= 64; ++i) {
      Result<Stream> client = run_task(loop, Stream::connect(loop, first->address(), 1'000));
      REQUIRE(client.ok());
      clients.push_back(std::move(*client));
      run_until(loop, [&] { return accepted[0] + accepted[1] == i; });
    }
    CHECK(accepted[0] > 0);
    CHECK(accepted[1] > 0);
    first->close();
    second->close();
    run_until(loop, [&] { return gate.running() == 0; });
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a port that is not shared is nobody's to join") {
  Loop loop;
  {
    Result<Listener> first = Listener::open(loop, loopback(loop));
    REQUIRE(first.ok());
    Result<std::vector<SocketAddress>> same = run_task(loop, resolve(loop, first->address()));
    CHECK_FALSE(Listener::open(loop, same->front(), PortUse::shared_join).ok());
  }
  loop.run();
}

TEST_CASE("connections that came while nobody accepted are handed out later") {
  Loop loop;
  {
    Result<Listener> listener = Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    std::vector<Stream> clients;
    for (int i = 0; i < 3; ++i) {
      Result<Stream> client = run_task(loop, Stream::connect(loop, listener->address(), 1'000));
      REQUIRE(client.ok());
      clients.push_back(std::move(*client));
    }
    for (int i = 0; i < 3; ++i) CHECK(run_task(loop, accept_one(*listener)).ok());
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("bug: a crowd that connects at once has the loop's turn for itself") {
  Loop loop;
  {
    Result<Listener> listener = Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    constexpr std::size_t crowd = 3 * Listener::accepts_per_turn_max + 10;
    std::vector<Stream> clients;
    for (std::size_t i = 0; i < crowd; ++i) {
      Result<Stream> client = run_task(loop, Stream::connect(loop, listener->address(), 1'000));
      REQUIRE(client.ok());
      clients.push_back(std::move(*client));
    }
    Gate gate;
    std::size_t accepted = 0;
    gate.spawn(accept_all(*listener, accepted));
    while (accepted < crowd) {
      const std::size_t before = accepted;
      uv_run(loop.raw(), UV_RUN_ONCE);
      CHECK(accepted - before <= Listener::accepts_per_turn_max);
    }
    listener->close();
    run_until(loop, [&] { return gate.running() == 0; });
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("closing a listener gives the waiting acceptor, and later ones, an error") {
  Loop loop;
  {
    Result<Listener> listener = Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    Gate gate;
    std::optional<Result<Stream>> accepted;
    gate.spawn(keep_result(accept_one(*listener), accepted));
    listener->close();
    listener->close();
    run_until(loop, [&] { return gate.running() == 0; });
    REQUIRE_FALSE(accepted->ok());
    CHECK(accepted->error().code == Errc::closed);
    CHECK(run_task(loop, accept_one(*listener)).error().code == Errc::closed);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

}  // namespace
}  // namespace imgcached::net
