// The client of a cache service elsewhere, against a server whose answers the
// test holds back.
#include "cache/http_cache_client.h"

#include <doctest/doctest.h>

#include <coroutine>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "http/server.h"
#include "tests/net/run_task.h"
#include "tests/net/stream_pair.h"

namespace imgcached::cache {
namespace {

using test::keep_result;
using test::run_task;
using test::run_until;

// Answers every get with a miss, once it is let go on.
class HeldService {
 public:
  explicit HeldService(net::Loop& loop) : server_(loop, router_, nullptr, {}) {
    router_.add({http::Method::get, "/get_from_memcache",
                 [this](http::Request&) { return answer(*this); }});
    REQUIRE(server_.listen(test::loopback(loop)).ok());
  }

  net::Address address() const { return server_.address(); }
  std::size_t held() const { return waiters_.size(); }
  void go_on() {
    goes_on_ = true;
    for (const std::coroutine_handle<> waiter : std::exchange(waiters_, {})) waiter.resume();
  }
  Task<void> drain() { return server_.drain(60'000); }

 private:
  struct Hold {
    HeldService& service;
    bool await_ready() const noexcept { return service.goes_on_; }
    void await_suspend(std::coroutine_handle<> waiter) const { service.waiters_.push_back(waiter); }
    void await_resume() const noexcept {}
  };
  static Task<http::Response> answer(HeldService& service) {
    Hold hold{service};
    co_await hold;
    http::Response response = http::make_response(404, "text/plain", "Key Not Found");
    response.headers.add("X-Lease", "7");
    co_return response;
  }

  http::Router router_;
  http::Server server_;
  bool goes_on_ = false;
  std::vector<std::coroutine_handle<>> waiters_;
};

// It used to be taken for a service that is lost: half a second of misses for all.
TEST_CASE("a get that finds every connection busy for too long fails alone") {
  constexpr std::size_t connections = 32;
  net::Loop loop;
  {
    HeldService service(loop);
    HttpCacheClient client(loop, service.address(), 1'000);
    Gate gate;
    std::deque<std::optional<Result<Lookup>>> found;
    while (found.size() < connections) {
      gate.spawn(keep_result(client.get("cat"), found.emplace_back()));
    }
    run_until(loop, [&] { return service.held() == connections; });
    const Result<Lookup> late = run_task(loop, client.get("cat"));
    REQUIRE_FALSE(late.ok());
    CHECK(late.error().code == Errc::unavailable);

    service.go_on();
    const Result<Lookup> next = run_task(loop, client.get("cat"));
    REQUIRE_MESSAGE(next.ok(), next.error().message);
    CHECK(next->lease == 7);
    run_until(loop, [&] { return gate.running() == 0; });
    for (const auto& each : found) CHECK((*each).ok());
    client.close();
    run_task(loop, service.drain());
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

}  // namespace
}  // namespace imgcached::cache
