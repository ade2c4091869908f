#include "cache/cache_service.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "cache/eviction_policy.h"

namespace imgcached::cache {
namespace {

constexpr std::uint64_t bytes_per_mb = 1'048'576;

std::uint64_t machine_memory_bytes() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

CacheService::CacheService(net::Loop& loop, db::Pool& pool)
    : pool_(pool),
      properties_(pool),
      machine_memory_bytes_(machine_memory_bytes()),
      recorder_(loop, pool, [this] { return stats(); }) {}

Lookup CacheService::get(std::string_view key) {
  const std::lock_guard lock(mutex_);
  return cache_.get(key, monotonic_ms());  // read under the lock: it never goes back
}

PutOutcome CacheService::put(std::string_view key, Blob blob) {
  const std::lock_guard lock(mutex_);
  return cache_.put(key, std::move(blob));
}

PutOutcome CacheService::put(std::string_view key, Blob blob, std::uint64_t lease) {
  const std::lock_guard lock(mutex_);
  return cache_.put(key, std::move(blob), lease, monotonic_ms());
}

void CacheService::invalidate(std::string_view key) {
  const std::lock_guard lock(mutex_);
  cache_.invalidate(key);
}

void CacheService::clear() {
  std::unique_lock lock(mutex_);
  const Cache::Remains remains = cache_.clear();
  lock.unlock();  // a million entries are freed while others go on
}

Configuration CacheService::configuration() const {
  const std::lock_guard lock(mutex_);
  return cache_.configuration();
}

Stats CacheService::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = cache_.stats();
  stats.machine_memory_bytes = machine_memory_bytes_;
  return stats;
}

std::vector<CachedKey> CacheService::keys(std::string_view after, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  return cache_.keys(after, limit);
}

std::vector<std::string> CacheService::cached_of(std::vector<std::string> keys) const {
  const std::lock_guard lock(mutex_);
  std::erase_if(keys, [&](const std::string& key) { return !cache_.contains(key); });
  return keys;
}

Task<void> CacheService::close() { return recorder_.close(); }

Task<Result<void>> CacheService::refresh_configuration() {
  const std::uint64_t read = refreshes_.begin();
  Result<std::optional<db::CachePropertiesRow>> row = co_await properties_.newest();
  if (!row) {
    log::warning("configuration_unreadable reason=\"{}\"", row.error().message);
    co_return std::move(row).error();
  }
  Configuration configuration;
  if (*row) {
    Result<Replacement> replacement = parse_replacement((**row).replacement_method);
    if (!replacement) {
      const std::string id = std::to_string((**row).id);
      log::error("configuration_refused id={} reason=\"{}\"", id, replacement.error().message);
      co_return Error{
          Errc::unavailable,
          "row " + id + " of cache_properties, the newest, says \"" + (**row).replacement_method +
              "\": " + replacement.error().message +
              "; add a row that is right, or DELETE FROM cache_properties WHERE id = " + id};
    }
    const std::uint64_t memory_mb = machine_memory_bytes_ / bytes_per_mb;
    const std::uint64_t capacity_mb = std::min((**row).max_capacity_mb, memory_mb);
    if (capacity_mb < (**row).max_capacity_mb) {
      log::warning("capacity_cut_to_memory id={} wanted_mb={} memory_mb={}", (**row).id,
                   (**row).max_capacity_mb, memory_mb);
    }
    configuration = {capacity_mb * bytes_per_mb, *replacement};
  }
  if (!refreshes_.applies(read)) co_return Result<void>();
  {
    const std::lock_guard lock(mutex_);
    cache_.configure(configuration);
  }
  log::info("configuration_in_force capacity_mb={} replacement=\"{}\"",
            configuration.capacity_bytes / bytes_per_mb, to_string(configuration.replacement));
  co_return Result<void>();
}

}  // namespace imgcached::cache
