#include "cache/http_cache_client.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/log.h"
#include "cache/cache_api.h"
#include "cache/cache_calls.h"
#include "http/conditional.h"
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
  limits.connection.exchange_timeout_ms = 1'500;  // of an answer that drips
  limits.wait_timeout_ms = 250;
  // Of an image, or of what the service says about itself, however small images have to be.
  limits.connection.body_bytes_max = std::max(value_bytes_max, key_list_bytes_max);
  return limits;
}

// The service's reason for a refusal; nothing in an answer that is not its own.
std::optional<std::string_view> reason_of(const http::ClientResponse& response) {
  return response.headers.find("X-Reason");
}

Error refused(const http::ClientResponse& response) {
  return Error{Errc::unavailable, "the cache service answered " + std::to_string(response.status) +
                                      ": " + std::string(reason_of(response).value_or(""))};
}

Error foreign(const http::ClientResponse& response) {
  if (response.status == 401) {
    return Error{Errc::unavailable, "it wants another token; give both the same --token-file"};
  }
  return Error{Errc::unavailable, "what answered " + std::to_string(response.status) +
                                      " at its address is not the cache service"};
}

// Whatever keeps the cache from answering in time, to our callers it is unavailable.
Error as_unavailable(Error error) {
  if (error.code != Errc::timed_out) error.code = Errc::unavailable;
  error.message = "the cache service can't be reached: " + error.message;
  return error;
}

// 0: none.
std::uint64_t lease_of(const http::ClientResponse& response) {
  std::uint64_t lease = 0;
  const std::string_view token = response.headers.find("X-Lease").value_or("");
  std::from_chars(token.data(), token.data() + token.size(), lease);
  return lease;
}

std::optional<PutOutcome> outcome_of(const http::ClientResponse& response) {
  const std::string_view word = response.headers.find("X-Outcome").value_or("");
  for (const PutOutcome outcome :
       {PutOutcome::stored, PutOutcome::too_large, PutOutcome::stale_lease, PutOutcome::off}) {
    if (word == to_string(outcome)) return outcome;
  }
  return std::nullopt;
}

// --- What the service answers -------------------------------------------------------------------

bool is_lookup(const http::ClientResponse& response) {
  if (response.status == 404) return lease_of(response) != 0;
  const std::string etag = http::entity_tag(response.body.digest());
  return response.status == 200 && response.headers.find("ETag") == etag;
}

bool is_put_outcome(const http::ClientResponse& response) {
  return outcome_of(response).has_value();
}

bool is_ok(const http::ClientResponse& response) {
  return response.status == 200 && response.body.view() == "\"OK\"";
}

bool is_sign_of_life(const http::ClientResponse& response) {
  return response.status == 200 && response.body.view() == "ok\n";
}

bool is_key_list(const http::ClientResponse& response) {
  return response.status == 200 && parse_key_list(response.body.view());
}

Result<Replacement> replacement_of(const http::JsonDocument& statistics) {
  const auto member = statistics.root().find("replacement");
  return parse_replacement(member ? member->string().value_or("") : "");
}

bool is_statistics(const http::ClientResponse& response) {
  const Result<http::JsonDocument> document = http::JsonDocument::parse(response.body.view());
  return response.status == 200 && document && document->root().find("capacity_bytes") &&
         replacement_of(*document);
}

}  // namespace

HttpCacheClient::HttpCacheClient(net::Loop& loop, net::Address service,
                                 std::uint64_t value_bytes_max,
                                 std::optional<http::AccessToken> token)
    : loop_(loop),
      client_(loop, std::move(service), client_limits(value_bytes_max)),
      token_(std::move(token)) {}

