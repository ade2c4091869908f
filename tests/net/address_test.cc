#include "net/address.h"

#include <doctest/doctest.h>

#include "tests/net/busy_threads.h"
#include "tests/net/run_task.h"

namespace imgcached::net {
namespace {

using test::run_task;

TEST_CASE("addresses are read and written as host:port") {
  for (const char* text : {"127.0.0.1:5000", "localhost:0", "[::1]:65535", "cache.example:5001"}) {
    CAPTURE(text);
    const Result<Address> address = Address::parse(text);
    REQUIRE(address.ok());
    CHECK(address->text() == text);
  }
  CHECK(Address::parse("[::1]:80")->host == "::1");
}

TEST_CASE("what is no address is refused with an example of one") {
  for (const char* text :
       {"", "5000", ":5000", "host", "host:", "host:port", "host:65536", "host:-1", "host:+1",
        "host: 1", "host:1x", "::1:5000", "[::1]", "[::1]5000", "[]:5000", "[::1:5000"}) {
    CAPTURE(text);
    const Result<Address> address = Address::parse(text);
    REQUIRE_FALSE(address.ok());
    CHECK(address.error().code == Errc::invalid_argument);
    CHECK(address.error().message.find("127.0.0.1:5000") != std::string::npos);
  }
}

TEST_CASE("numeric hosts resolve to themselves") {
  Loop loop;
  for (const Address& address : {Address{"127.0.0.1", 5000}, Address{"::1", 80}}) {
    const Result<std::vector<SocketAddress>> resolved = run_task(loop, resolve(loop, address));
    REQUIRE(resolved.ok());
    REQUIRE(resolved->size() == 1);
    CHECK(resolved->front().address() == address);
  }
  CHECK(loop.live_jobs() == 0);
}

// As a socket that listens on [::] tells of its clients by IPv4.
TEST_CASE("bug: an IPv4 address within an IPv6 one was taken for no loopback address") {
  Loop loop;
  const Result<std::vector<SocketAddress>> resolved =
      run_task(loop, resolve(loop, {"::ffff:127.0.0.1", 5000}));
  REQUIRE(resolved.ok());
  CHECK(resolved->front().address() == Address{"127.0.0.1", 5000});
}

TEST_CASE("a host name resolves on the thread pool") {
  Loop loop;
  const Result<std::vector<SocketAddress>> resolved =
      run_task(loop, resolve(loop, {"localhost", 5000}));
  REQUIRE(resolved.ok());
  REQUIRE_FALSE(resolved->empty());
  for (const SocketAddress& each : *resolved) {
    const Address address = each.address();
    CHECK((address.host == "127.0.0.1" || address.host == "::1"));
    CHECK(address.port == 5000);
  }
  loop.run();
  CHECK(loop.live_jobs() == 0);
}

using Resolved = std::optional<Result<std::vector<SocketAddress>>>;

// Look-ups used to take as long as the name server liked, each a thread.
TEST_CASE("a look-up that takes too long is given up, and ends without its askers") {
  Loop loop;
  test::BusyThreads threads(loop);  // so that the look-up does not even begin
  const std::size_t busy = loop.live_jobs();
  Gate gate;
  Resolved first, second, patient;
  gate.spawn(test::keep_result(resolve(loop, {"localhost", 80}, 20), first));
  gate.spawn(test::keep_result(resolve(loop, {"localhost", 80}, 20), second));
  SUBCASE("with nobody left who waits") {}
  SUBCASE("with one who has more patience") {
    gate.spawn(test::keep_result(resolve(loop, {"localhost", 80}, 1'000'000), patient));
  }
  CHECK(loop.live_jobs() == busy + 1);  // one thread at most, however many ask
  while (!first || !second) uv_run(loop.raw(), UV_RUN_ONCE);
  CHECK((*first).error().code == Errc::timed_out);
  CHECK((*second).error().code == Errc::timed_out);
  CHECK(loop.live_jobs() == busy + 1);

  const bool somebody_waits = gate.running() > 0;
  threads.free();
  loop.run();
  CHECK(gate.running() == 0);
  CHECK(loop.live_jobs() == 0);
  if (somebody_waits) CHECK((*patient).ok());
}

TEST_CASE("the next who asks for a name after a failure asks anew") {
  Loop loop;
  for (int i = 0; i < 2; ++i) {
    const Result<std::vector<SocketAddress>> resolved =
        run_task(loop, resolve(loop, {"no-such-host.invalid", 80}));
    REQUIRE_FALSE(resolved.ok());
    CHECK(resolved.error().code == Errc::unavailable);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

}  // namespace
}  // namespace imgcached::net
