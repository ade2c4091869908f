#include "net/address.h"

#include <doctest/doctest.h>

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
    const Result<SocketAddress> resolved = run_task(loop, resolve(loop, address));
    REQUIRE(resolved.ok());
    CHECK(resolved->address() == address);
  }
}

TEST_CASE("a host name resolves on the thread pool") {
  Loop loop;
  const Result<SocketAddress> resolved = run_task(loop, resolve(loop, {"localhost", 5000}));
  REQUIRE(resolved.ok());
  const Address address = resolved->address();
  CHECK((address.host == "127.0.0.1" || address.host == "::1"));
  CHECK(address.port == 5000);
  loop.run();
  CHECK(loop.live_jobs() == 0);
}

}  // namespace
}  // namespace imgcached::net