Task<Result<http::ClientResponse>> HttpCacheClient::call(http::ClientRequest request,
                                                         Check is_answer) {
  if (lost_ && (trying_ || loop_.now_ms() < next_attempt_ms_)) co_return *lost_;
  const bool is_trial = lost_.has_value();
  if (is_trial) trying_ = true;
  const std::uint64_t failed_before = client_.exchanges_failed();
  if (token_) request.headers.add("Authorization", token_->authorization());
  Result<http::ClientResponse> response = co_await client_.request(request);
  if (is_trial) trying_ = false;

  const bool is_expected = response && is_answer(*response);
  if (is_expected || (response && response->status != 401 && reason_of(*response))) {
    if (lost_) log::info("cache_service_back");
    lost_.reset();
    if (!is_expected) co_return refused(*response);
    co_return response;
  }
  const bool is_reached =
      !response && response.error().code == Errc::too_large;  // by somebody's put
  const bool is_untried = !response && client_.exchanges_failed() == failed_before;
  Error error = as_unavailable(response ? foreign(*response) : std::move(response).error());
  if (is_reached || is_untried) co_return error;
  if (!lost_) log::warning("cache_service_lost reason=\"{}\"", error.message);
  lost_ = error;
  next_attempt_ms_ = loop_.now_ms() + retry_interval_ms;
  co_return error;
}

Task<Result<Lookup>> HttpCacheClient::get(std::string_view key) {
  http::ClientRequest request;
  request.target = "/get_from_memcache?key=" + http::percent_encode(key);
  request.headers.add("Accept", "application/octet-stream");
  Result<http::ClientResponse> response = co_await call(std::move(request), is_lookup);
  if (!response) co_return std::move(response).error();
  const bool is_hit = response->status == 200;
  if (is_hit) co_return Lookup{true, std::move(response->body), 0};
  co_return Lookup{false, {}, lease_of(*response)};
}

Task<Result<PutOutcome>> HttpCacheClient::put(std::string key, Blob blob, std::uint64_t lease) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/put_into_memcache";
  request.headers.add("Content-Type", "application/octet-stream");
  request.headers.add("X-Key", http::percent_encode(key));
  request.headers.add("X-Lease", std::to_string(lease));
  request.body = std::move(blob);
  Result<http::ClientResponse> response = co_await call(std::move(request), is_put_outcome);
  if (!response) co_return std::move(response).error();
  co_return *outcome_of(*response);
}

Task<Result<void>> HttpCacheClient::just_call(http::ClientRequest request, Check is_answer) {
  Result<http::ClientResponse> response = co_await call(std::move(request), is_answer);
  if (!response) co_return std::move(response).error();
  co_return Result<void>();
}

Task<Result<void>> HttpCacheClient::invalidate(std::string key) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/invalidate_specific_key";
  std::string parameters;
  http::JsonWriter(parameters).begin_object().key("key").string(key).end_object();
  request.body = std::move(parameters);
  return just_call(std::move(request), is_ok);
}

Task<Result<void>> HttpCacheClient::clear() {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/clear_cache";
  return just_call(std::move(request), is_ok);
}

Task<Result<void>> HttpCacheClient::refresh_configuration() {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/refresh_configuration";
  return just_call(std::move(request), is_ok);
}

Task<Result<void>> HttpCacheClient::ping() {
  http::ClientRequest request;
  request.target = "/healthz";
  return just_call(std::move(request), is_sign_of_life);
}

Task<Result<std::vector<std::string>>> HttpCacheClient::cached_of(std::vector<std::string> keys) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/keys";
  request.body = write_key_list(keys);
  Result<http::ClientResponse> response = co_await call(std::move(request), is_key_list);
  if (!response) co_return std::move(response).error();
  co_return parse_key_list(response->body.view());
}

Task<Result<Stats>> HttpCacheClient::stats() {
  http::ClientRequest request;
  request.target = "/stats";
  Result<http::ClientResponse> response = co_await call(std::move(request), is_statistics);
  if (!response) co_return std::move(response).error();
  const Result<http::JsonDocument> document = http::JsonDocument::parse(response->body.view());
  const auto number = [&](std::string_view name) -> std::uint64_t {
    const auto member = document->root().find(name);
    return static_cast<std::uint64_t>(member ? member->integer().value_or(0) : 0);
  };
  Stats stats;
  stats.machine_memory_bytes = number("machine_memory_bytes");
  stats.capacity_bytes = number("capacity_bytes");
  stats.replacement = *replacement_of(*document);
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
