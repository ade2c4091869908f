// CacheApi: what port 5001 says.
//
// Five calls take their parameters from a JSON body, whatever its Content-Type,
// by POST or GET; by GET also from `?key=`. The same calls speak raw bytes,
// which is what the backend uses:
//
//   get         `Accept: application/octet-stream`: the image's bytes; a miss is
//               404 with a token in `X-Lease`
//   put         the key percent-encoded in `X-Key` and the token in `X-Lease`:
//               the body is the image; 409 when the lease is void
//
// A put that made sense says in `X-Outcome` what became of it (stored, off,
// too_large, stale_lease). The bodies of the five calls are fixed words by
// contract; why any call was refused stands in `X-Reason`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "cache/cache_service.h"
#include "http/router.h"
#include "http/server.h"

namespace imgcached::cache {

// The word for an outcome in `X-Outcome`.
std::string_view to_string(PutOutcome outcome);

class CacheApi {
 public:
  // The largest image that a put may carry is `value_bytes_max`.
  CacheApi(CacheService& service, std::uint64_t value_bytes_max);

  void add_routes(http::Router& router);
  static http::Response render_error(std::string_view path, int status, std::string_view message);
  // For /metrics; the server comes after the routes.
  void set_server(const http::Server& server) { server_ = &server; }

 private:
  Task<http::Response> put(http::Request& request);
  Task<http::Response> put_raw(http::Request& request, std::string key);
  Task<http::Response> get(http::Request& request);
  Task<http::Response> clear(http::Request& request);
  Task<http::Response> refresh(http::Request& request);
  Task<http::Response> invalidate(http::Request& request);
  Task<http::Response> stats(http::Request& request);
  Task<http::Response> keys(http::Request& request);
  Task<http::Response> cached_of(http::Request& request);
  Task<http::Response> healthz(http::Request& request);
  Task<http::Response> readyz(http::Request& request);
  Task<http::Response> metrics(http::Request& request);

  Task<Result<std::string>> read_key(http::Request& request);

  CacheService& service_;
  std::uint64_t value_bytes_max_;
  const http::Server* server_ = nullptr;
};

}  // namespace imgcached::cache
