#include "cache/http_cache_client.h"

#include <charconv>

#include "base/log.h"
#include "cache/cache_api.h"
#include "http/json.h"
#include "http/url.h"

namespace imgcached::cache {
namespace {

http::Client::Limits client_limits(std::uint64_t value_bytes_max) {
  http::Client::Limits limits;
  // A cache that takes longer than the disk is of no use: the caller goes on
  // without it, within the second in which a reader still has patience.
  limits.connection.connect_timeout_ms = 500;
  limits.connection.response_timeout_ms = 1'000;
  limits.wait_timeout_ms = 250;
  limits.connection.body_bytes_max = value_bytes_max;
  return limits;
}

// An answer that this call does not have. The service's own reason is passed on.
Error unexpected(const http::ClientResponse& response) {
  const std::string reason(response.headers.find("X-Reason").value_or("no reason given"));
  return Error{Errc::unavailable,
               "the cache service answered " + std::to_string(response.status) + ": " + reason};
}

// Whatever keeps the cache from answering, to our callers it is unavailable.
Error as_unavailable(Error error) {
  if (error.code != Errc::timed_out) error.code = Errc::unavailable;
  error.message = "the cache service can't be reached: " + error.message;
  return error;
}

bool parse_outcome(std::string_view word, PutOutcome& outcome) {
  for (const PutOutcome candidate :
       {PutOutcome::stored, PutOutcome::too_large, PutOutcome::stale_lease, PutOutcome::off}) {
    if (word != to_string(candidate)) continue;
    outcome = candidate;
    return true;
  }
  return false;
}

}  // namespace

HttpCacheClient::HttpCacheClient(net::Loop& loop, net::Address service,
                                 std::uint64_t value_bytes_max)
    : loop_(loop), client_(loop, std::move(service), client_limits(value_bytes_max)) {}

Task<Result<http::ClientResponse>> HttpCacheClient::call(http::ClientRequest request) {
  if (lost_ && loop_.now_ms() < next_attempt_ms_) co_return *lost_;
  const std::uint64_t failed_before = client_.exchanges_failed();
  Result<http::ClientResponse> response = co_await client_.request(request);
  if (response) {
    if (lost_) log::info("cache_service_back");
    lost_.reset();
    co_return response;
  }
  const bool is_reached = response.error().code == Errc::too_large;  // by somebody's put
  const bool is_untried = client_.exchanges_failed() == failed_before;
  Error error = as_unavailable(std::move(response).error());
  if (is_reached || is_untried) co_return error;
  if (!lost_) log::warning("cache_service_lost reason=\"{}\"", error.message);
  lost_ = error;
  next_attempt_ms_ = loop_.now_ms() + retry_interval_ms;
  co_return error;
}

Task<Result<Lookup>> HttpCacheClient::get(std::string key) {
  http::ClientRequest request;
  request.target = "/get_from_memcache?key=" + http::percent_encode(key);
  request.headers.add("Accept", "application/octet-stream");
  Result<http::ClientResponse> response = co_await call(std::move(request));
  if (!response) co_return std::move(response).error();
  if (response->status == 200) co_return Lookup{true, std::move(response->body), 0};
  if (response->status != 404) co_return unexpected(*response);
  Lookup miss;
  const std::string_view token = response->headers.find("X-Lease").value_or("");
  std::from_chars(token.data(), token.data() + token.size(), miss.lease);
  if (miss.lease == 0) co_return unexpected(*response);  // somebody else listens there
  co_return miss;
}

Task<Result<PutOutcome>> HttpCacheClient::put(std::string key, Blob blob, std::uint64_t lease) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/put_into_memcache";
  request.headers.add("Content-Type", "application/octet-stream");
  request.headers.add("X-Key", http::percent_encode(key));
  request.headers.add("X-Lease", std::to_string(lease));
  request.body = std::move(blob);
  Result<http::ClientResponse> response = co_await call(std::move(request));
  if (!response) co_return std::move(response).error();
  PutOutcome outcome;
  if (!parse_outcome(response->headers.find("X-Outcome").value_or(""), outcome)) {
    co_return unexpected(*response);
  }
  co_return outcome;
}

Task<Result<void>> HttpCacheClient::expect_ok(http::ClientRequest request) {
  Result<http::ClientResponse> response = co_await call(std::move(request));
  if (!response) co_return std::move(response).error();
  if (response->status != 200) co_return unexpected(*response);
  co_return Result<void>();
}

Task<Result<void>> HttpCacheClient::invalidate(std::string key) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/invalidate_specific_key";
  std::string parameters;
  http::JsonWriter(parameters).begin_object().key("key").string(key).end_object();
  request.body = std::move(parameters);
  return expect_ok(std::move(request));
}

Task<Result<void>> HttpCacheClient::clear() {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/clear_cache";
  return expect_ok(std::move(request));
}

Task<Result<void>> HttpCacheClient::refresh_configuration() {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/refresh_configuration";
  return expect_ok(std::move(request));
}

Task<Result<void>> HttpCacheClient::ping() {
  http::ClientRequest request;
  request.target = "/healthz";
  return expect_ok(std::move(request));
}

Task<Result<Stats>> HttpCacheClient::stats() {
  http::ClientRequest request;
  request.target = "/stats";
  Result<http::ClientResponse> response = co_await call(std::move(request));
  if (!response) co_return std::move(response).error();
  if (response->status != 200) co_return unexpected(*response);
  const Result<http::JsonDocument> document = http::JsonDocument::parse(response->body.view());
  if (!document) co_return as_unavailable(document.error());
  const auto number = [&](std::string_view name) -> std::uint64_t {
    const auto member = document->root().find(name);
    return static_cast<std::uint64_t>(member ? member->integer().value_or(0) : 0);
  };
  Stats stats;
  stats.capacity_bytes = number("capacity_bytes");
  stats.curr_items = number("curr_items");
  stats.bytes = number("bytes");
  stats.cmd_get = number("cmd_get");
  stats.get_hits = number("get_hits");
  stats.get_misses = number("get_misses");
  stats.cmd_set = number("cmd_set");
  stats.evictions = number("evictions");
  stats.invalidations = number("invalidations");
  stats.clears = number("clears");
  stats.lease_rejections = number("lease_rejections");
  stats.too_large = number("too_large");
  co_return stats;
}

}  // namespace imgcached::cache
