#include "pages/stats_history.h"

#include <doctest/doctest.h>

#include "pages/cache_stats_page.h"
#include "tests/db/database_fixture.h"

namespace imgcached::pages {
namespace {

constexpr std::int64_t now_ms = 1'700'000'000'000;

db::CacheStatsRow row_at(std::int64_t time_ms, std::uint64_t clears) {
  db::CacheStatsRow row;
  row.created_at_ms = time_ms;
  row.started_at_ms = now_ms - 100'000'000;
  row.request_count = static_cast<std::uint64_t>(time_ms - row.started_at_ms) / 1000;
  row.hit_count = row.request_count / 4;
  row.miss_count = row.request_count - row.hit_count;
  row.capacity_bytes = 4096;
  row.clear_count = clears;
  return row;
}

struct Tables {
  db::test::DatabaseFixture fixture;
  db::CacheStatsTable stats{fixture.pool};
  db::CachePropertiesTable properties{fixture.pool};

  StatsHistory history(const StatsWindow& window) {
    Result<StatsHistory> history =
        fixture.run(read_stats_history(stats, properties, window, now_ms));
    REQUIRE(history.ok());
    return std::move(*history);
  }
};

TEST_CASE("a window is asked for by name, and is ten minutes otherwise") {
  CHECK(parse_stats_window(http::Form())->name == "10m");
  CHECK(parse_stats_window(*http::parse_form("window=1h"))->length_ms == 3'600'000);
  CHECK(parse_stats_window(*http::parse_form("window=24h"))->name == "24h");
  for (const char* wrong : {"window=", "window=1H", "window=7d", "window=10"}) {
    const Result<StatsWindow> window = parse_stats_window(*http::parse_form(wrong));
    REQUIRE_FALSE(window.ok());
    CHECK(window.error().code == Errc::invalid_argument);
  }
}

TEST_CASE("however long the window, its points are few and nothing counted is lost") {
  Tables it;
  std::vector<db::CacheStatsRow> batch;
  for (std::int64_t time_ms = now_ms - 86'500'000; time_ms <= now_ms; time_ms += 5000) {
    batch.push_back(row_at(time_ms, 0));
    if (batch.size() == db::CacheStatsTable::batch_max || time_ms + 5000 > now_ms) {
      REQUIRE(it.fixture.run(it.stats.append(std::exchange(batch, {}))).ok());
    }
  }
  for (const StatsWindow& window : stats_windows) {
    CAPTURE(window.name);
    const StatsHistory history = it.history(window);
    CHECK(history.to_ms - history.from_ms == window.length_ms);
    CHECK(history.points.size() >= 120);
    CHECK(history.points.size() <= 121);
    std::uint64_t requests = 0;
    for (const StatsPoint& point : history.points) {
      CHECK_FALSE(point.gap);
      REQUIRE(point.interval);
      CHECK(point.interval->requests_per_second() == doctest::Approx(1.0).epsilon(0.01));
      requests += point.interval->requests;
    }
    // Of what is counted in the first interval a part is from before the window.
    const auto seconds = static_cast<std::uint64_t>(window.length_ms / 1000);
    CHECK(requests >= seconds);
    CHECK(requests <= seconds + 15 + static_cast<std::uint64_t>(window.interval_ms / 1000));
  }
}

TEST_CASE("changes of the configuration and clears are marks, in the order of time") {
  Tables it;
  const std::int64_t minute = 60'000;
  REQUIRE(it.fixture.run(it.properties.append(1, "lru", now_ms - 20 * minute)).ok());
  REQUIRE(it.fixture.run(it.properties.append(2, "lru", now_ms - 9 * minute)).ok());
  REQUIRE(it.fixture.run(it.properties.append(3, "random", now_ms - 7 * minute)).ok());
  REQUIRE(it.fixture
              .run(it.stats.append({row_at(now_ms - 8 * minute - 5000, 1),
                                    row_at(now_ms - 8 * minute, 2), row_at(now_ms, 2)}))
              .ok());
  const StatsHistory history = it.history(stats_windows[0]);
  REQUIRE(history.marks.size() == 3);
  CHECK(history.marks[0].configured->capacity_mb == 2);
  CHECK(history.marks[1].time_ms == now_ms - 8 * minute);
  CHECK_FALSE(history.marks[1].configured);
  CHECK(history.marks[2].configured->replacement_method == "random");
}

TEST_CASE("the CSV file has what is known, and leaves out what is not") {
  StatsPoint first;
  first.time_ms = now_ms;
  first.items = 12;
  first.bytes = 3456;
  StatsPoint gap;
  gap.gap = true;
  StatsPoint idle = first;
  idle.time_ms += 60'000;
  idle.capacity_bytes = 8192;
  idle.interval = StatsPoint::Interval{5000, 0, 0, 0};
  StatsPoint busy = idle;
  busy.time_ms += 5000;
  busy.interval = StatsPoint::Interval{5000, 20, 15, 5};
  busy.clears = 1;
  CHECK(stats_csv({first, gap, idle, busy}) ==
        "time,items,bytes,capacity_bytes,requests,hits,misses,requests_per_second,hit_rate,"
        "miss_rate,clears\r\n"
        "2023-11-14T22:13:20Z,12,3456,,,,,,,,\r\n"
        "2023-11-14T22:14:20Z,12,3456,8192,0,0,0,0,,,0\r\n"
        "2023-11-14T22:14:25Z,12,3456,8192,20,15,5,4,0.75,0.25,1\r\n");
}

}  // namespace
}  // namespace imgcached::pages
