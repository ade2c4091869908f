#include "net/deadline.h"

#include <doctest/doctest.h>

#include "base/clock.h"
#include "net/timer.h"
#include "tests/net/run_task.h"

namespace imgcached::net {
namespace {

using test::forever_ms;
using test::run_task;

struct Fixture {
  Loop loop;
  Deadline deadline{loop};
  std::uint64_t set_at_ms = 0;
  std::uint64_t timeout_ms = 0;
  int met = 0;

  void set(std::uint64_t timeout) {
    set_at_ms = monotonic_ms();
    timeout_ms = timeout;
    deadline.set(
        timeout,
        [](void* argument) {
          auto* self = static_cast<Fixture*>(argument);
          ++self->met;
          CHECK(monotonic_ms() - self->set_at_ms >= self->timeout_ms);
        },
        this);
  }
  void pass(std::uint64_t time_ms) { run_task(loop, wait(loop, time_ms)); }
  static Task<void> wait(Loop& loop, std::uint64_t time_ms) {
    Timer timer(loop);
    co_await timer.wait(time_ms);
  }
  ~Fixture() {
    deadline.close();
    loop.run();
    CHECK(loop.live_handles() == 0);
  }
};

TEST_CASE("a deadline is met once, and not again before it is set again") {
  Fixture fixture;
  fixture.set(5);
  fixture.pass(30);
  CHECK(fixture.met == 1);
  fixture.set(5);
  fixture.pass(30);
  CHECK(fixture.met == 2);
}

TEST_CASE("a deadline that is moved on is met at its last time only") {
  Fixture fixture;
  for (int i = 0; i < 5; ++i) {
    fixture.set(500);  // far beyond the next move, on a busy machine too
    fixture.pass(2);
  }
  CHECK(fixture.met == 0);
  while (fixture.met == 0) fixture.pass(1);  // how long that took is checked when it is met
  fixture.pass(20);
  CHECK(fixture.met == 1);
}

TEST_CASE("a deadline that is moved nearer is met there") {
  Fixture fixture;
  fixture.set(forever_ms);
  fixture.set(5);
  fixture.pass(30);
  CHECK(fixture.met == 1);
}

TEST_CASE("a deadline that is cleared or closed is not met, though its timer goes off") {
  Fixture fixture;
  fixture.set(5);
  fixture.deadline.clear();
  fixture.pass(30);
  CHECK(fixture.met == 0);
  fixture.set(5);
  fixture.deadline.close();
  fixture.pass(30);
  fixture.set(5);  // of no effect now
  fixture.pass(30);
  CHECK(fixture.met == 0);
}

}  // namespace
}  // namespace imgcached::net
