#include "cache/mailbox_cache_client.h"

namespace imgcached::cache {

// The functions below run on the service's loop, and refer to the frame that
// awaits them on this one.

Task<Result<Lookup>> MailboxCacheClient::get(std::string key) {
  auto function = [&]() -> Result<Lookup> { return service_.get(key); };
  Result<Lookup> found = co_await net::call(there_, here_, function);
  co_return found;
}

Task<Result<PutOutcome>> MailboxCacheClient::put(std::string key, Blob blob, std::uint64_t lease) {
  auto function = [&]() -> Result<PutOutcome> { return service_.put(key, blob, lease); };
  Result<PutOutcome> outcome = co_await net::call(there_, here_, function);
  co_return outcome;
}

Task<Result<void>> MailboxCacheClient::invalidate(std::string key) {
  auto function = [&]() -> Result<void> {
    service_.invalidate(key);
    return {};
  };
  Result<void> done = co_await net::call(there_, here_, function);
  co_return done;
}

Task<Result<void>> MailboxCacheClient::clear() {
  auto function = [&]() -> Result<void> {
    service_.clear();
    return {};
  };
  Result<void> done = co_await net::call(there_, here_, function);
  co_return done;
}

Task<Result<void>> MailboxCacheClient::refresh_configuration() {
  auto function = [this] { return service_.refresh_configuration(); };
  Result<void> done = co_await net::call_task(there_, gate_, here_, function);
  co_return done;
}

Task<Result<Stats>> MailboxCacheClient::stats() {
  auto function = [this]() -> Result<Stats> { return service_.stats(); };
  Result<Stats> stats = co_await net::call(there_, here_, function);
  co_return stats;
}

Task<Result<void>> MailboxCacheClient::ping() {
  auto function = []() -> Result<void> { return {}; };
  Result<void> done = co_await net::call(there_, here_, function);
  co_return done;
}

}  // namespace imgcached::cache
