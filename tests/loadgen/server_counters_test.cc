#include "tools/loadgen/server_counters.h"

#include <doctest/doctest.h>

#include <string>

namespace imgcached::loadgen {
namespace {

std::optional<std::uint64_t> count_of(const std::string& value) {
  return count_in("hits_total " + value + "\n", "hits_total");
}

TEST_CASE("a counter is found by its whole name") {
  const char* metrics =
      "# TYPE hits_total counter\n"
      "hits_total_of_all 1\n"
      "hits_total{server=\"a } b\"} 2\n"
      "misses_total 3 1700000000000\n"
      "bytes{x=\"y\"}  4.5e1 1700000000000\n"
      "last 6";
  CHECK(count_in(metrics, "hits_total") == 2);
  CHECK(count_in(metrics, "misses_total") == 3);
  CHECK(count_in(metrics, "bytes") == 45);
  CHECK(count_in(metrics, "last") == 6);
  CHECK_FALSE(count_in(metrics, "hits"));
  CHECK_FALSE(count_in("", "hits"));
}

// Casting them was undefined behaviour.
TEST_CASE("what is no count is missing") {
  CHECK(count_of("0") == 0);
  CHECK(count_of("1e19") == 10'000'000'000'000'000'000u);
  for (const char* value : {"NaN", "-1", "-0.5", "1e20", "18446744073709551616", "1e999", "+Inf",
                            "-Inf", "inf", "twelve", "12x", ""}) {
    CAPTURE(value);
    CHECK_FALSE(count_of(value));
  }
}

TEST_CASE("a counter that fell was begun anew, and has no difference") {
  ServerCounters before, after;
  before.hits = 5;
  after.hits = 3;
  before.misses = 5;
  after.misses = 9;
  after.evictions = 4;
  after.cached_bytes = 7;
  const ServerCounters change = difference(before, after);
  CHECK_FALSE(change.hits);
  CHECK(change.misses == 4);
  CHECK_FALSE(change.evictions);
  CHECK(change.cached_bytes == 7);
}

}  // namespace
}  // namespace imgcached::loadgen
