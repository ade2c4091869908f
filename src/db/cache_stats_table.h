// CacheStatsTable: the table `cache_stats`, one row every few seconds. The
// counts of a row are since the service started; a row with another started_at
// than the one before begins a new count. Rows that an earlier version wrote say
// nothing of the capacity and of clears. Failures are those of Pool::execute().
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "db/pool.h"

namespace imgcached::db {

struct CacheStatsRow {
  std::uint64_t cache_size_bytes = 0;
  std::uint64_t key_count = 0;
  std::uint64_t request_count = 0;
  std::uint64_t hit_count = 0;
  std::uint64_t miss_count = 0;
  std::int64_t created_at_ms = 0;  // since 1970, UTC
  std::int64_t started_at_ms = 0;  // when the service that counted started
  std::optional<std::uint64_t> capacity_bytes = std::nullopt;
  std::optional<std::uint64_t> clear_count = std::nullopt;
};

class CacheStatsTable {
 public:
  static constexpr std::size_t batch_max = 500;  // of append()

  explicit CacheStatsTable(Pool& pool) : pool_(pool) {}

  // Adds all rows or none. Rows that are there already (with the same two
  // times) are left alone, so after a failure the same rows can be sent again.
  // REQUIRES: at most batch_max.
  Task<Result<void>> append(std::vector<CacheStatsRow> rows);
  // The rows of that time and later, in the order of time. With a `step_ms` only some
  // of them: time since 1970 is cut into steps of that length, and of each step's
  // rows of the same count the first and the last come. That is enough to tell what
  // was counted in it, and a day then is a few hundred rows instead of 17,280.
  Task<Result<std::vector<CacheStatsRow>>> since(std::int64_t unix_ms, std::int64_t step_ms = 0);
  // Removes the `limit` oldest of the rows before that time; how many went.
  Task<Result<std::uint64_t>> remove_older_than(std::int64_t unix_ms, std::uint64_t limit);

 private:
  Pool& pool_;
};

}  // namespace imgcached::db
