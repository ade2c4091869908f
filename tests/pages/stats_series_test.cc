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

TEST_CASE("requests per second are of the time that really passed") {
  const auto points = stats_series({row(5, 100, 90), row(9, 110, 93), row(9, 110, 93)}, 0);
  REQUIRE(points.size() == 3);
  CHECK(points[1].interval->requests_per_second() == doctest::Approx(2.5));
  CHECK_FALSE(points[2].interval->requests_per_second());
}

TEST_CASE("a point knows the capacity, and how often the cache was cleared before it") {
  std::vector<db::CacheStatsRow> rows = {row(5, 1, 1), row(10, 2, 2), row(15, 3, 3), row(20, 4, 4)};
  rows[1].capacity_bytes = 1000;
  rows[1].clear_count = 7;
  rows[2].clear_count = 7;
  rows[3].clear_count = 9;
  const auto points = stats_series(rows, 0);
  CHECK_FALSE(points[0].capacity_bytes);
  CHECK(points[1].capacity_bytes == 1000);
  CHECK(points[1].clears == 0);  // those of 7 that were before it are of no known time
  CHECK(points[2].clears == 0);
  CHECK(points[3].clears == 2);
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

TEST_CASE("a step is one point with its last values and the sum of what was counted") {
  // Steps of a minute, of each the first row and the last, as the table gives them.
  const auto points = stats_series(
      {row(0, 100, 0), row(55, 111, 11), row(60, 120, 12), row(115, 160, 30), row(120, 160, 30)}, 0,
      60 * second);
  REQUIRE(points.size() == 3);
  CHECK(points[0].time_ms == 55 * second);
  CHECK(points[0].items == 118);
  REQUIRE(points[0].interval);
  CHECK(points[0].interval->requests == 11);
  CHECK(points[0].interval->duration_ms == 55 * second);
  CHECK(points[1].time_ms == 115 * second);
  CHECK(points[1].interval->requests == 49);  // from 55 s on
  CHECK(points[1].interval->hits == 19);
  CHECK(points[1].interval->misses == 30);
  CHECK(points[1].interval->duration_ms == 60 * second);
  CHECK(points[2].interval->requests == 0);
}

TEST_CASE("a restart within a step loses only what was counted across it") {
  const auto points = stats_series(
      {row(0, 100, 0), row(20, 110, 5), row(30, 1, 0, 25), row(55, 4, 1, 25), row(60, 6, 2, 25)}, 0,
      60 * second);
  REQUIRE(points.size() == 2);
  CHECK(points[0].interval->requests == 13);
  CHECK(points[0].interval->duration_ms == 45 * second);
  CHECK(points[0].items == 11);
  CHECK(points[1].interval->requests == 2);
}

TEST_CASE("between steps a gap is a gap, within one it is not") {
  const auto points = stats_series(
      {row(0, 1, 1), row(40, 2, 2), row(60, 3, 3), row(61, 3, 3), row(170, 9, 9)}, 0, 60 * second);
  REQUIRE(points.size() == 5);
  CHECK(points[0].interval->requests == 1);
  CHECK(points[1].gap);  // from 40 s to 60 s
  CHECK_FALSE(points[2].gap);
  CHECK(points[3].gap);
  CHECK_FALSE(points[4].interval);
}

TEST_CASE("the first step may have begun before the window") {
  const auto points = stats_series({row(10, 10, 5), row(50, 20, 5)}, 30 * second, 60 * second);
  REQUIRE(points.size() == 1);
  CHECK(points[0].interval->requests == 10);
}

}  // namespace
}  // namespace imgcached::pages
