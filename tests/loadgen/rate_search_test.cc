#include "tools/loadgen/rate_search.h"

#include <doctest/doctest.h>

namespace imgcached::loadgen {
namespace {

// The answer when everything up to `boundary` holds, and in how many steps.
std::optional<double> search(double first, double boundary, int& steps) {
  RateSearch search(first);
  steps = 0;
  while (const auto rate = search.next()) {
    search.tell(*rate <= boundary);
    REQUIRE(++steps < 100);
  }
  return search.best();
}

TEST_CASE("the search ends just below the boundary, wherever it starts") {
  for (const double first : {10.0, 1'000.0, 1'234.5, 100'000.0}) {
    for (const double boundary : {7.0, 950.0, 1'000.0, 33'333.0, 99'999.0}) {
      CAPTURE(first);
      CAPTURE(boundary);
      int steps = 0;
      const auto best = search(first, boundary, steps);
      REQUIRE(best);
      CHECK(*best <= boundary);
      CHECK(*best * RateSearch::precision * 1.0001 >= boundary);
      CHECK(steps <= 25);
    }
  }
}

TEST_CASE("when no rate holds there is no answer") {
  int steps = 0;
  CHECK_FALSE(search(1'000, 0, steps));
}

TEST_CASE("when every rate holds the answer is the highest that was tried") {
  int steps = 0;
  const auto best = search(1'000, 1e12, steps);
  REQUIRE(best);
  CHECK(*best > RateSearch::rate_max / 2);
}

}  // namespace
}  // namespace imgcached::loadgen
