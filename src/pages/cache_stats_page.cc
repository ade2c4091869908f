#include "pages/cache_stats_page.h"

#include <algorithm>

#include "base/clock.h"
#include "pages/format.h"
#include "pages/stats_series.h"

namespace imgcached::pages {
namespace {

View row_of(const StatsPoint& point) {
  View row;
  row.text("time", utc_time(point.time_ms)).flag("gap", point.gap);
  if (point.gap) return row;
  row.text("items", grouped(point.items)).text("bytes", bytes_in_words(point.bytes));
  if (point.interval) {
    const auto hit_rate = point.interval->hit_rate();
    const auto miss_rate = point.interval->miss_rate();
    row.text("requests", grouped(point.interval->requests))
        .text("hits", grouped(point.interval->hits))
        .text("misses", grouped(point.interval->misses))
        .text("hit_rate", hit_rate ? percent(*hit_rate) : "–")
        .text("miss_rate", miss_rate ? percent(*miss_rate) : "–");
  } else {
    for (const char* name : {"requests", "hits", "misses", "hit_rate", "miss_rate"}) {
      row.text(name, "–");
    }
  }
  return row;
}

}  // namespace

void CacheStatsPage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/cache_stats", [this](http::Request& r) { return show(r); }});
}

Task<http::Response> CacheStatsPage::show(http::Request&) {
  Result<std::vector<StatsPoint>> points = co_await recent_stats(table_, unix_ms());
  if (!points) co_return renderer_.failure(points.error());
  View view;
  Result<cache::Stats> stats = co_await cache_.stats();
  if (stats) {
    view.flag("has_stats", true)
        .text("now_items", grouped(stats->curr_items))
        .text("now_bytes", bytes_in_words(stats->bytes))
        .text("now_capacity", bytes_in_words(stats->capacity_bytes))
        .text("now_requests", grouped(stats->cmd_get))
        .text("now_hits", grouped(stats->get_hits))
        .text("now_misses", grouped(stats->get_misses));
  } else {
    view.text("cache_problem", sentence(failure_of(of_dependency(stats.error())).message));
  }
  std::vector<View> samples;
  for (const StatsPoint& point : *points) samples.push_back(row_of(point));
  std::reverse(samples.begin(), samples.end());  // the newest first
  view.flag("has_samples", !samples.empty());
  view.list("samples", std::move(samples));
  co_return renderer_.page(200, "cache_stats", "Cache statistics", std::move(view));
}

}  // namespace imgcached::pages
