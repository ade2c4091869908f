// What the tests of db/ stand on: the binary's own MariaDB, and a loop that must
// be empty at the end.
#pragma once

#include <memory>
#include <string>

#include "db/connection.h"
#include "db/pool.h"
#include "db/settings.h"
#include "net/loop.h"
#include "tests/e2e/answer_time.h"
#include "tests/e2e/fixture.h"
#include "tests/net/run_task.h"

namespace imgcached::db::test {

using e2e::answer_ms_max;
using e2e::Database;
using e2e::Stopwatch;
using imgcached::test::keep_result;
using imgcached::test::run_task;

// Root on the shared server; without a name, no database is chosen.
Settings settings_of(std::string database_name = "");

// A loop, and one connection to a fresh and empty database.
struct Session {
  Session();
  ~Session();

  Result<QueryResult> execute(const std::string& sql, const std::vector<Value>& parameters = {},
                              Kind kind = Kind::write, std::uint64_t timeout_ms = 10'000);
  // The result of what must succeed.
  QueryResult must(const std::string& sql, const std::vector<Value>& parameters = {},
                   Kind kind = Kind::write);

  Settings settings;
  net::Loop loop;
  std::unique_ptr<Connection> connection;
};

// A loop, and a pool on a fresh and migrated database.
struct DatabaseFixture {
  explicit DatabaseFixture(PoolLimits limits = PoolLimits());
  ~DatabaseFixture();

  // Runs the task to its end.
  template <class T>
  T run(Task<T> task) {
    return run_task(loop, std::move(task));
  }

  Settings settings;
  net::Loop loop;
  Pool pool;
};

// Takes the server away for as long as it lives, and brings it back.
struct Frozen {
  Frozen() { Database::shared().freeze(); }
  ~Frozen() { Database::shared().thaw(); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
};

}  // namespace imgcached::db::test
