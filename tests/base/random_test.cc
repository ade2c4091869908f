#include "base/random.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

namespace imgcached {
namespace {

TEST_CASE("the generator is xoshiro256** seeded through splitmix64") {
  Random random(0);
  CHECK(random.next() == 0x99ec5f36cb75f2b4);
  CHECK(random.next() == 0xbf6e1f784956452a);
}

TEST_CASE("one seed always gives the same numbers, another one others") {
  Random a(42);
  Random b(42);
  Random c(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t number = a.next();
    CHECK(number == b.next());
    differs = differs || number != c.next();
  }
  CHECK(differs);
}

TEST_CASE("below() stays below its bound and meets every value") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  CHECK(random.below(1) == 0);
  std::set<std::uint64_t> met;
  for (int i = 0; i < 1'000; ++i) met.insert(random.below(7));
  CHECK(met.size() == 7);
  CHECK(*met.rbegin() == 6);
}

TEST_CASE("unit() is even over [0, 1) and never 1") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  constexpr int draws = 100'000;
  int tenths[10] = {};
  for (int i = 0; i < draws; ++i) {
    const double number = random.unit();
    REQUIRE(number >= 0);
    REQUIRE(number < 1);
    ++tenths[static_cast<int>(number * 10)];
  }
  // The standard deviation of a tenth is 95; six of them are one failure in 10^8.
  for (const int count : tenths) CHECK(std::abs(count - draws / 10) < 6 * 95);
}

TEST_CASE("generators seeded by the system differ") {
  CHECK(Random::from_os().next() != Random::from_os().next());
}

}  // namespace
}  // namespace imgcached
