// CacheStatsPage: `/cache_stats`, the last ten minutes of the cache.
//
// www/static/stats.js draws the five charts from /api/stats and keeps them up to
// date. The page itself holds the same samples as a table, for those without
// JavaScript and for those who want the numbers.
#pragma once

#include "base/task.h"
#include "cache/cache_client.h"
#include "db/cache_stats_table.h"
#include "http/router.h"
#include "pages/page_renderer.h"

namespace imgcached::pages {

class CacheStatsPage {
 public:
  CacheStatsPage(const PageRenderer& renderer, db::CacheStatsTable& table,
                 cache::CacheClient& cache)
      : renderer_(renderer), table_(table), cache_(cache) {}

  void add_routes(http::Router& router);

 private:
  Task<http::Response> show(http::Request& request);

  const PageRenderer& renderer_;
  db::CacheStatsTable& table_;
  cache::CacheClient& cache_;
};

}  // namespace imgcached::pages
