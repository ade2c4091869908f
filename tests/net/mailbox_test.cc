#include "net/mailbox.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "net/timer.h"
#include "tests/net/run_task.h"

namespace imgcached::net {
namespace {

using test::run_task;

// A loop with a mailbox on a thread of its own, which ends when it is told to.
class OtherLoop {
 public:
  OtherLoop() : mailbox(loop), thread_([this] { loop.run(); }) {}

  // `here` is a mailbox of the loop that this is called from.
  void stop(Loop& loop_here, Mailbox& here) {
    run_task(loop_here, close(*this, here));
    thread_.join();
    CHECK(loop.live_handles() == 0);
  }

  Loop loop;
  Mailbox mailbox;
  Gate gate;

 private:
  static Task<void> close(OtherLoop& other, Mailbox& here) {
    auto close_there = [&other]() -> Result<void> {
      other.mailbox.close();
      return {};
    };
    Result<void> closed = co_await call(other.mailbox, here, close_there);
    CHECK(closed.ok());
  }

  std::thread thread_;
};

Task<void> append(OtherLoop& there, Mailbox& here, int number, std::vector<int>& seen,
                  std::vector<int>& answered) {
  auto push = [&seen, number]() -> Result<std::thread::id> {
    seen.push_back(number);
    return std::this_thread::get_id();
  };
  Result<std::thread::id> ran_on = co_await call(there.mailbox, here, push);
  if (ran_on && *ran_on != std::this_thread::get_id()) answered.push_back(number);
}

TEST_CASE("100,000 calls to another thread's loop keep their order, there and back") {
  constexpr int calls = 50'000;
  Loop loop;
  Mailbox here(loop);
  OtherLoop there;
  for (int round = 0; round < 2; ++round) {
    std::vector<int> seen;  // touched by the other thread only, until all calls are back
    std::vector<int> answered;
    Gate gate;
    for (int i = 0; i < calls; ++i) gate.spawn(append(there, here, i, seen, answered));
    while (gate.running() > 0) uv_run(loop.raw(), UV_RUN_ONCE);
    std::vector<int> expected(calls);
    for (int i = 0; i < calls; ++i) expected[static_cast<std::size_t>(i)] = i;
    CHECK(seen == expected);
    CHECK(answered == expected);
  }
  there.stop(loop, here);
  here.close();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

Task<void> ping(OtherLoop& there, Mailbox& here, int times, int& sum) {
  for (int i = 0; i < times; ++i) {
    auto one = []() -> Result<int> { return 1; };
    Result<int> result = co_await call(there.mailbox, here, one);
    if (result) sum += *result;
  }
}

TEST_CASE("calls one after the other wake the loops each time") {
  Loop loop;
  Mailbox here(loop);
  OtherLoop there;
  int sum = 0;
  Gate gate;
  for (int i = 0; i < 10; ++i) gate.spawn(ping(there, here, 1'000, sum));
  while (gate.running() > 0) uv_run(loop.raw(), UV_RUN_ONCE);
  CHECK(sum == 10'000);
  there.stop(loop, here);
  here.close();
  loop.run();
}

Task<Result<int>> square_later(Loop& loop, int number) {
  Timer timer(loop);
  co_await timer.wait(1);
  if (number < 0) co_return Error{Errc::invalid_argument, "negative"};
  co_return number* number;
}

Task<void> square_there(OtherLoop& there, Mailbox& here, int number, int& sum) {
  auto square = [&there, number] { return square_later(there.loop, number); };
  Result<int> result = co_await call_task(there.mailbox, there.gate, here, square);
  if (result) {
    sum += *result;
  } else {
    CHECK(result.error().code == Errc::invalid_argument);
    sum += 1'000'000;
  }
}

TEST_CASE("a called task may wait on the other loop before it answers") {
  Loop loop;
  Mailbox here(loop);
  OtherLoop there;
  int sum = 0;
  Gate gate;
  for (int i = -1; i < 100; ++i) gate.spawn(square_there(there, here, i, sum));
  while (gate.running() > 0) uv_run(loop.raw(), UV_RUN_ONCE);
  CHECK(sum == 1'000'000 + 328'350);
  there.stop(loop, here);
  CHECK(there.gate.running() == 0);
  here.close();
  loop.run();
}

struct Calls {
  int done = 0;
  int refused = 0;
};

Task<void> count(Mailbox& there, Mailbox& here, Calls& outcomes) {
  auto nothing = []() -> Result<void> { return {}; };
  Result<void> result = co_await call(there, here, nothing);
  if (result) {
    ++outcomes.done;
  } else if (result.error().code == Errc::unavailable) {
    ++outcomes.refused;
  }
}

TEST_CASE("beyond the bound of the queue a call is refused, and accepted again later") {
  Loop loop_here;
  Loop loop_there;  // does not run yet
  Mailbox here(loop_here);
  Mailbox there(loop_there);
  Gate gate;
  Calls outcomes;
  for (int i = 0; i < Mailbox::calls_max + 3; ++i) gate.spawn(count(there, here, outcomes));
  CHECK(outcomes.refused == 3);
  CHECK(gate.running() == Mailbox::calls_max);
  const auto run_both = [&] {
    while (gate.running() > 0) {
      uv_run(loop_there.raw(), UV_RUN_NOWAIT);
      uv_run(loop_here.raw(), UV_RUN_NOWAIT);
    }
  };
  run_both();
  CHECK(outcomes.done == Mailbox::calls_max);
  gate.spawn(count(there, here, outcomes));
  run_both();
  CHECK(outcomes.done == Mailbox::calls_max + 1);
  here.close();
  there.close();
  loop_here.run();
  loop_there.run();
  CHECK(loop_here.live_handles() + loop_there.live_handles() == 0);
}

}  // namespace
}  // namespace imgcached::net
