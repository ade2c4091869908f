#include "db/cache_properties_table.h"

#include <doctest/doctest.h>

#include "tests/db/database_fixture.h"

using namespace imgcached;
using namespace imgcached::db;
using namespace imgcached::db::test;

TEST_CASE("the newest cache properties are the last ones appended") {
  DatabaseFixture fixture;
  CachePropertiesTable table(fixture.pool);
  Result<std::optional<CachePropertiesRow>> none = fixture.run(table.newest());
  REQUIRE(none.ok());
  CHECK(!none->has_value());

  REQUIRE(fixture.run(table.append(100, "Least Recently Used", 1'700'000'000'001)).ok());
  // The clock went back: the order is that of the changes.
  REQUIRE(fixture.run(table.append(0, "Random Replacement", 1'600'000'000'002)).ok());
  const Result<std::optional<CachePropertiesRow>> newest = fixture.run(table.newest());
  REQUIRE(newest.ok());
  REQUIRE(newest->has_value());
  CHECK((*newest)->max_capacity_mb == 0);
  CHECK((*newest)->replacement_method == "Random Replacement");
  CHECK((*newest)->created_at_ms == 1'600'000'000'002);

  const Result<std::vector<CachePropertiesRow>> history = fixture.run(table.recent(10));
  REQUIRE(history.ok());
  REQUIRE(history->size() == 2);
  CHECK(history->at(0).id > history->at(1).id);
  CHECK(history->at(1).max_capacity_mb == 100);
  CHECK(fixture.run(table.recent(1))->size() == 1);
}
