// MailboxCacheClient: the cache service on another loop of this process. A call
// is a hop to that loop and back; the Blob travels, its bytes do not.
#pragma once

#include <string>

#include "base/gate.h"
#include "cache/cache_client.h"
#include "cache/cache_service.h"
#include "net/mailbox.h"

namespace imgcached::cache {

class MailboxCacheClient : public CacheClient {
 public:
  // `there` and `gate` belong to the service's loop, `here` to the caller's.
  MailboxCacheClient(CacheService& service, net::Mailbox& there, Gate& gate, net::Mailbox& here)
      : service_(service), there_(there), gate_(gate), here_(here) {}

  Task<Result<Lookup>> get(std::string key) override;
  Task<Result<PutOutcome>> put(std::string key, Blob blob, std::uint64_t lease) override;
  Task<Result<void>> invalidate(std::string key) override;
  Task<Result<void>> clear() override;
  Task<Result<void>> refresh_configuration() override;
  Task<Result<Stats>> stats() override;
  Task<Result<void>> ping() override;

 private:
  CacheService& service_;
  net::Mailbox& there_;
  Gate& gate_;
  net::Mailbox& here_;
};

}  // namespace imgcached::cache
