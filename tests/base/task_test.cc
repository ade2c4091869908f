#include "base/task.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/gate.h"

namespace imgcached {
namespace {

// Suspends whoever awaits it until resume() is called from outside.
class Baton {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  void await_resume() const noexcept {}

  bool resume() {
    if (!waiter_) return false;
    std::exchange(waiter_, nullptr).resume();
    return true;
  }

 private:
  std::coroutine_handle<> waiter_;
};

Task<int> ready(int value) { co_return value; }

Task<int> suspending(Baton& baton, int value) {
  co_await baton;
  co_return value;
}

Task<void> sum_of_ready(int count, long& sum) {
  for (int i = 0; i < count; ++i) sum += co_await ready(i);
}

Task<void> sum_of_suspending(Baton& baton, int count, long& sum) {
  for (int i = 0; i < count; ++i) sum += co_await suspending(baton, i);
}

Task<int> nested(Baton& baton, int depth) {
  if (depth == 0) co_return co_await suspending(baton, 0);
  const int below = co_await nested(baton, depth - 1);
  co_return below + 1;
}

Task<void> keep(Task<int> task, int& result) { result = co_await std::move(task); }

Task<void> mark(bool& started) {
  started = true;
  co_return;
}

Task<void> wait_for(Baton& baton) { co_await baton; }

Task<void> note_drained(Gate& gate, bool& drained) {
  co_await gate.drained();
  drained = true;
}

Task<std::unique_ptr<std::string>> move_only() { co_return std::make_unique<std::string>("moved"); }

Task<void> keep_moved(std::string& result) {
  const std::unique_ptr<std::string> text = co_await move_only();
  result = *text;
}

constexpr int many = 100'000;
constexpr long sum_of_many = static_cast<long>(many) * (many - 1) / 2;

TEST_CASE("100,000 awaits in a row that complete at once do not grow the stack") {
  Gate gate;
  long sum = 0;
  gate.spawn(sum_of_ready(many, sum));
  CHECK(gate.running() == 0);
  CHECK(sum == sum_of_many);
}

TEST_CASE("100,000 awaits in a row that suspend do not grow the stack") {
  Gate gate;
  Baton baton;
  long sum = 0;
  gate.spawn(sum_of_suspending(baton, many, sum));
  CHECK(gate.running() == 1);
  int resumed = 0;
  while (baton.resume()) ++resumed;
  CHECK(resumed == many);
  CHECK(gate.running() == 0);
  CHECK(sum == sum_of_many);
}

TEST_CASE("a task suspends and resumes through all of its awaiters") {
  Gate gate;
  Baton baton;
  int depth = -1;
  gate.spawn(keep(nested(baton, 1'000), depth));
  CHECK(depth == -1);
  CHECK(baton.resume());
  CHECK(depth == 1'000);
}

TEST_CASE("a task does nothing before it is awaited, and may be dropped then") {
  bool started = false;
  { const Task<void> dropped = mark(started); }
  CHECK_FALSE(started);
  Gate gate;
  gate.spawn(mark(started));
  CHECK(started);
}

TEST_CASE("a task returns what can only be moved") {
  Gate gate;
  std::string result;
  gate.spawn(keep_moved(result));
  CHECK(result == "moved");
}

TEST_CASE("a gate counts its tasks and tells when the last has ended") {
  Gate gate;
  Gate watchers;
  Baton first;
  Baton second;
  bool drained = false;
  gate.spawn(wait_for(first));
  gate.spawn(wait_for(second));
  CHECK(gate.running() == 2);
  watchers.spawn(note_drained(gate, drained));
  CHECK(first.resume());
  CHECK(gate.running() == 1);
  CHECK_FALSE(drained);
  CHECK(second.resume());
  CHECK(gate.running() == 0);
  CHECK(drained);
}

TEST_CASE("an empty gate is drained at once") {
  Gate gate;
  Gate watchers;
  bool drained = false;
  watchers.spawn(note_drained(gate, drained));
  CHECK(drained);
}

}  // namespace
}  // namespace imgcached
