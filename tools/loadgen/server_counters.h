// What the server itself counted, read from its /metrics: so that hit ratio,
// evictions and bytes stand beside the latencies.
#pragma once

#include <optional>

#include "base/task.h"
#include "net/address.h"
#include "net/loop.h"
#include "tools/loadgen/run_result.h"

namespace imgcached::loadgen {

// The counters as they are now; those of the cache service only if its address
// is given. What can't be read is missing: a server need not be imgcached.
Task<ServerCounters> read_server_counters(net::Loop& loop, net::Address server,
                                          std::optional<net::Address> cache);

// What was counted in between; gauges are those of `after`.
ServerCounters difference(const ServerCounters& before, const ServerCounters& after);

}  // namespace imgcached::loadgen
