// HomePage: `/`, where one begins: what this is, how it is doing, what was uploaded
// last, and where to go.
//
// The figures are live: a script (www/static/live.js) asks for the page again and
// takes over the parts that are marked. So there is one place that makes them.
#pragma once

#include "base/task.h"
#include "cache/cache_client.h"
#include "db/cache_stats_table.h"
#include "http/router.h"
#include "images/store_client.h"
#include "pages/page_renderer.h"

namespace imgcached::pages {

class HomePage {
 public:
  static constexpr std::size_t recent_max = 8;

  HomePage(const PageRenderer& renderer, images::StoreClient& store, cache::CacheClient& cache,
           db::CacheStatsTable& stats)
      : renderer_(renderer), store_(store), cache_(cache), stats_(stats) {}

  void add_routes(http::Router& router);

 private:
  // Comes in any case; what can't be found out at present is said to be so.
  Task<http::Response> show(http::Request& request);
  Task<void> add_store(View& view);
  Task<void> add_cache(View& view);

  const PageRenderer& renderer_;
  images::StoreClient& store_;
  cache::CacheClient& cache_;
  db::CacheStatsTable& stats_;
};

}  // namespace imgcached::pages
