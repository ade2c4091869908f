#include "pages/stats_series.h"

#include <doctest/doctest.h>

#include <vector>

namespace imgcached::pages {
namespace {

constexpr std::int64_t second = 1000;

db::CacheStatsRow row(std::int64_t at_s, std::uint64_t requests, std::uint64_t hits,
                      std::int64_t started_s = 0) {
  db::CacheStatsRow row;
  row.created_at_ms = at_s * second;
  row.started_at_ms = started_s * second;
  row.request_count = requests;
  row.hit_count = hits;
  row.miss_count = requests - hits;
  row.key_count = requests + 7;
  row.cache_size_bytes = requests * 100;
  return row;
}

TEST_CASE("no rows make no points") { CHECK(stats_series({}, 0).empty()); }

TEST_CASE("the first row has no interval, the next ones what was counted between") {
  const auto points = stats_series({row(5, 100, 90), row(10, 110, 93), row(15, 110, 93)}, 0);
  REQUIRE(points.size() == 3);
  CHECK(points[0].time_ms == 5 * second);
  CHECK(points[0].items == 107);
  CHECK(points[0].bytes == 10'000);
  CHECK_FALSE(points[0].interval);
  REQUIRE(points[1].interval);
  CHECK(points[1].interval->requests == 10);
  CHECK(points[1].interval->hits == 3);
  CHECK(points[1].interval->misses == 7);
  CHECK(points[1].interval->hit_rate() == doctest::Approx(0.3));
  CHECK(points[1].interval->miss_rate() == doctest::Approx(0.7));
  REQUIRE(points[2].interval);
  CHECK(points[2].interval->requests == 0);
}

TEST_CASE("without requests there is no rate, rather than a rate of zero") {
  const auto points = stats_series({row(5, 3, 3), row(10, 3, 3)}, 0);
  REQUIRE(points.size() == 2);
  CHECK_FALSE(points[1].interval->hit_rate());
  CHECK_FALSE(points[1].interval->miss_rate());
}

TEST_CASE("counters that went down after a restart are no negative spike") {
  const auto points = stats_series({row(5, 100, 50), row(10, 4, 1), row(15, 6, 2)}, 0);
  REQUIRE(points.size() == 3);
  CHECK_FALSE(points[1].interval);
  REQUIRE(points[2].interval);
  CHECK(points[2].interval->requests == 2);
}

TEST_CASE("a restart that counted past the former count is no spike") {
  const auto points = stats_series({row(5, 3, 0, 0), row(10, 900, 800, 6)}, 0);
  REQUIRE(points.size() == 2);
  CHECK_FALSE(points[1].interval);
}

TEST_CASE("one counter going down is enough for a new count") {
  db::CacheStatsRow odd = row(10, 120, 10);  // more requests, fewer hits
  const auto points = stats_series({row(5, 100, 90), odd}, 0);
  CHECK_FALSE(points[1].interval);
}

TEST_CASE("missing rows are a gap with a point of nothing in it") {
  const auto points = stats_series({row(5, 10, 5), row(40, 20, 10), row(45, 21, 11)}, 0);
  REQUIRE(points.size() == 4);
  CHECK(points[1].gap);
  CHECK(points[1].time_ms > points[0].time_ms);
  CHECK(points[1].time_ms < points[2].time_ms);
  CHECK_FALSE(points[1].interval);
  CHECK_FALSE(points[2].gap);
  CHECK_FALSE(points[2].interval);
  CHECK(points[3].interval);
}

TEST_CASE("two missing rows are still a line, three are a gap") {
  CHECK(stats_series({row(5, 1, 1), row(20, 2, 2)}, 0).size() == 2);
  CHECK(stats_series({row(5, 1, 1), row(21, 2, 2)}, 0).size() == 3);
}

TEST_CASE("rows before the window only count as predecessors") {
  const auto points = stats_series({row(5, 10, 5), row(10, 20, 5), row(15, 30, 5)}, 10 * second);
  REQUIRE(points.size() == 2);
  CHECK(points[0].time_ms == 10 * second);
  REQUIRE(points[0].interval);
  CHECK(points[0].interval->requests == 10);
}

TEST_CASE("the window does not begin with a gap") {
  const auto points = stats_series({row(5, 10, 5), row(60, 20, 5)}, 50 * second);
  REQUIRE(points.size() == 1);
  CHECK_FALSE(points[0].gap);
  CHECK_FALSE(points[0].interval);
}

}  // namespace
}  // namespace imgcached::pages
