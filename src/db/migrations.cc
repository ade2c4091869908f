#include "db/migrations.h"

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "db/connection.h"

namespace imgcached::db {
namespace {

// A change of the schema may have to copy a large table.
constexpr std::uint64_t step_timeout_ms = 600'000;
constexpr std::uint64_t lock_timeout_s = 60;

struct Statement {
  Statement(const char* text) : sql(text) {}
  Statement(const char* text, const char* question) : sql(text), is_done(question) {}

  std::string sql;
  // Returns a row when it has been carried out: of what can't be said twice.
  std::string is_done;
};

// Never change a step that has been released: add one.
const std::vector<std::vector<Statement>>& steps() {
  static const std::vector<std::vector<Statement>> all = {
      // 1: all the tables
      {
          // Keys are bytes, so that `Cat`, `cat` and `cat ` are three of them.
          "CREATE TABLE IF NOT EXISTS images ("
          " `key` VARBINARY(255) NOT NULL PRIMARY KEY,"
          " location VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,"
          " content_type VARCHAR(64) NOT NULL,"
          " byte_size BIGINT UNSIGNED NOT NULL,"
          " etag CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,"
          " created_at DATETIME(3) NOT NULL,"
          " updated_at DATETIME(3) NOT NULL,"
          " UNIQUE KEY location (location)"
          ") ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4",

          "CREATE TABLE IF NOT EXISTS cache_properties ("
          " id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,"
          " max_capacity BIGINT UNSIGNED NOT NULL COMMENT 'MB of 1048576 bytes',"
          " replacement_method VARCHAR(32) NOT NULL,"
          " created_at DATETIME(3) NOT NULL"
          ") ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4",

          // A service writes one row at a time: the unique key makes it safe to
          // send rows again whose answer was lost.
          "CREATE TABLE IF NOT EXISTS cache_stats ("
          " id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,"
          " cache_size BIGINT UNSIGNED NOT NULL COMMENT 'bytes',"
          " key_count BIGINT UNSIGNED NOT NULL,"
          " request_count BIGINT UNSIGNED NOT NULL,"
          " hit_count BIGINT UNSIGNED NOT NULL,"
          " miss_count BIGINT UNSIGNED NOT NULL,"
          " created_at DATETIME(3) NOT NULL,"
          " started_at DATETIME(3) NOT NULL COMMENT 'since when the counts are counted',"
          " UNIQUE KEY created_at (created_at, started_at)"
          ") ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4",
      },
      // 2: the image directory that this database belongs to
      {
          "CREATE TABLE IF NOT EXISTS store_identity ("
          " id TINYINT UNSIGNED NOT NULL PRIMARY KEY,"
          " identity CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"
          ") ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4",
      },
      // 3: which images were uploaded last
      {
          {"ALTER TABLE images ADD KEY updated_at (updated_at)",
           "SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE()"
           " AND table_name = 'images' AND index_name = 'updated_at'"},
      },
      // 4: what the cache might hold, and when it was cleared; unknown of older rows
      {
          {"ALTER TABLE cache_stats ADD COLUMN capacity BIGINT UNSIGNED NULL COMMENT 'bytes'",
           "SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE()"
           " AND table_name = 'cache_stats' AND column_name = 'capacity'"},
          {"ALTER TABLE cache_stats ADD COLUMN clear_count BIGINT UNSIGNED NULL",
           "SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE()"
           " AND table_name = 'cache_stats' AND column_name = 'clear_count'"},
      },
  };
  return all;
}

Task<Result<QueryResult>> run(Connection& connection, std::string sql,
                              std::vector<Value> parameters = {}) {
  Task<Result<QueryResult>> executing =
      connection.execute(sql, parameters, Kind::write, step_timeout_ms);
  Result<QueryResult> result = co_await std::move(executing);
  co_return result;
}

// Creates the database in which we could not log in.
Task<Result<void>> create_database(net::Loop& loop, Settings settings) {
  std::string quoted = "`";
  for (const char c : settings.name) quoted.append(c == '`' ? 2 : 1, c);
  quoted += "`";
  settings.name.clear();

  Task<Result<std::unique_ptr<Connection>>> opening = Connection::open(loop, settings);
  Result<std::unique_ptr<Connection>> connection = co_await std::move(opening);
  if (!connection) co_return std::move(connection).error();
  Task<Result<QueryResult>> creating =
      run(**connection, "CREATE DATABASE IF NOT EXISTS " + quoted + " CHARACTER SET utf8mb4");
  Result<QueryResult> created = co_await std::move(creating);
  if (!created) co_return std::move(created).error();
  co_return Result<void>();
}

// REQUIRES: the lock is held.
Task<Result<void>> take_steps(Connection& connection) {
  Task<Result<QueryResult>> creating = run(connection,
                                           "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                           " version BIGINT UNSIGNED NOT NULL PRIMARY KEY,"
                                           " applied_at DATETIME(3) NOT NULL"
                                           ") ENGINE=InnoDB");
  Result<QueryResult> created = co_await std::move(creating);
  if (!created) co_return std::move(created).error();

  Task<Result<QueryResult>> asking = run(connection, "SELECT COUNT(*) FROM schema_migrations");
  Result<QueryResult> asked = co_await std::move(asking);
  if (!asked) co_return std::move(asked).error();
  const std::uint64_t version = unsigned_of(asked->rows[0][0]);  // they are taken in order
  if (version > steps().size()) {
    co_return Error{Errc::invalid_argument,
                    "--db-name: the database has schema version " + std::to_string(version) +
                        ", this program knows up to " + std::to_string(steps().size()) +
                        ": run the newer program"};
  }

  for (std::uint64_t next = version + 1; next <= steps().size(); ++next) {
    for (const Statement& statement : steps()[next - 1]) {
      if (!statement.is_done.empty()) {
        Task<Result<QueryResult>> looking = run(connection, statement.is_done);
        Result<QueryResult> found = co_await std::move(looking);
        if (!found) co_return std::move(found).error();
        if (!found->rows.empty()) continue;
      }
      Task<Result<QueryResult>> changing = run(connection, statement.sql);
      Result<QueryResult> changed = co_await std::move(changing);
      if (!changed) co_return std::move(changed).error();
    }
    std::vector<Value> parameters{next};
    Task<Result<QueryResult>> recording =
        run(connection, "INSERT INTO schema_migrations VALUES (?, UTC_TIMESTAMP(3))",
            std::move(parameters));
    Result<QueryResult> recorded = co_await std::move(recording);
    if (!recorded) co_return std::move(recorded).error();
    log::info("schema_migrated version={}", next);
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> migrate(net::Loop& loop, Settings settings, Missing missing) {
  Task<Result<std::unique_ptr<Connection>>> opening = Connection::open(loop, settings);
  Result<std::unique_ptr<Connection>> connection = co_await std::move(opening);
  if (!connection && connection.error().code == Errc::invalid_argument &&
      missing == Missing::create) {
    Task<Result<void>> creating = create_database(loop, settings);
    Result<void> created = co_await std::move(creating);
    if (!created) co_return std::move(connection).error();
    Task<Result<std::unique_ptr<Connection>>> reopening = Connection::open(loop, settings);
    Result<std::unique_ptr<Connection>> reopened = co_await std::move(reopening);
    connection = std::move(reopened);
  }
  if (!connection) co_return std::move(connection).error();

  // The lock is one of the whole server, hence the database's name in its own,
  // hashed as lock names are short. It goes with the connection.
  std::vector<Value> patience{lock_timeout_s};
  Task<Result<QueryResult>> locking =
      run(**connection, "SELECT GET_LOCK(CONCAT('imgcached.', MD5(DATABASE())), ?)",
          std::move(patience));
  Result<QueryResult> locked = co_await std::move(locking);
  if (!locked) co_return std::move(locked).error();
  const Value& answer = locked->rows[0][0];
  if (answer.index() == 0 || integer_of(answer) != 1) {
    co_return Error{Errc::unavailable,
                    "another process has been changing the database's schema for " +
                        std::to_string(lock_timeout_s) + " s; try again"};
  }
  Task<Result<void>> stepping = take_steps(**connection);
  Result<void> done = co_await std::move(stepping);
  co_return done;
}

}  // namespace imgcached::db
