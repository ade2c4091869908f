#include "cache/cache_api.h"

#include <charconv>
#include <utility>

#include "cache/cache_calls.h"
#include "cache/cache_client.h"
#include "cache/key.h"
#include "http/base64.h"
#include "http/conditional.h"
#include "http/content_coding.h"
#include "http/json.h"
#include "http/json_error.h"
#include "http/metrics.h"
#include "http/status.h"
#include "http/url.h"

namespace imgcached::cache {
namespace {

using http::Method;
using http::Request;
using http::Response;

constexpr std::uint64_t parameters_bytes_max = 64 * 1024;
constexpr std::size_t keys_limit_default = 1'000;
constexpr std::size_t keys_limit_max = 10'000;

constexpr const char* json_type = "application/json";
constexpr const char* text_type = "text/plain; charset=utf-8";

// The contract's fixed words, as JSON strings.
Response ok() { return http::make_response(200, json_type, "\"OK\""); }

Response refuse(int status, const Error& error) {
  std::string words;
  http::JsonWriter(words).string(http::reason_phrase(status));
  Response response = http::make_response(status, json_type, std::move(words));
  response.headers.add("X-Reason", error.message);
  if (status == 503) response.headers.add("Retry-After", "1");
  return response;
}

Response refuse(const Error& error) { return refuse(http::status_of(error.code), error); }

Response answer(PutOutcome outcome) {
  Response response;
  switch (outcome) {
    case PutOutcome::stored:
    case PutOutcome::off: response = ok(); break;
    case PutOutcome::too_large:
      response = refuse(413, {Errc::too_large, "the image is larger than the whole cache"});
      break;
    case PutOutcome::stale_lease:
      response = refuse(409, {Errc::invalid_argument,
                              "the lease is void: it was used, is too old, or the key was "
                              "invalidated after it was granted"});
      break;
  }
  response.headers.add("X-Outcome", std::string(to_string(outcome)));
  return response;
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool wants_raw(const Request& request) {
  const auto accept = request.head.headers.joined("Accept");
  return accept && http::accepts_type(*accept, "application/octet-stream");
}

}  // namespace

std::string_view to_string(PutOutcome outcome) {
  switch (outcome) {
    case PutOutcome::stored: return "stored";
    case PutOutcome::too_large: return "too_large";
    case PutOutcome::stale_lease: return "stale_lease";
    case PutOutcome::off: return "off";
  }
  return "unknown";
}

CacheApi::CacheApi(CacheService& service, std::uint64_t value_bytes_max)
    : service_(service), value_bytes_max_(value_bytes_max) {}

void CacheApi::add_routes(http::Router& router) {
  using Member = Task<Response> (CacheApi::*)(Request&);
  using Effect = http::Route::Effect;
  const auto add = [&](Method method, const char* path, Member member, std::uint64_t bytes_max,
                       Effect effect = Effect::by_method) {
    router.add({method, path, [this, member](Request& request) { return (this->*member)(request); },
                bytes_max, http::Route::Body::optional, effect});
  };
  const std::uint64_t put_bytes_max =
      http::base64::encoded_size(value_bytes_max_) + parameters_bytes_max;
  for (const Method method : {Method::get, Method::post}) {
    add(method, "/put_into_memcache", &CacheApi::put, put_bytes_max, Effect::mutating);
    add(method, "/get_from_memcache", &CacheApi::get, parameters_bytes_max);
    add(method, "/clear_cache", &CacheApi::clear, parameters_bytes_max, Effect::mutating);
    add(method, "/refresh_configuration", &CacheApi::refresh, parameters_bytes_max,
        Effect::mutating);
    add(method, "/invalidate_specific_key", &CacheApi::invalidate, parameters_bytes_max,
        Effect::mutating);
  }
  add(Method::get, "/stats", &CacheApi::stats, 0);
  add(Method::get, "/keys", &CacheApi::keys, 0);
  add(Method::post, "/keys", &CacheApi::cached_of, key_list_bytes_max, Effect::reading);
  add(Method::get, "/healthz", &CacheApi::healthz, 0);
  add(Method::get, "/readyz", &CacheApi::readyz, 0);
  add(Method::get, "/metrics", &CacheApi::metrics, 0);
}

Response CacheApi::render_error(std::string_view, int status, std::string_view message) {
  Response response = http::json_error(status, message);
  response.headers.add("X-Reason", std::string(message));
  return response;
}

// The `key` of a call: from the JSON body, or by GET without one from the query.
Task<Result<std::string>> CacheApi::read_key(Request& request) {
  if (request.head.method == Method::post || request.head.has_body()) {
    Result<std::string> text = co_await request.body->read_text();
    if (!text) co_return std::move(text).error();
    co_return parse_key_call(std::move(*text));
  }
  const Result<http::Form> query = http::parse_form(request.query);
  if (!query) co_return query.error();
  const auto key = query->find("key");
  if (!key) co_return Error{Errc::invalid_argument, "the parameter \"key\" is missing"};
  Result<void> valid = validate_key(*key);
  if (!valid) co_return std::move(valid).error();
  co_return std::string(*key);
}

Task<Response> CacheApi::put(Request& request) {
  if (const auto encoded_key = request.head.headers.find("X-Key")) {
    Result<std::string> key = http::percent_decode(*encoded_key);
    if (!key) co_return refuse(key.error());
    const Result<void> valid = validate_key(*key);
    if (!valid) co_return refuse(valid.error());
    Response response = co_await put_raw(request, std::move(*key));
    co_return response;
  }
  Result<std::string> text = co_await request.body->read_text();
  if (!text) co_return refuse(text.error());
  Result<PutCall> call = parse_put_call(std::move(*text), value_bytes_max_);
  if (!call) co_return refuse(call.error());
  PutOutcome outcome = PutOutcome::stored;
  for (auto& [key, blob] : *call) {
    const PutOutcome one = service_.put(key, std::move(blob));
    if (one != PutOutcome::stored) outcome = one;
  }
  co_return answer(outcome);
}

Task<Response> CacheApi::put_raw(Request& request, std::string key) {
  const auto token = request.head.headers.find("X-Lease");
  std::uint64_t lease = 0;
  if (!token || !parse_number(*token, lease)) {
    co_return refuse(400, {Errc::invalid_argument,
                           "a raw put needs the lease of a miss in "
                           "X-Lease"});
  }
  // The route's bound is that of a JSON put; this one has no base64 to allow for.
  Result<void> valid = validate_image(request.body->content_length().value_or(1), value_bytes_max_);
  if (!valid) co_return refuse(valid.error());
  Result<Blob> blob = co_await request.body->read_blob();
  if (!blob) co_return refuse(blob.error());
  valid = validate_image(blob->size(), value_bytes_max_);
  if (!valid) co_return refuse(valid.error());
  co_return answer(service_.put(key, std::move(*blob), lease));
}

Task<Response> CacheApi::get(Request& request) {
  Result<std::string> key = co_await read_key(request);
  if (!key) co_return refuse(key.error());
  const bool raw = wants_raw(request);
  Lookup found = service_.get(*key);
  if (!found.hit) {
    Response miss = http::make_response(404, text_type, "Key Not Found");
    miss.headers.add("Vary", "Accept");
    if (raw) miss.headers.add("X-Lease", std::to_string(found.lease));
    co_return miss;
  }
  if (raw) {
    // By which the backend knows that these are the bytes, and that it was us who answered.
    const std::string etag = http::entity_tag(found.blob.digest());
    Response hit = http::make_response(200, "application/octet-stream", std::move(found.blob));
    hit.headers.add("ETag", etag);
    hit.headers.add("Vary", "Accept");
    co_return hit;
  }
  http::Base64Body body{{}, std::move(found.blob), {}};
  Response hit = http::make_response(200, text_type, std::move(body));
  hit.headers.add("Vary", "Accept");
  co_return hit;
}

Task<Response> CacheApi::clear(Request&) {
  service_.clear();
  co_return ok();
}

Task<Response> CacheApi::refresh(Request&) {
  Result<void> refreshed = co_await service_.refresh_configuration();
  if (!refreshed) co_return refuse(503, refreshed.error());
  co_return ok();
}

Task<Response> CacheApi::invalidate(Request& request) {
  Result<std::string> key = co_await read_key(request);
  if (!key) co_return refuse(key.error());
  service_.invalidate(*key);
  co_return ok();
}

Task<Response> CacheApi::stats(Request&) {
  const Stats stats = service_.stats();
  const StatsRecorder& recorder = service_.recorder();
  std::string text;
  http::JsonWriter(text)
      .begin_object()
      .key("machine_memory_bytes")
      .integer(stats.machine_memory_bytes)
      .key("capacity_bytes")
      .integer(stats.capacity_bytes)
      .key("replacement")
      .string(to_string(stats.replacement))
      .key("curr_items")
      .integer(stats.curr_items)
      .key("bytes")
      .integer(stats.bytes)
      .key("cmd_get")
      .integer(stats.cmd_get)
      .key("get_hits")
      .integer(stats.get_hits)
      .key("get_misses")
      .integer(stats.get_misses)
      .key("cmd_set")
      .integer(stats.cmd_set)
      .key("evictions")
      .integer(stats.evictions)
      .key("invalidations")
      .integer(stats.invalidations)
      .key("clears")
      .integer(stats.clears)
      .key("lease_rejections")
      .integer(stats.lease_rejections)
      .key("too_large")
      .integer(stats.too_large)
      .key("stats_rows_written")
      .integer(recorder.rows_written())
      .key("stats_rows_queued")
      .integer(recorder.queued())
      .key("stats_rows_lost")
      .integer(recorder.rows_lost())
      .end_object();
  co_return http::make_response(200, json_type, std::move(text));
}

Task<Response> CacheApi::keys(Request& request) {
  const Result<http::Form> query = http::parse_form(request.query);
  if (!query) co_return refuse(query.error());
  const std::string after(query->find("after").value_or(""));
  const Result<std::size_t> wanted =
      http::parse_limit(query->find("limit").value_or(""), keys_limit_default, keys_limit_max);
  if (!wanted) co_return refuse(wanted.error());
  const std::size_t limit = *wanted;
  const std::vector<CachedKey> page = service_.keys(after, limit + 1);
  std::string text;
  http::JsonWriter json(text);
  json.begin_object().key("keys").begin_array();
  for (std::size_t i = 0; i < page.size() && i < limit; ++i) {
    json.begin_object()
        .key("key")
        .string(page[i].key)
        .key("value_bytes")
        .integer(page[i].value_bytes)
        .key("charge_bytes")
        .integer(page[i].charge_bytes)
        .end_object();
  }
  json.end_array();
  if (page.size() > limit) json.key("next").string(page[limit - 1].key);
  json.end_object();
  co_return http::make_response(200, json_type, std::move(text));
}

Task<Response> CacheApi::cached_of(Request& request) {
  Result<std::string> body = co_await request.body->read_text();
  if (!body) co_return refuse(body.error());
  Result<std::vector<std::string>> asked = parse_key_list(*body);
  if (!asked) co_return refuse(asked.error());
  const std::vector<std::string> cached = service_.cached_of(std::move(*asked));
  co_return http::make_response(200, json_type, write_key_list(cached));
}

Task<Response> CacheApi::healthz(Request&) {
  co_return http::make_response(200, text_type, "ok\n");
}

Task<Response> CacheApi::readyz(Request&) {
  Result<void> database = co_await service_.ping_database();
  if (!database) {
    Response response = http::make_response(503, text_type, "the database is not reachable\n");
    response.headers.add("Retry-After", "1");
    co_return response;
  }
  co_return http::make_response(200, text_type, "ready\n");
}

Task<Response> CacheApi::metrics(Request&) {
  const Stats stats = service_.stats();
  http::Metrics metrics;
  metrics.gauge("imgcached_cache_capacity_bytes", "What the cache may hold.", stats.capacity_bytes);
  metrics.gauge("imgcached_cache_bytes", "What the entries cost, bookkeeping included.",
                stats.bytes);
  metrics.gauge("imgcached_cache_items", "Images in the cache.", stats.curr_items);
  metrics.counter("imgcached_cache_get_hits_total", "Reads answered.", stats.get_hits);
  metrics.counter("imgcached_cache_get_misses_total", "Reads not answered.", stats.get_misses);
  metrics.counter("imgcached_cache_sets_total", "Puts.", stats.cmd_set);
  metrics.counter("imgcached_cache_evictions_total", "Entries that made room.", stats.evictions);
  metrics.counter("imgcached_cache_invalidations_total", "Invalidations.", stats.invalidations);
  metrics.counter("imgcached_cache_clears_total", "Clears.", stats.clears);
  metrics.counter("imgcached_cache_lease_rejections_total", "Puts with a void lease.",
                  stats.lease_rejections);
  metrics.gauge("imgcached_cache_stats_rows_queued", "Statistics waiting for the database.",
                service_.recorder().queued());
  metrics.server(server_->name(), server_->figures());
  co_return metrics.response();
}

}  // namespace imgcached::cache
