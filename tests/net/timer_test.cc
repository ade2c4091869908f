#include "net/timer.h"

#include <doctest/doctest.h>

#include <string>

#include "base/clock.h"
#include "tests/net/run_task.h"

namespace imgcached::net {
namespace {

using test::forever_ms;
using test::run_task;

Task<void> wait_and_note(Loop& loop, std::uint64_t timeout_ms, char name, std::string& order) {
  Timer timer(loop);
  const bool passed = co_await timer.wait(timeout_ms);
  CHECK(passed);
  order += name;
}

Task<void> note_wait(Timer& timer, std::uint64_t timeout_ms, std::string& notes) {
  const bool passed = co_await timer.wait(timeout_ms);
  notes += passed ? "passed " : "ended ";
}

TEST_CASE("a wait takes its time, and waits end in the order of their times") {
  Loop loop;
  const std::uint64_t began_ms = loop.now_ms();
  std::string order;
  Gate gate;
  gate.spawn(wait_and_note(loop, 30, 'c', order));
  gate.spawn(wait_and_note(loop, 1, 'a', order));
  gate.spawn(wait_and_note(loop, 15, 'b', order));
  loop.run();
  CHECK(order == "abc");
  CHECK(loop.now_ms() - began_ms >= 30);
  CHECK(loop.live_handles() == 0);
}

Task<void> wait_after_work(Loop& loop, std::uint64_t work_ms, std::uint64_t timeout_ms) {
  Timer timer(loop);
  co_await timer.wait(1);  // a turn of the loop begins
  const std::uint64_t working_since_ms = monotonic_ms();
  while (monotonic_ms() - working_since_ms < work_ms) {}
  const std::uint64_t began_ms = monotonic_ms();
  co_await timer.wait(timeout_ms);
  CHECK(monotonic_ms() - began_ms + 1 >= timeout_ms);  // 1: the clocks' parts of a millisecond
}

TEST_CASE("bug: a wait that began late in a turn of the loop was over too early") {
  Loop loop;
  run_task(loop, wait_after_work(loop, 40, 30));
}

TEST_CASE("wake and close end a wait early, and say so") {
  Loop loop;
  std::string notes;
  Gate gate;
  Timer timer(loop);
  gate.spawn(note_wait(timer, forever_ms, notes));
  timer.wake();
  CHECK(notes == "ended ");
  timer.wake();  // nobody waits
  gate.spawn(note_wait(timer, 1, notes));
  loop.run();
  CHECK(notes == "ended passed ");
  gate.spawn(note_wait(timer, forever_ms, notes));
  timer.close();
  loop.run();
  CHECK(notes == "ended passed ended ");
  gate.spawn(note_wait(timer, forever_ms, notes));
  CHECK(notes == "ended passed ended ended ");
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a callback comes once, replaces the former one, and can be stopped") {
  Loop loop;
  int first = 0;
  int second = 0;
  int stopped = 0;
  const Timer::Callback count = [](void* counter) { ++*static_cast<int*>(counter); };
  {
    Timer timer(loop);
    Timer other(loop);
    timer.start(1, count, &first);
    timer.start(5, count, &second);
    other.start(1, count, &stopped);
    other.stop();
    loop.run();
  }
  loop.run();
  CHECK(first == 0);
  CHECK(second == 1);
  CHECK(stopped == 0);
  CHECK(loop.live_handles() == 0);
}

}  // namespace
}  // namespace imgcached::net
