// The recorder on a real database, whose table a test takes away.
#include "cache/stats_recorder.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/db/database_fixture.h"

namespace imgcached::cache {
namespace {

TEST_CASE("a full queue of statistics loses its oldest rows, and counts them") {
  db::test::DatabaseFixture fixture;
  const auto query = [&](const std::string& sql) {
    return e2e::Database::shared().query(sql, fixture.settings.name);
  };
  query("RENAME TABLE cache_stats TO away");
  Stats stats;
  stats.cmd_get = 1;
  StatsRecorder recorder(fixture.loop, fixture.pool, [&] { return stats; },
                         {.interval_ms = 5, .queued_max = 4});
  recorder.start();
  while (recorder.queued() < 4) {
    CHECK(recorder.rows_lost() == 0);  // none is, before the queue is full
    uv_run(fixture.loop.raw(), UV_RUN_ONCE);
  }
  stats.cmd_get = 2;
  const std::uint64_t lost_before = recorder.rows_lost();  // one, if the last turn took two samples
  while (recorder.rows_lost() < lost_before + 4) uv_run(fixture.loop.raw(), UV_RUN_ONCE);
  CHECK(recorder.queued() == 4);
  CHECK(recorder.rows_written() == 0);

  query("RENAME TABLE away TO cache_stats");
  fixture.run(recorder.close());
  CHECK(recorder.queued() == 0);
  CHECK(query("SELECT COUNT(*) FROM cache_stats WHERE request_count = 1").at(0).at(0) == "0");
  CHECK(std::stoul(query("SELECT COUNT(*) FROM cache_stats").at(0).at(0)) >= 4);
}

TEST_CASE("bug: a full queue of statistics forgot rows while others were being written") {
  db::test::DatabaseFixture fixture;
  const auto count = [&](const std::string& condition) {
    return e2e::Database::shared()
        .query("SELECT COUNT(*) FROM cache_stats WHERE " + condition, fixture.settings.name)
        .at(0)
        .at(0);
  };
  REQUIRE(fixture.run(fixture.pool.execute("SELECT 1")).ok());  // from now on there is a connection
  Stats stats;
  StatsRecorder recorder(fixture.loop, fixture.pool, [&] { return stats; },
                         {.interval_ms = 5, .queued_max = 4});
  {
    const db::test::Frozen frozen;
    recorder.start();  // the first row is on its way
    stats.cmd_get = 1;
    while (recorder.rows_lost() == 0) uv_run(fixture.loop.raw(), UV_RUN_ONCE);
    stats.cmd_get = 2;
  }
  fixture.run(recorder.close());
  CHECK(recorder.queued() == 0);
  CHECK(count("request_count = 0") == "1");
  CHECK(count("request_count = 1") == "4");
  CHECK(recorder.rows_written() == 6);
  CHECK(recorder.rows_lost() == 1);
}

}  // namespace
}  // namespace imgcached::cache
