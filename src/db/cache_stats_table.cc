#include "db/cache_stats_table.h"

#include <cassert>

#include "db/sql_time.h"

namespace imgcached::db {
namespace {

Value value_of(const std::optional<std::uint64_t>& count) {
  return count ? Value(*count) : Value();
}

std::optional<std::uint64_t> optional_of(const Value& cell) {
  if (std::holds_alternative<std::monostate>(cell)) return std::nullopt;
  return unsigned_of(cell);
}

// The first or the last row of each step and count. The ids of a count are in the
// order of time, and the index has all of this.
std::string steps_sql(const std::string& which) {
  return "SELECT " + which +
         "(id) AS id FROM cache_stats WHERE created_at >= " SQL_TIME
         " GROUP BY started_at, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at)"
         " DIV (? * 1000)";
}

}  // namespace

Task<Result<void>> CacheStatsTable::append(std::vector<CacheStatsRow> rows) {
  assert(rows.size() <= batch_max);
  if (rows.empty()) co_return Result<void>();
  std::string sql =
      "INSERT INTO cache_stats (cache_size, key_count, request_count, hit_count, miss_count,"
      " created_at, started_at, capacity, clear_count) VALUES ";
  std::vector<Value> parameters;
  for (const CacheStatsRow& row : rows) {
    if (!parameters.empty()) sql += ", ";
    sql += "(?, ?, ?, ?, ?, " SQL_TIME ", " SQL_TIME ", ?, ?)";
    for (const std::uint64_t count :
         {row.cache_size_bytes, row.key_count, row.request_count, row.hit_count, row.miss_count}) {
      parameters.emplace_back(count);
    }
    parameters.emplace_back(row.created_at_ms);
    parameters.emplace_back(row.started_at_ms);
    parameters.push_back(value_of(row.capacity_bytes));
    parameters.push_back(value_of(row.clear_count));
  }
  sql += " ON DUPLICATE KEY UPDATE id = id";
  Task<Result<QueryResult>> inserting =
      pool_.execute(std::move(sql), std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(inserting);
  if (!result) co_return std::move(result).error();
  co_return Result<void>();
}

Task<Result<std::vector<CacheStatsRow>>> CacheStatsTable::since(std::int64_t unix_ms,
                                                                std::int64_t step_ms) {
  std::string sql =
      "SELECT cache_size, key_count, request_count, hit_count, miss_count, " SQL_CREATED_AT_MS
      ", " SQL_STARTED_AT_MS ", capacity, clear_count FROM cache_stats";
  std::vector<Value> parameters;
  if (step_ms > 0) {
    // A UNION, so that a row that is both is there once.
    sql += " JOIN (" + steps_sql("MIN") + " UNION " + steps_sql("MAX") + ") AS kept USING (id)";
    parameters = {unix_ms, step_ms, unix_ms, step_ms};
  } else {
    sql += " WHERE created_at >= " SQL_TIME;
    parameters = {unix_ms};
  }
  sql += " ORDER BY created_at, started_at";
  Task<Result<QueryResult>> asking =
      pool_.execute(std::move(sql), std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  std::vector<CacheStatsRow> rows;
  rows.reserve(result->rows.size());
  for (const Row& row : result->rows) {
    rows.push_back({unsigned_of(row[0]), unsigned_of(row[1]), unsigned_of(row[2]),
                    unsigned_of(row[3]), unsigned_of(row[4]), integer_of(row[5]),
                    integer_of(row[6]), optional_of(row[7]), optional_of(row[8])});
  }
  co_return rows;
}

Task<Result<std::uint64_t>> CacheStatsTable::remove_older_than(std::int64_t unix_ms,
                                                               std::uint64_t limit) {
  std::vector<Value> parameters{unix_ms, limit};
  Task<Result<QueryResult>> removing =
      pool_.execute("DELETE FROM cache_stats WHERE created_at < " SQL_TIME
                    " ORDER BY created_at, started_at LIMIT ?",
                    std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(removing);
  if (!result) co_return std::move(result).error();
  co_return result->affected_rows;
}

}  // namespace imgcached::db
