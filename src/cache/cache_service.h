// CacheService: the cache, its configuration and its statistics, on the loop
// that owns them.
//
// Everything here runs on one thread, so the cache needs no lock. Who calls:
// CacheApi for HTTP on port 5001, MailboxCacheClient for the backend of the
// same process.
//
// The configuration in force is the newest row of `cache_properties`, read at
// start and when asked to; an empty table means the defaults. When it can't be
// read, what was in force stays. Reads may overlap; see RefreshOrder. A capacity beyond this
// machine's memory, from a row that another machine or a person wrote, is cut to that.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "cache/cache.h"
#include "cache/refresh_order.h"
#include "cache/stats_recorder.h"
#include "db/cache_properties_table.h"
#include "db/pool.h"
#include "net/loop.h"

namespace imgcached::cache {

// What no cache of this machine can be larger than.
std::uint64_t machine_memory_bytes();

class CacheService {
 public:
  CacheService(net::Loop& loop, db::Pool& pool);
  CacheService(const CacheService&) = delete;
  CacheService& operator=(const CacheService&) = delete;

  // From now on a row of statistics every five seconds; close() writes the last.
  void start_recording() { recorder_.start(); }
  Task<void> close();

  Lookup get(std::string_view key) { return cache_.get(key, loop_.now_ms()); }
  PutOutcome put(std::string_view key, Blob blob) { return cache_.put(key, std::move(blob)); }
  PutOutcome put(std::string_view key, Blob blob, std::uint64_t lease) {
    return cache_.put(key, std::move(blob), lease, loop_.now_ms());
  }
  void invalidate(std::string_view key) { cache_.invalidate(key); }
  void clear() { cache_.clear(); }
  // Error unavailable: the old configuration stays.
  Task<Result<void>> refresh_configuration();

  const Configuration& configuration() const { return cache_.configuration(); }
  const Stats& stats() const { return cache_.stats(); }
  std::vector<CachedKey> keys(std::string_view after, std::size_t limit) const {
    return cache_.keys(after, limit);
  }
  const StatsRecorder& recorder() const { return recorder_; }
  Task<Result<void>> ping_database() { return pool_.ping(); }

 private:
  net::Loop& loop_;
  db::Pool& pool_;
  db::CachePropertiesTable properties_;
  Cache cache_;
  StatsRecorder recorder_;
  RefreshOrder refreshes_;
};

}  // namespace imgcached::cache
