#include "tools/loadgen/server_counters.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "http/client.h"

namespace imgcached::loadgen {
namespace {

// The metrics of a server come within this, or are done without.
constexpr std::uint64_t metrics_timeout_ms = 2'000;

// A server need not be ours: its numbers may be any, NaN and negative ones too.
std::optional<std::uint64_t> parse_count(std::string_view text) {
  constexpr double beyond = 18446744073709551616.0;  // 2^64
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(value >= 0 && value < beyond)) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

std::optional<std::uint64_t> minus(std::optional<std::uint64_t> after,
                                   std::optional<std::uint64_t> before) {
  if (!after || !before || *after < *before) return std::nullopt;  // it was restarted
  return *after - *before;
}

Task<std::string> read_metrics(net::Loop& loop, net::Address server,
                               const std::optional<http::AccessToken>& token) {
  http::ClientConnection::Limits limits;
  limits.exchange_timeout_ms = metrics_timeout_ms;
  http::ClientConnection connection(loop, std::move(server), limits);
  http::ClientRequest request;
  request.target = "/metrics";
  if (token) request.headers.add("Authorization", token->authorization());
  Result<http::ClientResponse> response = co_await connection.exchange(request);
  if (!response || response->status != 200) co_return std::string();
  co_return std::string(response->body.view());
}

}  // namespace

// `name 12`, `name{server="backend"} 12`, and either may end with a time stamp.
std::optional<std::uint64_t> count_in(std::string_view metrics, std::string_view name) {
  while (!metrics.empty()) {
    const std::string_view line = metrics.substr(0, metrics.find('\n'));
    metrics.remove_prefix(std::min(metrics.size(), line.size() + 1));
    if (!line.starts_with(name)) continue;
    std::string_view rest = line.substr(name.size());
    if (!rest.starts_with(' ') && !rest.starts_with('{')) continue;
    rest.remove_prefix(rest.rfind('}') + 1);  // npos + 1: no labels
    rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
    return parse_count(rest.substr(0, rest.find(' ')));
  }
  return std::nullopt;
}

Task<ServerCounters> read_server_counters(net::Loop& loop, net::Address server,
                                          std::optional<net::Address> cache,
                                          std::optional<http::AccessToken> token) {
  ServerCounters counters;
  const std::string backend = co_await read_metrics(loop, std::move(server), token);
  counters.hits = count_in(backend, "imgcached_image_hits_total");
  counters.misses = count_in(backend, "imgcached_image_misses_total");
  counters.backend_bytes_written = count_in(backend, "imgcached_http_bytes_written_total");
  if (!cache) co_return counters;
  const std::string service = co_await read_metrics(loop, std::move(*cache), token);
  counters.evictions = count_in(service, "imgcached_cache_evictions_total");
  counters.cached_bytes = count_in(service, "imgcached_cache_bytes");
  counters.cached_items = count_in(service, "imgcached_cache_items");
  co_return counters;
}

ServerCounters difference(const ServerCounters& before, const ServerCounters& after) {
  ServerCounters change = after;
  change.hits = minus(after.hits, before.hits);
  change.misses = minus(after.misses, before.misses);
  change.evictions = minus(after.evictions, before.evictions);
  change.backend_bytes_written = minus(after.backend_bytes_written, before.backend_bytes_written);
  return change;
}

}  // namespace imgcached::loadgen
