// HttpCacheClient: a cache service in another process, spoken to in the raw
// dialect of CacheApi over kept-alive connections.
//
// After a call that did not get through there is none for retry_interval_ms:
// calls fail at once, with the reason of that one, so that a service that is
// down or silent costs its callers no time. The first call after that tries. One
// that found all connections busy does not count: it fails alone, or else a burst
// of readers would turn all of them away from a service that is well.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/cache_client.h"
#include "http/client.h"

namespace imgcached::cache {

class HttpCacheClient : public CacheClient {
 public:
  static constexpr std::uint64_t retry_interval_ms = 500;

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
  Task<Result<http::ClientResponse>> call(http::ClientRequest request);
  Task<Result<void>> expect_ok(http::ClientRequest request);

  net::Loop& loop_;
  http::Client client_;
  std::optional<Error> lost_;          // why the last call did not get through
  std::uint64_t next_attempt_ms_ = 0;  // on the loop's clock
};

}  // namespace imgcached::cache
