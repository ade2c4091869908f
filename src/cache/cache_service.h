// CacheService: the cache, its configuration and its statistics.
//
// Who calls: CacheApi for HTTP on port 5001, on the service's loop; LocalCacheClient
// for the backend of the same process, on others. Hence the lock: an operation of
// the cache is one critical section, so what it has done every later one sees, on
// whichever thread. It is held for no longer than that: nothing waits inside. Two hold it
// for long: keys(), which walks the whole cache (see Cache::keys), and a configuration
// that evicts much or changes the policy.
//
// The configuration in force is the newest row of `cache_properties`, read at
// start and when asked to; an empty table means the defaults. When it can't be
// read, what was in force stays. Reads may overlap; see RefreshOrder. A capacity beyond this
// machine's memory, from a row that another machine or a person wrote, is cut to that.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "cache/cache.h"
#include "cache/refresh_order.h"
#include "cache/stats_recorder.h"
#include "db/cache_properties_table.h"
#include "db/pool.h"
#include "net/loop.h"

namespace imgcached::cache {

class CacheService {
 public:
  CacheService(net::Loop& loop, db::Pool& pool);
  CacheService(const CacheService&) = delete;
  CacheService& operator=(const CacheService&) = delete;

  // From now on a row of statistics every five seconds; close() writes the last. On
  // the service's loop.
  void start_recording() { recorder_.start(); }
  Task<void> close();

  // Those of Cache, from any thread.
  Lookup get(std::string_view key);
  PutOutcome put(std::string_view key, Blob blob);
  PutOutcome put(std::string_view key, Blob blob, std::uint64_t lease);
  void invalidate(std::string_view key);
  void clear();
  Configuration configuration() const;
  Stats stats() const;
  std::vector<CachedKey> keys(std::string_view after, std::size_t limit) const;
  // Those of `keys` that are cached now, in their order. The lock is held for all of
  // them: a few thousand at most.
  std::vector<std::string> cached_of(std::vector<std::string> keys) const;

  // As all that follows, on the service's loop. Error unavailable: the old
  // configuration stays.
  Task<Result<void>> refresh_configuration();
  const StatsRecorder& recorder() const { return recorder_; }
  Task<Result<void>> ping_database() { return pool_.ping(); }

 private:
  db::Pool& pool_;
  db::CachePropertiesTable properties_;
  mutable std::mutex mutex_;  // of the cache
  Cache cache_;
  const std::uint64_t machine_memory_bytes_;
  StatsRecorder recorder_;
  RefreshOrder refreshes_;
};

}  // namespace imgcached::cache
