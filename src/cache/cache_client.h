// CacheClient: the cache service as the rest of the program sees it.
//
// Two implementations, and nothing above knows which it has: LocalCacheClient has
// the service in the same process, HttpCacheClient speaks HTTP to a cache service
// elsewhere. Every operation is safe to repeat.
//
// Errors: unavailable when the service can't be reached or is overloaded,
// timed_out when it does not answer. A failed get means nothing about the key;
// after a failed invalidate or clear, an old image may still be cached.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob.h"
#include "base/result.h"
#include "base/task.h"
#include "cache/cache.h"

namespace imgcached::cache {

class CacheClient {
 public:
  virtual ~CacheClient() = default;

  // REQUIRES: the key outlives the await.
  virtual Task<Result<Lookup>> get(std::string_view key) = 0;
  // Puts what was fetched after a miss that gave this lease.
  virtual Task<Result<PutOutcome>> put(std::string key, Blob blob, std::uint64_t lease) = 0;
  virtual Task<Result<void>> invalidate(std::string key) = 0;
  virtual Task<Result<void>> clear() = 0;
  // Has the service read the newest row of cache_properties. Error unavailable
  // also when the service can't read it; its old configuration stays.
  virtual Task<Result<void>> refresh_configuration() = 0;
  // Which of some keys (keys_asked_max at most) are cached now, in their order. Asking
  // is no request in the statistics and no use in the policy's eyes.
  static constexpr std::size_t keys_asked_max = 1'000;
  virtual Task<Result<std::vector<std::string>>> cached_of(std::vector<std::string> keys) = 0;
  // What the service counts, as of now.
  virtual Task<Result<Stats>> stats() = 0;
  // Whether the service answers at all.
  virtual Task<Result<void>> ping() = 0;
};

}  // namespace imgcached::cache
