#include "db/cache_stats_table.h"

#include <doctest/doctest.h>

#include "tests/db/bench.h"

using namespace imgcached;
using namespace imgcached::db;
using namespace imgcached::db::test;

namespace {

constexpr std::int64_t start_ms = 1'700'000'000'000;

CacheStatsRow row_at(std::int64_t offset_ms) {
  const auto n = static_cast<std::uint64_t>(offset_ms);
  return {n + 1, n + 2, n + 3, n + 4, n + 5, start_ms + offset_ms, start_ms};
}

}  // namespace

TEST_CASE("statistics rows come back in the order of time, from a time on") {
  Bench bench;
  CacheStatsTable table(bench.pool);
  REQUIRE(bench.run(table.append({row_at(5000), row_at(10'000)})).ok());
  REQUIRE(bench.run(table.append({row_at(1)})).ok());
  const Result<std::vector<CacheStatsRow>> all = bench.run(table.since(start_ms));
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
  }
  CHECK(bench.run(table.since(start_ms + 5000))->size() == 2);
  CHECK(bench.run(table.since(start_ms + 5001))->size() == 1);
}

TEST_CASE("rows that are sent again are there once") {
  Bench bench;
  CacheStatsTable table(bench.pool);
  REQUIRE(bench.run(table.append({row_at(1), row_at(2)})).ok());
  REQUIRE(bench.run(table.append({row_at(2), row_at(3)})).ok());
  CHECK(bench.run(table.since(0))->size() == 3);
  CHECK(bench.run(table.append({})).ok());
}

TEST_CASE("a whole batch of statistics is appended at once") {
  Bench bench;
  CacheStatsTable table(bench.pool);
  std::vector<CacheStatsRow> rows;
  for (std::size_t i = 0; i < CacheStatsTable::batch_max; ++i) {
    rows.push_back(row_at(static_cast<std::int64_t>(i) * 5000));
  }
  REQUIRE(bench.run(table.append(rows)).ok());
  CHECK(bench.run(table.since(0))->size() == rows.size());
}

TEST_CASE("old statistics are removed, the oldest first and not too many at once") {
  Bench bench;
  CacheStatsTable table(bench.pool);
  REQUIRE(bench.run(table.append({row_at(1), row_at(2), row_at(3), row_at(4)})).ok());
  CHECK(*bench.run(table.remove_older_than(start_ms + 4, 2)) == 2);
  CHECK(bench.run(table.since(0))->front().created_at_ms == start_ms + 3);
  CHECK(*bench.run(table.remove_older_than(start_ms + 4, 2)) == 1);
  CHECK(*bench.run(table.remove_older_than(start_ms + 4, 2)) == 0);
  CHECK(bench.run(table.since(0))->size() == 1);
}
