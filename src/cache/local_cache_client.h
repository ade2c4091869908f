// LocalCacheClient: the cache service of this process, whose cache any thread may
// use. Only what needs the service's loop hops there and back: whether it lives, and
// the configuration, which it reads from the database.
#pragma once

#include <string>

#include "base/gate.h"
#include "cache/cache_client.h"
#include "cache/cache_service.h"
#include "net/mailbox.h"

namespace imgcached::cache {

class LocalCacheClient : public CacheClient {
 public:
  // `there` and `gate` belong to the service's loop, `here` to the caller's.
  LocalCacheClient(CacheService& service, net::Mailbox& there, Gate& gate, net::Mailbox& here)
      : service_(service), there_(there), gate_(gate), here_(here) {}

  Task<Result<Lookup>> get(std::string_view key) override;
  Task<Result<PutOutcome>> put(std::string key, Blob blob, std::uint64_t lease) override;
  Task<Result<void>> invalidate(std::string key) override;
  Task<Result<void>> clear() override;
  Task<Result<void>> refresh_configuration() override;
  Task<Result<std::vector<std::string>>> cached_of(std::vector<std::string> keys) override;
  Task<Result<Stats>> stats() override;
  Task<Result<void>> ping() override;

 private:
  CacheService& service_;
  net::Mailbox& there_;
  Gate& gate_;
  net::Mailbox& here_;
};

}  // namespace imgcached::cache
