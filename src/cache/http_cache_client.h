// HttpCacheClient: a cache service in another process, spoken to in the raw
// dialect of CacheApi over kept-alive connections.
//
// After a call that did not get through there is none for retry_interval_ms:
// calls fail at once, with the reason of that one, so that a service that is
// down or silent costs its callers no time. The first call after that tries, and
// until it knows the others go on failing. One that found all connections busy does
// not count: it fails alone, or else a burst of readers would turn all of them away
// from a service that is well.
//
// An answer that the service does not give counts as a call that did not get
// through: somebody else may listen there, a proxy with a page of status 200 say,
// to whom an image or an invalidation is nothing. So of every answer something is
// checked that only the service would say; of an image, the digest of its bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/cache_client.h"
#include "http/access_token.h"
#include "http/client.h"

namespace imgcached::cache {

class HttpCacheClient : public CacheClient {
 public:
  static constexpr std::uint64_t retry_interval_ms = 500;

  // `value_bytes_max` bounds what a get accepts. The token is what the service asks for.
  HttpCacheClient(net::Loop& loop, net::Address service, std::uint64_t value_bytes_max,
                  std::optional<http::AccessToken> token = std::nullopt);

  Task<Result<Lookup>> get(std::string_view key) override;
  Task<Result<PutOutcome>> put(std::string key, Blob blob, std::uint64_t lease) override;
  Task<Result<void>> invalidate(std::string key) override;
  Task<Result<void>> clear() override;
  Task<Result<void>> refresh_configuration() override;
  Task<Result<std::vector<std::string>>> cached_of(std::vector<std::string> keys) override;
  Task<Result<Stats>> stats() override;
  Task<Result<void>> ping() override;

  // REQUIRES: no call under way.
  void close() { client_.close(); }

 private:
  // Whether an answer is one that the service gives to this call.
  using Check = bool (*)(const http::ClientResponse&);

  // An answer that passes the check.
  Task<Result<http::ClientResponse>> call(http::ClientRequest request, Check is_answer);
  Task<Result<void>> just_call(http::ClientRequest request, Check is_answer);

  net::Loop& loop_;
  http::Client client_;
  const std::optional<http::AccessToken> token_;
  std::optional<Error> lost_;          // why the last call did not get through
  bool trying_ = false;                // whether it is still so
  std::uint64_t next_attempt_ms_ = 0;  // on the loop's clock
};

}  // namespace imgcached::cache
