#include "cache/local_cache_client.h"

#include <utility>

namespace imgcached::cache {

Task<Result<Lookup>> LocalCacheClient::get(std::string_view key) { co_return service_.get(key); }

Task<Result<PutOutcome>> LocalCacheClient::put(std::string key, Blob blob, std::uint64_t lease) {
  co_return service_.put(key, std::move(blob), lease);
}

Task<Result<void>> LocalCacheClient::invalidate(std::string key) {
  service_.invalidate(key);
  co_return Result<void>();
}

Task<Result<void>> LocalCacheClient::clear() {
  service_.clear();
  co_return Result<void>();
}

Task<Result<void>> LocalCacheClient::refresh_configuration() {
  auto function = [this] { return service_.refresh_configuration(); };
  Result<void> done = co_await net::call_task(there_, gate_, here_, function);
  co_return done;
}

Task<Result<std::vector<std::string>>> LocalCacheClient::cached_of(std::vector<std::string> keys) {
  co_return service_.cached_of(std::move(keys));
}

Task<Result<Stats>> LocalCacheClient::stats() { co_return service_.stats(); }

Task<Result<void>> LocalCacheClient::ping() {
  auto function = []() -> Result<void> { return {}; };
  Result<void> done = co_await net::call(there_, here_, function);
  co_return done;
}

}  // namespace imgcached::cache
