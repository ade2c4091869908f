#include "tests/db/database_fixture.h"

#include <doctest/doctest.h>

#include "db/migrations.h"

namespace imgcached::db::test {

Settings settings_of(std::string database_name) {
  Settings settings;
  settings.socket = Database::shared().socket();
  settings.user = "root";
  settings.name = std::move(database_name);
  return settings;
}

Session::Session() : settings(settings_of(Database::shared().create())) {
  Result<std::unique_ptr<Connection>> opened =
      run_task(loop, Connection::open(loop, settings, 10'000));
  REQUIRE_MESSAGE(opened.ok(), opened.error().message);
  connection = std::move(*opened);
}

Session::~Session() {
  connection.reset();
  loop.run();
  CHECK(loop.live_handles() == 0);
}

Result<QueryResult> Session::execute(const std::string& sql, const std::vector<Value>& parameters,
                                     Kind kind, std::uint64_t timeout_ms) {
  return run_task(loop, connection->execute(sql, parameters, kind, timeout_ms));
}

QueryResult Session::must(const std::string& sql, const std::vector<Value>& parameters, Kind kind) {
  Result<QueryResult> result = execute(sql, parameters, kind);
  REQUIRE_MESSAGE(result.ok(), result.error().message);
  return std::move(*result);
}

DatabaseFixture::DatabaseFixture(PoolLimits limits)
    : settings(settings_of(Database::shared().create())), pool(loop, settings, limits) {
  const Result<void> migrated = run(migrate(loop, settings));
  REQUIRE_MESSAGE(migrated.ok(), migrated.error().message);
}

DatabaseFixture::~DatabaseFixture() {
  run(pool.close());
  loop.run();
  CHECK(loop.live_handles() == 0);
}

}  // namespace imgcached::db::test
