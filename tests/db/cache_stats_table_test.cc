#include "db/cache_stats_table.h"

#include <doctest/doctest.h>

#include <utility>

#include "tests/db/database_fixture.h"

using namespace imgcached;
using namespace imgcached::db;
using namespace imgcached::db::test;

namespace {

constexpr std::int64_t start_ms = 1'700'000'000'000;

CacheStatsRow row_at(std::int64_t offset_ms) {
  const auto n = static_cast<std::uint64_t>(offset_ms);
  return {n + 1, n + 2, n + 3, n + 4, n + 5, start_ms + offset_ms, start_ms, n + 6, n + 7};
}

}  // namespace

TEST_CASE("statistics rows come back in the order of time, from a time on") {
  DatabaseFixture fixture;
  CacheStatsTable table(fixture.pool);
  REQUIRE(fixture.run(table.append({row_at(5000), row_at(10'000)})).ok());
  REQUIRE(fixture.run(table.append({row_at(1)})).ok());
  const Result<std::vector<CacheStatsRow>> all = fixture.run(table.since(start_ms));
  REQUIRE(all.ok());
  REQUIRE(all->size() == 3);
  const std::int64_t offsets_ms[] = {1, 5000, 10'000};
  for (int i = 0; i < 3; ++i) {
    const CacheStatsRow& row = all->at(i);
    const CacheStatsRow expected = row_at(offsets_ms[i]);
    CHECK(row.cache_size_bytes == expected.cache_size_bytes);
    CHECK(row.key_count == expected.key_count);
    CHECK(row.request_count == expected.request_count);
    CHECK(row.hit_count == expected.hit_count);
    CHECK(row.miss_count == expected.miss_count);
    CHECK(row.created_at_ms == expected.created_at_ms);
    CHECK(row.started_at_ms == start_ms);
    CHECK(row.capacity_bytes == expected.capacity_bytes);
    CHECK(row.clear_count == expected.clear_count);
  }
  CHECK(fixture.run(table.since(start_ms + 5000))->size() == 2);
  CHECK(fixture.run(table.since(start_ms + 5001))->size() == 1);
}

TEST_CASE("with a step, the first and the last row of each step and count come") {
  DatabaseFixture fixture;
  CacheStatsTable table(fixture.pool);
  std::vector<CacheStatsRow> rows;
  // start_ms is 20 s into a step of 60 s, so steps begin at 40 s, 100 s and so on.
  for (std::int64_t at_ms = 0; at_ms < 120'000; at_ms += 5000) rows.push_back(row_at(at_ms));
  // Another count: alone in its step, then two rows in the next.
  for (const std::int64_t at_ms : {99'000, 101'000, 103'000}) {
    rows.push_back(row_at(at_ms));
    rows.back().started_at_ms = start_ms + 98'000;
  }
  REQUIRE(fixture.run(table.append(rows)).ok());
  const auto offsets_since = [&](std::int64_t from_ms) {
    std::vector<std::int64_t> offsets_ms;
    const Result<std::vector<CacheStatsRow>> thinned =
        fixture.run(table.since(start_ms + from_ms, 60'000));
    REQUIRE(thinned.ok());
    for (const CacheStatsRow& row : *thinned) offsets_ms.push_back(row.created_at_ms - start_ms);
    return offsets_ms;
  };
  CHECK(offsets_since(0) == std::vector<std::int64_t>{0, 35'000, 40'000, 95'000, 99'000, 100'000,
                                                      101'000, 103'000, 115'000});
  // What is before does not count as the first.
  CHECK(offsets_since(50'000).front() == 50'000);
  CHECK(offsets_since(115'000) == std::vector<std::int64_t>{115'000});
}

TEST_CASE("a day of statistics in steps is a few hundred rows") {
  DatabaseFixture fixture;
  CacheStatsTable table(fixture.pool);
  constexpr std::int64_t day_ms = 24 * 3600 * 1000;
  std::vector<CacheStatsRow> batch;
  for (std::int64_t at_ms = 0; at_ms < day_ms; at_ms += 5000) {
    batch.push_back(row_at(at_ms));
    if (batch.size() == CacheStatsTable::batch_max || at_ms + 5000 >= day_ms) {
      REQUIRE(fixture.run(table.append(std::exchange(batch, {}))).ok());
    }
  }
  CHECK(fixture.run(table.since(start_ms))->size() == 17'280);
  const Result<std::vector<CacheStatsRow>> thinned = fixture.run(table.since(start_ms, 600'000));
  REQUIRE(thinned.ok());
  CHECK(thinned->size() == 290);  // 143 whole steps and a part at either end
  CHECK(thinned->front().created_at_ms == start_ms);
  CHECK(thinned->back().created_at_ms == start_ms + day_ms - 5000);
}

TEST_CASE("rows of an earlier version say nothing of capacity and clears") {
  DatabaseFixture fixture;
  CacheStatsTable table(fixture.pool);
  CacheStatsRow row = row_at(1);
  row.capacity_bytes = row.clear_count = std::nullopt;
  REQUIRE(fixture.run(table.append({row})).ok());
  const Result<std::vector<CacheStatsRow>> rows = fixture.run(table.since(0));
  REQUIRE(rows.ok());
  CHECK_FALSE(rows->front().capacity_bytes);
  CHECK_FALSE(rows->front().clear_count);
}

TEST_CASE("rows that are sent again are there once") {
  DatabaseFixture fixture;
  CacheStatsTable table(fixture.pool);
  REQUIRE(fixture.run(table.append({row_at(1), row_at(2)})).ok());
  REQUIRE(fixture.run(table.append({row_at(2), row_at(3)})).ok());
  CHECK(fixture.run(table.since(0))->size() == 3);
  CHECK(fixture.run(table.append({})).ok());
}

TEST_CASE("a whole batch of statistics is appended at once") {
  DatabaseFixture fixture;
  CacheStatsTable table(fixture.pool);
  std::vector<CacheStatsRow> rows;
  for (std::size_t i = 0; i < CacheStatsTable::batch_max; ++i) {
    rows.push_back(row_at(static_cast<std::int64_t>(i) * 5000));
  }
  REQUIRE(fixture.run(table.append(rows)).ok());
  CHECK(fixture.run(table.since(0))->size() == rows.size());
}

TEST_CASE("old statistics are removed, the oldest first and not too many at once") {
  DatabaseFixture fixture;
  CacheStatsTable table(fixture.pool);
  REQUIRE(fixture.run(table.append({row_at(1), row_at(2), row_at(3), row_at(4)})).ok());
  CHECK(*fixture.run(table.remove_older_than(start_ms + 4, 2)) == 2);
  CHECK(fixture.run(table.since(0))->front().created_at_ms == start_ms + 3);
  CHECK(*fixture.run(table.remove_older_than(start_ms + 4, 2)) == 1);
  CHECK(*fixture.run(table.remove_older_than(start_ms + 4, 2)) == 0);
  CHECK(fixture.run(table.since(0))->size() == 1);
}
