// CachePropertiesTable: the table `cache_properties`, the history of the cache's
// configuration. The newest row is in force; each change adds one. Failures are
// those of Pool::execute().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "db/pool.h"

namespace imgcached::db {

struct CachePropertiesRow {
  std::uint64_t id = 0;
  std::uint64_t max_capacity_mb = 0;  // MB of 1,048,576 bytes
  std::string replacement_method;     // in the words of the cache room
  std::int64_t created_at_ms = 0;     // since 1970, UTC
};

class CachePropertiesTable {
 public:
  explicit CachePropertiesTable(Pool& pool) : pool_(pool) {}

  Task<Result<std::optional<CachePropertiesRow>>> newest();
  // The last `limit` rows, newest first.
  Task<Result<std::vector<CachePropertiesRow>>> recent(std::uint64_t limit);
  Task<Result<void>> append(std::uint64_t max_capacity_mb, std::string replacement_method,
                            std::int64_t created_at_ms);

 private:
  Pool& pool_;
};

}  // namespace imgcached::db
