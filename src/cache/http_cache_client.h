// HttpCacheClient: a cache service in another process, spoken to in the raw
// dialect of CacheApi over kept-alive connections.
#pragma once

#include <string>
#include <string_view>

#include "cache/cache_client.h"
#include "http/client.h"

namespace imgcached::cache {

class HttpCacheClient : public CacheClient {
 public:
  // `value_bytes_max` bounds what a get accepts.
  HttpCacheClient(net::Loop& loop, net::Address service, std::uint64_t value_bytes_max);

  Task<Result<Lookup>> get(std::string key) override;
  Task<Result<PutOutcome>> put(std::string key, Blob blob, std::uint64_t lease) override;
  Task<Result<void>> invalidate(std::string key) override;
  Task<Result<void>> clear() override;
  Task<Result<void>> refresh_configuration() override;
  Task<Result<Stats>> stats() override;
  Task<Result<void>> ping() override;

  // REQUIRES: no call under way.
  void close() { client_.close(); }

 private:
  Task<Result<void>> expect_ok(http::ClientRequest request);

  http::Client client_;
};

}  // namespace imgcached::cache
