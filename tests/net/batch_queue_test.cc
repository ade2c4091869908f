#include "net/batch_queue.h"

#include <doctest/doctest.h>

#include <coroutine>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "net/timer.h"
#include "tests/net/run_task.h"

namespace imgcached::net {
namespace {

constexpr std::uint64_t long_ms = 20'000;

struct Letter {
  char name = '?';
  bool is_done = false;
};
using Letters = BatchQueue<Letter>;

// A queue whose batches are held until the test lets one pass.
struct Rig {
  Loop loop;
  std::vector<std::string> begun;  // a batch each, in letters
  std::deque<std::coroutine_handle<>> held;
  bool holds = false;
  std::string accepted;
  std::string refused;
  Letters queue;
  Gate gate;

  explicit Rig(BatchLimits limits = BatchLimits())
      : queue(
            loop, [this](Letters::Batch batch) { return work(std::move(batch)); }, limits) {}

  struct Hold {
    Rig& rig;
    bool await_ready() const noexcept { return !rig.holds; }
    void await_suspend(std::coroutine_handle<> waiter) const { rig.held.push_back(waiter); }
    void await_resume() const noexcept {}
  };

  Task<void> work(Letters::Batch batch) {
    std::string& names = begun.emplace_back();
    for (const Letter* letter : batch) names += letter->name;
    Hold hold{*this};
    co_await hold;
    for (Letter* letter : batch) letter->is_done = true;
  }
  Task<void> send(char name, BatchStart start = BatchStart::end_of_turn) {
    Letter letter{name};
    const bool is_accepted = co_await queue.carry_out(letter, start);
    CHECK(letter.is_done == is_accepted);
    (is_accepted ? accepted : refused) += name;
  }
  void send_all(std::string_view names) {
    for (const char name : names) gate.spawn(send(name));
  }
  void turn() { uv_run(loop.raw(), UV_RUN_NOWAIT); }
  void release_front() {
    const std::coroutine_handle<> waiter = held.front();
    held.pop_front();
    waiter.resume();
  }
};

using Batches = std::vector<std::string>;

TEST_CASE("what comes in one turn of the loop is one batch, in the order of arrival") {
  Rig rig;
  rig.send_all("cab");
  CHECK(rig.begun.empty());
  rig.turn();
  CHECK(rig.begun == Batches{"cab"});
  CHECK(rig.accepted == "cab");
  rig.send_all("d");
  rig.turn();
  CHECK(rig.begun == Batches{"cab", "d"});
  CHECK(rig.queue.stats().batches == 2);
  CHECK(rig.queue.stats().items == 4);
}

TEST_CASE("an item that finds nothing under way does not wait for company") {
  Rig rig;
  for (const char* name : {"a", "b", "c"}) {
    rig.send_all(name);
    rig.turn();  // which waits for nothing
    CHECK(rig.begun.back() == name);
    CHECK(rig.accepted.back() == *name);
  }
}

TEST_CASE("an item that starts at once does so when nothing is under way") {
  Rig rig;
  rig.holds = true;
  rig.gate.spawn(rig.send('a', BatchStart::at_once));
  CHECK(rig.begun == Batches{"a"});
  for (const char name : {'b', 'c'}) rig.gate.spawn(rig.send(name, BatchStart::at_once));
  rig.turn();
  CHECK(rig.begun == Batches{"a"});
  rig.release_front();
  rig.turn();
  CHECK(rig.begun == Batches{"a", "bc"});
  rig.release_front();
  CHECK(rig.accepted == "abc");
  // What is carried out without waiting for anything is, too.
  rig.holds = false;
  rig.gate.spawn(rig.send('d', BatchStart::at_once));
  CHECK(rig.accepted == "abcd");
}

TEST_CASE("what comes while a batch is under way is the next one") {
  Rig rig;
  rig.holds = true;
  rig.send_all("a");
  rig.turn();
  rig.send_all("b");
  rig.turn();
  rig.send_all("c");
  rig.turn();
  CHECK(rig.begun == Batches{"a"});
  CHECK(rig.queue.waiting() == 2);
  CHECK(rig.accepted.empty());
  rig.release_front();
  CHECK(rig.accepted == "a");
  rig.turn();
  CHECK(rig.begun == Batches{"a", "bc"});
  rig.release_front();
  CHECK(rig.accepted == "abc");
}

TEST_CASE("a batch has no more than its limit") {
  Rig rig({.batch_max = 3});
  rig.send_all("abcdefgh");
  for (int i = 0; i < 3; ++i) rig.turn();
  CHECK(rig.begun == Batches{"abc", "def", "gh"});
  CHECK(rig.accepted == "abcdefgh");
}

TEST_CASE("more than may wait are refused at once") {
  Rig rig({.batch_max = 2, .waiting_max = 3});
  rig.holds = true;
  rig.send_all("ab");
  rig.turn();  // they are under way
  rig.send_all("cdefg");
  CHECK(rig.refused == "fg");
  CHECK(rig.queue.waiting() == 3);
  rig.holds = false;
  rig.release_front();
  for (int i = 0; i < 2; ++i) rig.turn();
  CHECK(rig.accepted == "abcde");
  rig.send_all("h");
  rig.turn();
  CHECK(rig.accepted == "abcdeh");
}

Task<void> send_again(Rig& rig) {
  co_await rig.send('a');
  co_await rig.send('b');
}

TEST_CASE("who is answered can come again at once") {
  Rig rig;
  rig.gate.spawn(send_again(rig));
  rig.turn();
  rig.turn();
  CHECK(rig.begun == Batches{"a", "b"});
}

Task<void> append(std::string& names, Letters::Batch batch) {
  names += batch.front()->name;
  co_return;
}

Task<void> pass_on(Rig& first, Letters& second) {
  co_await first.send('a');
  Letter letter{'b'};
  const bool accepted = co_await second.carry_out(letter);
  CHECK(accepted);
}

TEST_CASE("bug: what one queue passed on to another one waited for the next event") {
  // Whose handle is started while the loop goes through those of its kind.
  Rig first;
  std::string passed;
  Letters second(first.loop,
                 [&](Letters::Batch batch) { return append(passed, std::move(batch)); });
  Timer timer(first.loop);
  timer.start(
      long_ms, [](void*) {}, nullptr);
  const std::uint64_t began_ms = first.loop.now_ms();
  imgcached::test::run_task(first.loop, pass_on(first, second));
  CHECK(passed == "b");
  CHECK(first.loop.now_ms() - began_ms < long_ms);
}

Task<void> come_after(Rig& rig, Timer& timer) {
  co_await timer.wait(0);
  rig.send_all("a");
}

TEST_CASE("a loop does not wait while there is an item") {
  Rig rig;
  Timer timer(rig.loop);
  rig.gate.spawn(come_after(rig, timer));
  rig.loop.run();  // ends: nothing else is to come
  CHECK(rig.accepted == "a");
}

}  // namespace
}  // namespace imgcached::net
