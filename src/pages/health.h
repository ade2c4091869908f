// Health: what machines ask of the backend.
//
//   /healthz   200 while the process lives
//   /readyz    200 when it can serve; 503 and which part is down otherwise
//   /metrics   counters, for Prometheus
#pragma once

#include <cstdint>

#include "base/task.h"
#include "cache/cache_client.h"
#include "db/pool.h"
#include "http/router.h"
#include "http/server.h"
#include "images/image_store.h"
#include "images/storage_probe.h"

namespace imgcached::pages {

class Health {
 public:
  Health(const images::ImageStore& store, images::StorageProbe& storage, cache::CacheClient& cache,
         db::Pool& database);

  void add_routes(http::Router& router);

  // The server whose counters /metrics shows.
  void observe(const http::Server& server) { server_ = &server; }

 private:
  Task<http::Response> healthz(http::Request& request);
  Task<http::Response> readyz(http::Request& request);
  Task<http::Response> metrics(http::Request& request);

  const images::ImageStore& store_;
  images::StorageProbe& storage_;
  cache::CacheClient& cache_;
  db::Pool& database_;
  const http::Server* server_ = nullptr;
  const std::uint64_t started_ms_;
};

}  // namespace imgcached::pages
