#include "db/cache_properties_table.h"

#include "db/sql_time.h"

namespace imgcached::db {

Task<Result<std::optional<CachePropertiesRow>>> CachePropertiesTable::newest() {
  Task<Result<std::vector<CachePropertiesRow>>> asking = recent(1);
  Result<std::vector<CachePropertiesRow>> rows = co_await std::move(asking);
  if (!rows) co_return std::move(rows).error();
  std::optional<CachePropertiesRow> newest;
  if (!rows->empty()) newest = std::move(rows->front());
  co_return newest;
}

Task<Result<std::vector<CachePropertiesRow>>> CachePropertiesTable::recent(std::uint64_t limit) {
  std::vector<Value> parameters{limit};
  Task<Result<QueryResult>> asking =
      pool_.execute("SELECT id, max_capacity, replacement_method, " SQL_CREATED_AT_MS
                    " FROM cache_properties ORDER BY id DESC LIMIT ?",
                    std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  std::vector<CachePropertiesRow> rows;
  rows.reserve(result->rows.size());
  for (Row& row : result->rows) {
    rows.push_back({unsigned_of(row[0]), unsigned_of(row[1]), text_of(row[2]), integer_of(row[3])});
  }
  co_return rows;
}

Task<Result<void>> CachePropertiesTable::append(std::uint64_t max_capacity_mb,
                                                std::string replacement_method,
                                                std::int64_t created_at_ms) {
  std::vector<Value> parameters{max_capacity_mb, std::move(replacement_method), created_at_ms};
  Task<Result<QueryResult>> inserting = pool_.execute(
      "INSERT INTO cache_properties (max_capacity, replacement_method, created_at)"
      " VALUES (?, ?, " SQL_TIME ")",
      std::move(parameters));
  Result<QueryResult> result = co_await std::move(inserting);
  if (!result) co_return std::move(result).error();
  co_return Result<void>();
}

}  // namespace imgcached::db
