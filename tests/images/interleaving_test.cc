// The explorer of interleavings on programs so small that all their interleavings
// can be counted.
#include "tests/images/interleaving.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/gate.h"
#include "base/random.h"
#include "base/task.h"

namespace imgcached::test {
namespace {

constexpr Footprint writes(std::uint32_t objects) { return {0, objects}; }
constexpr Footprint reads(std::uint32_t objects) { return {objects, 0}; }

// What each actor does, step by step.
struct ToyStep {
  Footprint footprint;
  std::optional<std::size_t> starts = std::nullopt;  // an actor that waits for this
  bool ends_all = false;                             // nobody does anything afterwards
};
using Program = std::vector<std::vector<ToyStep>>;
// The actor of each step taken.
using Execution = std::vector<std::size_t>;

class Toy {
 public:
  explicit Toy(const Program& program) : program_(program), done_(program.size()) {
    for (const auto& steps : program) {
      for (const ToyStep& step : steps) {
        if (step.starts) waiting_.insert(*step.starts);
      }
    }
  }

  std::vector<Step> enabled() const {
    std::vector<Step> steps;
    for (std::size_t actor = 0; actor < program_.size() && !ended_; ++actor) {
      if (done_[actor] == program_[actor].size() || waiting_.contains(actor)) continue;
      const ToyStep& step = program_[actor][done_[actor]];
      steps.push_back({actor, std::to_string(actor), step.footprint});
    }
    return steps;
  }
  void take(std::size_t actor) {
    const ToyStep& step = program_[actor][done_[actor]++];
    if (step.starts) waiting_.erase(*step.starts);
    ended_ = step.ends_all;
    execution_.push_back(actor);
  }
  const Execution& execution() const { return execution_; }

