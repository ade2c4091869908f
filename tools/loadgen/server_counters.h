// What the server itself counted, read from its /metrics: so that hit ratio,
// evictions and bytes stand beside the latencies.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/task.h"
#include "http/access_token.h"
#include "net/address.h"
#include "net/loop.h"
#include "tools/loadgen/run_result.h"

namespace imgcached::loadgen {

// The counters as they are now; those of the cache service only if its address
// is given. What can't be read is missing: a server need not be imgcached.
Task<ServerCounters> read_server_counters(net::Loop& loop, net::Address server,
                                          std::optional<net::Address> cache,
                                          std::optional<http::AccessToken> token);

// The first sample of that name in a text of metrics (Prometheus, "Exposition
// formats", text-based), with labels or without. Nothing: there is none, or it is
// no count: negative, beyond 64 bits, or no number at all.
std::optional<std::uint64_t> count_in(std::string_view metrics, std::string_view name);

// What was counted in between; gauges are those of `after`.
ServerCounters difference(const ServerCounters& before, const ServerCounters& after);

}  // namespace imgcached::loadgen
