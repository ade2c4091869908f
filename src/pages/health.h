// Health: what machines ask of the backend.
//
//   /healthz   200 while the process lives
//   /readyz    200 when it can serve; 503 and which part is down otherwise
//   /metrics   counters, for Prometheus
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/result.h"
#include "base/task.h"
#include "cache/cache_client.h"
#include "db/pool.h"
#include "http/router.h"
#include "http/server.h"
#include "images/store_client.h"

namespace imgcached::pages {

// The backend's servers in log lines and metrics.
inline constexpr const char* backend_name = "backend";

// What all loops of the backend count, together.
struct LoopFigures {
  std::size_t loops = 1;  // that are counted here
  http::ServerFigures server;
  std::size_t database_connections = 0;
};
using ReadLoopFigures = std::function<Task<Result<LoopFigures>>()>;

class Health {
 public:
  // `loops` says what /metrics is to show of them.
  Health(images::StoreClient& store, cache::CacheClient& cache, db::Pool& database,
         ReadLoopFigures loops);

  void add_routes(http::Router& router);

 private:
  Task<http::Response> healthz(http::Request& request);
  Task<http::Response> readyz(http::Request& request);
  Task<http::Response> metrics(http::Request& request);

  images::StoreClient& store_;
  cache::CacheClient& cache_;
  db::Pool& database_;
  const ReadLoopFigures loops_;
  const std::uint64_t started_ms_;
};

}  // namespace imgcached::pages