 private:
  const Program& program_;
  std::vector<std::size_t> done_;
  std::set<std::size_t> waiting_;
  bool ended_ = false;
  Execution execution_;
};

// What all executions of a class have in common: which steps were taken, and in
// which order those that conflict.
std::string class_of(const Program& program, const Execution& execution) {
  std::vector<std::size_t> done(program.size());
  std::vector<std::pair<std::string, Footprint>> steps;
  std::set<std::string> order;
  for (const std::size_t actor : execution) {
    const Footprint& footprint = program[actor][done[actor]].footprint;
    const std::string name = std::to_string(actor) + "." + std::to_string(done[actor]++);
    order.insert(name);
    for (const auto& [earlier, other] : steps) {
      if (other.conflicts(footprint)) order.insert(earlier + "<" + name);
    }
    steps.emplace_back(name, footprint);
  }
  std::string text;
  for (const std::string& fact : order) text += fact + " ";
  return text;
}

void add_all_classes(const Program& program, const Toy& toy, std::set<std::string>& classes) {
  const std::vector<Step> enabled = toy.enabled();
  if (enabled.empty()) classes.insert(class_of(program, toy.execution()));
  for (const Step& step : enabled) {
    Toy next = toy;
    next.take(step.actor);
    add_all_classes(program, next, classes);
  }
}

std::set<std::string> all_classes(const Program& program) {
  std::set<std::string> classes;
  add_all_classes(program, Toy(program), classes);
  return classes;
}

struct Exploration {
  std::set<std::string> classes;
  std::uint64_t completed;
  std::uint64_t redundant;
};

Exploration explore(const Program& program) {
  Explorer explorer;
  std::set<std::string> classes;
  while (explorer.next()) {
    Toy toy(program);
    bool is_new = true;
    for (std::vector<Step> enabled = toy.enabled(); !enabled.empty() && is_new;
         enabled = toy.enabled()) {
      const std::optional<std::size_t> actor = explorer.choose(enabled);
      is_new = actor.has_value();
      if (is_new) toy.take(*actor);
    }
    if (is_new) classes.insert(class_of(program, toy.execution()));
  }
  return {std::move(classes), explorer.completed(), explorer.redundant()};
}

void check_complete(const Program& program) {
  const std::set<std::string> expected = all_classes(program);
  const Exploration explored = explore(program);
  CHECK(explored.classes == expected);
  CHECK(explored.completed == expected.size());  // none twice
}

TEST_CASE("steps that touch different things are taken in one order only") {
  const Program program{{{writes(1)}, {writes(1)}}, {{writes(2)}, {writes(2)}}, {{reads(4)}}};
  CHECK(explore(program).completed == 1);
  check_complete(program);
}

TEST_CASE("steps that all conflict are taken in every order") {
  const std::vector<ToyStep> three(3, {writes(1)});
  const Exploration pair = explore({three, three});
  CHECK(pair.completed == 20);  // 6! / (3! 3!)
  CHECK(pair.redundant == 0);
  const std::vector<ToyStep> two(2, {writes(1)});
  CHECK(explore({two, two, two}).completed == 90);  // 6! / (2! 2! 2!)
}

TEST_CASE("each of several readers comes before or after the writer") {
  const Program program{{{writes(1)}}, {{reads(1)}}, {{reads(1)}}, {{reads(1)}}};
  CHECK(explore(program).completed == 8);
  check_complete(program);
}

// Neither the order of two steps of which one starts the other's actor can be turned
// round, nor does anything follow a step that ends all.
TEST_CASE("an actor begins when another one has started it, and may be ended") {
  check_complete(
      {{{writes(1), 2}, {writes(2)}}, {{writes(2)}, {reads(1)}}, {{writes(1)}, {reads(2)}}});
  check_complete({{{writes(1)}, {writes(2)}}, {{reads(2)}, {writes(1)}}, {{writes(3), {}, true}}});
}

TEST_CASE("random programs: every class is completed, once") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  std::uint64_t completed = 0;
  std::uint64_t redundant = 0;
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    Program program(2 + random.below(3));
    const std::uint64_t steps_max = program.size() == 4 ? 2 : 4;
    for (auto& steps : program) {
      for (std::uint64_t count = 1 + random.below(steps_max); count > 0; --count) {
        const auto objects = [&] {
          return static_cast<std::uint32_t>(random.below(8) & random.below(8));
        };
        ToyStep step{{objects(), objects()}};
        steps.push_back(step);
      }
    }
    if (random.below(3) == 0) program[0][0].starts = program.size() - 1;
    if (random.below(4) == 0) {
      constexpr std::uint32_t life = 8;  // whoever can be ended needs it
      for (auto& steps : program) {
        for (ToyStep& step : steps) step.footprint.reads |= life;
      }
      program[1] = {{writes(life), {}, true}};
    }
    check_complete(program);
    const Exploration explored = explore(program);
    completed += explored.completed;
    redundant += explored.redundant;
  }
  MESSAGE(completed, " classes, ", redundant, " executions too many");
  CHECK(redundant < completed);
}

// --- Coroutines ---------------------------------------------------------------------------------

Task<void> add_one(Schedule& schedule, std::size_t actor, int& counter) {
  Schedule::Park reading = schedule.step(actor, "read", reads(1));
  co_await reading;
  const int seen = counter;
  Schedule::Park writing = schedule.step(actor, "write", writes(1));
  co_await writing;
  counter = seen + 1;
}

TEST_CASE("the interleavings that lose an update are found, and told apart from the others") {
  Explorer explorer;
  std::multiset<int> counts;
  while (explorer.next()) {
    Schedule schedule;
    Gate gate;
    int counter = 0;
    gate.spawn(add_one(schedule, 0, counter));
    gate.spawn(add_one(schedule, 1, counter));
    std::optional<std::size_t> chosen;
    while (gate.running() > 0) {
      chosen = explorer.choose(schedule.parked());
      schedule.release(chosen.value_or(schedule.parked().front().actor));
    }
    if (!chosen) continue;
    counts.insert(counter);
    // What an actor reads after the other has written comes after that.
    const std::vector<Step> steps = explorer.execution();
    REQUIRE(steps.size() == 4);
    CHECK(explorer.happens_before(0, 3));
    CHECK(explorer.happens_before(1, 2) ==
          (steps[1].actor == steps[2].actor || steps[1].name != steps[2].name ||
           steps[1].name == "write"));
  }
  // 0 before 1, 1 before 0, and four in which both read first: two orders of writing.
  CHECK(counts == std::multiset<int>{1, 1, 2, 2});
}

}  // namespace
}  // namespace imgcached::test
