#include "cache/eviction_policy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <set>
#include <vector>

#include "base/random.h"

namespace imgcached::cache {
namespace {

using Hook = EvictionPolicy::Hook;

// Removes all that is left, in the order in which the policy gives it up.
std::vector<const Hook*> drain(EvictionPolicy& policy, std::size_t count) {
  std::vector<const Hook*> order;
  for (std::size_t i = 0; i < count; ++i) {
    Hook& victim = policy.victim();
    policy.remove(victim);
    order.push_back(&victim);
  }
  return order;
}

TEST_CASE("LRU gives up the oldest first when nothing was touched") {
  const auto policy = EvictionPolicy::make(Replacement::lru, 0);
  std::vector<Hook> hooks(3);
  for (Hook& hook : hooks) policy->insert(hook);
  CHECK(drain(*policy, 3) == std::vector<const Hook*>{&hooks[0], &hooks[1], &hooks[2]});
}

TEST_CASE("LRU moves a touched entry to the end of the line, wherever it stood") {
  for (std::size_t touched = 0; touched < 3; ++touched) {
    CAPTURE(touched);
    const auto policy = EvictionPolicy::make(Replacement::lru, 0);
    std::vector<Hook> hooks(3);
    std::vector<const Hook*> expected;
    for (std::size_t i = 0; i < 3; ++i) {
      policy->insert(hooks[i]);
      if (i != touched) expected.push_back(&hooks[i]);
    }
    expected.push_back(&hooks[touched]);
    policy->touch(hooks[touched]);
    CHECK(drain(*policy, 3) == expected);
  }
}

TEST_CASE("LRU removes an entry from anywhere and takes it back as the newest") {
  const auto policy = EvictionPolicy::make(Replacement::lru, 0);
  std::vector<Hook> hooks(4);
  for (Hook& hook : hooks) policy->insert(hook);
  policy->remove(hooks[1]);
  policy->remove(hooks[0]);
  policy->remove(hooks[3]);
  policy->insert(hooks[0]);
  CHECK(drain(*policy, 2) == std::vector<const Hook*>{&hooks[2], &hooks[0]});
}

TEST_CASE("Random Replacement draws each entry equally often") {
  // 16 entries, 16,000 draws: 1,000 expected each. Chi-square with 15 degrees of
  // freedom exceeds 60 with probability 2e-7; the seed is fixed all the same.
  const auto policy = EvictionPolicy::make(Replacement::random, 42);
  std::vector<Hook> hooks(16);
  for (Hook& hook : hooks) policy->insert(hook);
  std::vector<int> drawn(hooks.size());
  for (int i = 0; i < 16'000; ++i) ++drawn[static_cast<std::size_t>(&policy->victim() - &hooks[0])];
  double chi_square = 0;
  for (const int count : drawn) chi_square += (count - 1000.0) * (count - 1000.0) / 1000.0;
  CHECK(chi_square < 60);
  CHECK(chi_square > 1);  // nor in rotation
}

TEST_CASE("Random Replacement draws evenly also after removals have filled holes") {
  const auto policy = EvictionPolicy::make(Replacement::random, 43);
  std::vector<Hook> hooks(32);
  for (Hook& hook : hooks) policy->insert(hook);
  for (std::size_t i = 0; i < hooks.size(); i += 2) policy->remove(hooks[i]);
  std::vector<int> drawn(hooks.size());
  for (int i = 0; i < 16'000; ++i) ++drawn[static_cast<std::size_t>(&policy->victim() - &hooks[0])];
  double chi_square = 0;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    if (i % 2 == 0) {
      CHECK(drawn[i] == 0);
    } else {
      chi_square += (drawn[i] - 1000.0) * (drawn[i] - 1000.0) / 1000.0;
    }
  }
  CHECK(chi_square < 60);
}

TEST_CASE("Random Replacement is not moved by touches") {
  const auto touched = EvictionPolicy::make(Replacement::random, 7);
  const auto untouched = EvictionPolicy::make(Replacement::random, 7);
  std::vector<Hook> a(8);
  std::vector<Hook> b(8);
  for (Hook& hook : a) touched->insert(hook);
  for (Hook& hook : b) untouched->insert(hook);
  for (int i = 0; i < 100; ++i) {
    touched->touch(a[3]);
    CHECK(&touched->victim() - &a[0] == &untouched->victim() - &b[0]);
  }
}

TEST_CASE("both policies hold exactly what was inserted and not removed") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  for (const Replacement replacement : {Replacement::lru, Replacement::random}) {
    CAPTURE(to_string(replacement));
    Random random(seed);
    const auto policy = EvictionPolicy::make(replacement, random.next());
    std::vector<Hook> hooks(64);
    std::set<const Hook*> inside;
    for (int step = 0; step < 20'000; ++step) {
      Hook& hook = hooks[random.below(hooks.size())];
      if (!inside.contains(&hook)) {
        policy->insert(hook);
        inside.insert(&hook);
      } else if (random.below(2) == 0) {
        policy->touch(hook);
      } else {
        policy->remove(hook);
        inside.erase(&hook);
      }
      if (!inside.empty()) REQUIRE(inside.contains(&policy->victim()));
    }
    const auto order = drain(*policy, inside.size());
    CHECK(std::set<const Hook*>(order.begin(), order.end()) == inside);
  }
}

TEST_CASE("a policy is read from every spelling that clients use") {
  for (const char* text : {"Least Recently Used", "LRU", "lru"}) {
    const auto parsed = parse_replacement(text);
    REQUIRE(parsed.ok());
    CHECK(*parsed == Replacement::lru);
  }
  for (const char* text : {"Random Replacement", "RR", "random"}) {
    const auto parsed = parse_replacement(text);
    REQUIRE(parsed.ok());
    CHECK(*parsed == Replacement::random);
  }
}

TEST_CASE("an unknown policy is refused with the names that are accepted") {
  for (const char* text : {"", "FIFO", "Least Recently Used ", "lr"}) {
    const auto parsed = parse_replacement(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code == Errc::invalid_argument);
    CHECK(parsed.error().message.find("Least Recently Used") != std::string::npos);
    CHECK(parsed.error().message.find("Random Replacement") != std::string::npos);
  }
}

TEST_CASE("a policy's name reads back as the policy") {
  for (const Replacement replacement : {Replacement::lru, Replacement::random}) {
    const auto parsed = parse_replacement(to_string(replacement));
    REQUIRE(parsed.ok());
    CHECK(*parsed == replacement);
  }
}

}  // namespace
}  // namespace imgcached::cache
