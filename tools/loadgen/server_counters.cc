#include "tools/loadgen/server_counters.h"

#include <charconv>
#include <string_view>

#include "http/client.h"

namespace imgcached::loadgen {
namespace {

// The value of the first line that begins with `name`: `name 12`, or with labels,
// `name{server="backend"} 12`.
std::optional<std::uint64_t> sample(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(name)) continue;
    const std::string_view rest = line.substr(name.size());
    if (!rest.starts_with(' ') && !rest.starts_with('{')) continue;
    const std::string_view number = rest.substr(rest.rfind(' ') + 1);
    double value = 0;
    std::from_chars(number.data(), number.data() + number.size(), value);
    return static_cast<std::uint64_t>(value);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> minus(std::optional<std::uint64_t> after,
                                   std::optional<std::uint64_t> before) {
  if (!after || !before || *after < *before) return std::nullopt;  // it was restarted
  return *after - *before;
}

Task<std::string> read_metrics(net::Loop& loop, net::Address server) {
  http::ClientConnection connection(loop, std::move(server), {});
  http::ClientRequest request;
  request.target = "/metrics";
  Result<http::ClientResponse> response = co_await connection.exchange(request);
  if (!response || response->status != 200) co_return std::string();
  co_return std::string(response->body.view());
}

}  // namespace

Task<ServerCounters> read_server_counters(net::Loop& loop, net::Address server,
                                          std::optional<net::Address> cache) {
  ServerCounters counters;
  const std::string backend = co_await read_metrics(loop, std::move(server));
  counters.hits = sample(backend, "imgcached_image_hits_total");
  counters.misses = sample(backend, "imgcached_image_misses_total");
  counters.backend_bytes_written = sample(backend, "imgcached_http_bytes_written_total");
  if (!cache) co_return counters;
  const std::string service = co_await read_metrics(loop, std::move(*cache));
  counters.evictions = sample(service, "imgcached_cache_evictions_total");
  counters.cached_bytes = sample(service, "imgcached_cache_bytes");
  counters.cached_items = sample(service, "imgcached_cache_items");
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
