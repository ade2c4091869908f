#include "net/fd_watcher.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>

#include "tests/net/run_task.h"
#include "tests/net/stream_pair.h"

namespace imgcached::net {
namespace {

using test::forever_ms;
using test::keep_result;
using test::run_task;
using test::run_until;

struct SocketPair {
  SocketPair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0); }
  ~SocketPair() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::array<int, 2> ends;
};

Task<int> wait_for(FdWatcher& watcher, int events, std::uint64_t timeout_ms) {
  const int ready = co_await watcher.wait(events, timeout_ms);
  co_return ready;
}

TEST_CASE("a watcher tells when its descriptor can be read and written") {
  Loop loop;
  SocketPair pair;
  {
    FdWatcher watcher(loop);
    REQUIRE(watcher.watch(pair.ends[0]));
    CHECK(run_task(loop, wait_for(watcher, FdWatcher::writable, forever_ms)) ==
          FdWatcher::writable);
    for (int i = 0; i < 3; ++i) {
      Gate gate;
      std::optional<int> ready;
      gate.spawn(keep_result(wait_for(watcher, FdWatcher::readable, forever_ms), ready));
      CHECK_FALSE(ready);
      char byte = 'x';
      REQUIRE(::write(pair.ends[1], &byte, 1) == 1);
      run_until(loop, [&] { return gate.running() == 0; });
      CHECK(*ready == FdWatcher::readable);
      REQUIRE(::read(pair.ends[0], &byte, 1) == 1);
    }
    CHECK(run_task(loop, wait_for(watcher, FdWatcher::readable | FdWatcher::writable,
                                  forever_ms)) == FdWatcher::writable);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a watcher reads a pipe, and tells its end as readable") {
  Loop loop;
  std::array<int, 2> ends;
  REQUIRE(::pipe(ends.data()) == 0);
  {
    FdWatcher watcher(loop);
    REQUIRE(watcher.watch(ends[0]));
    ::close(ends[1]);
    const int ready = run_task(loop, wait_for(watcher, FdWatcher::readable, forever_ms));
    CHECK((ready & FdWatcher::readable) != 0);
    watcher.unwatch();
    ::close(ends[0]);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a wait on a silent descriptor is timed out, and the next one works") {
  Loop loop;
  SocketPair pair;
  {
    FdWatcher watcher(loop);
    REQUIRE(watcher.watch(pair.ends[0]));
    CHECK(run_task(loop, wait_for(watcher, FdWatcher::readable, 10)) == FdWatcher::timed_out);
    REQUIRE(::write(pair.ends[1], "x", 1) == 1);
    CHECK(run_task(loop, wait_for(watcher, FdWatcher::readable, forever_ms)) ==
          FdWatcher::readable);
  }
  loop.run();
}

// The loop's timers run before its descriptors.
TEST_CASE("bug: a busy loop times out a wait for what has come in time") {
  Loop loop;
  SocketPair pair;
  {
    FdWatcher watcher(loop);
    REQUIRE(watcher.watch(pair.ends[0]));
    Gate gate;
    std::optional<int> ready;
    uv_update_time(loop.raw());
    gate.spawn(keep_result(wait_for(watcher, FdWatcher::readable, 20), ready));
    REQUIRE(::write(pair.ends[1], "x", 1) == 1);
    const auto late = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    while (std::chrono::steady_clock::now() < late) {}  // the loop is busy
    run_until(loop, [&] { return gate.running() == 0; });
    CHECK(*ready == FdWatcher::readable);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("unwatching ends a wait with no event") {
  Loop loop;
  SocketPair pair;
  FdWatcher watcher(loop);
  REQUIRE(watcher.watch(pair.ends[0]));
  Gate gate;
  std::optional<int> ready;
  gate.spawn(keep_result(wait_for(watcher, FdWatcher::readable, forever_ms), ready));
  watcher.unwatch();
  run_until(loop, [&] { return gate.running() == 0; });
  CHECK(*ready == 0);
  CHECK(watcher.fd() == -1);
}

// The timeout used to find the handle gone when both came in one turn of the loop.
TEST_CASE("unwatching in the very turn in which the wait is timed out ends it once") {
  Loop loop;
  SocketPair pair;
  {
    FdWatcher watcher(loop);
    REQUIRE(watcher.watch(pair.ends[0]));
    Timer earlier(loop);
    earlier.start(
        10, [](void* argument) { static_cast<FdWatcher*>(argument)->unwatch(); }, &watcher);
    CHECK(run_task(loop, wait_for(watcher, FdWatcher::readable, 10)) == 0);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("events that nobody waits for do not keep the loop busy") {
  Loop loop;
  SocketPair pair;
  {
    FdWatcher watcher(loop);
    REQUIRE(watcher.watch(pair.ends[0]));
    CHECK(run_task(loop, wait_for(watcher, FdWatcher::writable, forever_ms)) ==
          FdWatcher::writable);
    bool passed = false;
    Timer pause(loop);
    pause.start(
        30, [](void* flag) { *static_cast<bool*>(flag) = true; }, &passed);
    int turns = 0;
    run_until(loop, [&] { return ++turns, passed; });
    CHECK(turns < 10);  // the socket is writable all the time
  }
  loop.run();
}

TEST_CASE("what can't be watched is told") {
  Loop loop;
  {
    FdWatcher watcher(loop);
    CHECK_FALSE(watcher.watch(-1));
    CHECK(watcher.fd() == -1);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

}  // namespace
}  // namespace imgcached::net
