#include "db/migrations.h"

#include <doctest/doctest.h>

#include <thread>

#include "tests/db/database_fixture.h"

using namespace imgcached;
using namespace imgcached::db;
using namespace imgcached::db::test;

namespace {

Result<void> migrate_once(Settings settings) {
  net::Loop loop;
  Result<void> done = run_task(loop, migrate(loop, std::move(settings)));
  loop.run();
  return done;
}

}  // namespace

TEST_CASE("the schema is created, and doing it again keeps what is there") {
  Database& server = Database::shared();
  const Settings settings = settings_of(server.create());
  REQUIRE(migrate_once(settings).ok());
  server.query(
      "INSERT INTO images VALUES ('k', 'l', 'image/png', 1, REPEAT('0', 32), NOW(3), NOW(3))",
      settings.name);
  REQUIRE(migrate_once(settings).ok());
  CHECK(server.query("SELECT COUNT(*) FROM images", settings.name)[0][0] == "1");
  CHECK(server.query("SELECT COUNT(*) FROM schema_migrations", settings.name)[0][0] == "4");
}

TEST_CASE("a step that a crash cut off is completed") {
  Database& server = Database::shared();
  const Settings settings = settings_of(server.create());
  REQUIRE(migrate_once(settings).ok());
  server.query("DROP TABLE cache_stats", settings.name);
  server.query("DELETE FROM schema_migrations", settings.name);
  REQUIRE(migrate_once(settings).ok());
  CHECK(server.query("SELECT * FROM cache_stats", settings.name).empty());
}

TEST_CASE("columns are added to a table of an earlier version, which keeps its rows") {
  Database& server = Database::shared();
  const Settings settings = settings_of(server.create());
  REQUIRE(migrate_once(settings).ok());
  server.query("ALTER TABLE cache_stats DROP COLUMN capacity, DROP COLUMN clear_count",
               settings.name);
  server.query("DELETE FROM schema_migrations WHERE version > 3", settings.name);
  server.query("INSERT INTO cache_stats VALUES (1, 2, 3, 4, 5, 6, NOW(3), NOW(3))", settings.name);
  // A crash between two columns: one is there, and the step is not recorded.
  server.query("ALTER TABLE cache_stats ADD COLUMN capacity BIGINT UNSIGNED NULL", settings.name);
  const Result<void> done = migrate_once(settings);
  REQUIRE_MESSAGE(done.ok(), done.error().message);
  CHECK(server.query("SELECT miss_count, capacity, clear_count FROM cache_stats", settings.name) ==
        Database::Rows{{"6", "NULL", "NULL"}});
}

TEST_CASE("processes that start together do not collide") {
  const Settings settings = settings_of(Database::shared().create());
  std::vector<std::thread> starters;
  std::vector<std::string> failures(6);
  for (std::string& failure : failures) {
    starters.emplace_back([&settings, &failure] {
      const Result<void> done = migrate_once(settings);
      if (!done) failure = done.error().message;
    });
  }
  for (std::thread& starter : starters) starter.join();
  for (const std::string& failure : failures) CHECK(failure == "");
}

TEST_CASE("a database that does not exist yet is created, whatever its name") {
  Database& server = Database::shared();
  Settings settings = settings_of();
  settings.name = "new`one";
  server.query("DROP DATABASE IF EXISTS `new``one`");
  const Result<void> done = migrate_once(settings);
  REQUIRE_MESSAGE(done.ok(), done.error().message);
  CHECK(server.query("SELECT * FROM `new``one`.images").empty());
}

TEST_CASE("who may not create the database is told what the server said first") {
  Database& server = Database::shared();
  server.query("CREATE OR REPLACE USER guest IDENTIFIED BY ''");
  Settings settings = settings_of();
  settings.user = "guest";
  settings.name = "not_for_guests";
  const Result<void> done = migrate_once(settings);
  REQUIRE(!done.ok());
  CHECK(done.error().code == Errc::invalid_argument);
  CHECK(done.error().message.find("not_for_guests") != std::string::npos);
}

TEST_CASE("the schema of a newer program is left alone") {
  Database& server = Database::shared();
  const Settings settings = settings_of(server.create());
  REQUIRE(migrate_once(settings).ok());
  server.query("INSERT INTO schema_migrations VALUES (1000, NOW(3))", settings.name);
  const Result<void> done = migrate_once(settings);
  REQUIRE(!done.ok());
  CHECK(done.error().code == Errc::invalid_argument);
}
