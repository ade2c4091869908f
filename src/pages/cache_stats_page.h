// CacheStatsPage: `/cache_stats`, the cache in the last minutes or hours.
//
//   GET /cache_stats?window=10m      the page; 10m, 1h or 24h
//   GET /cache_stats.csv?window=10m  the same samples as a file
//
// www/static/stats.js draws the five charts from /api/stats and keeps them up to
// date. The page itself holds the same samples as a table, for those without
// JavaScript, for those who cannot see charts and for those who want the numbers.
#pragma once

#include "base/task.h"
#include "cache/cache_client.h"
#include "db/cache_properties_table.h"
#include "db/cache_stats_table.h"
#include "http/router.h"
#include "pages/page_renderer.h"
#include "pages/stats_history.h"

namespace imgcached::pages {

// A line of names and one for each point that has values; times as
// `2026-01-31T09:05:07Z`, sizes in bytes, rates as fractions of 1. What is not known
// is empty.
std::string stats_csv(const std::vector<StatsPoint>& points);

class CacheStatsPage {
 public:
  CacheStatsPage(const PageRenderer& renderer, db::CacheStatsTable& stats,
                 db::CachePropertiesTable& properties, cache::CacheClient& cache)
      : renderer_(renderer), stats_(stats), properties_(properties), cache_(cache) {}

  void add_routes(http::Router& router);

 private:
  Task<http::Response> show(http::Request& request);
  Task<http::Response> download(http::Request& request);
  // Of the window that the query string names.
  Task<Result<StatsHistory>> history_for(http::Request& request);

  const PageRenderer& renderer_;
  db::CacheStatsTable& stats_;
  db::CachePropertiesTable& properties_;
  cache::CacheClient& cache_;
};

}  // namespace imgcached::pages
