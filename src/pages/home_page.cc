#include "pages/home_page.h"

#include "base/clock.h"
#include "cache/eviction_policy.h"
#include "pages/format.h"
#include "pages/host.h"
#include "pages/image_summary.h"
#include "pages/stats_series.h"

namespace imgcached::pages {
namespace {

constexpr std::int64_t last_minute_ms = 60'000;

// What was counted in all of the points.
StatsPoint::Interval sum_of(const std::vector<StatsPoint>& points) {
  StatsPoint::Interval sum;
  for (const StatsPoint& point : points) {
    if (!point.interval) continue;
    sum.requests += point.interval->requests;
    sum.hits += point.interval->hits;
    sum.misses += point.interval->misses;
  }
  return sum;
}

}  // namespace

void HomePage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/", [this](http::Request& r) { return show(r); }});
}

Task<http::Response> HomePage::show(http::Request& request) {
  View view;
  view.text("host", host_of(request));
  co_await add_store(view);
  co_await add_cache(view);
  co_return renderer_.page(200, "home", "Home", std::move(view));
}

Task<void> HomePage::add_store(View& view) {
  Result<std::vector<db::ImageSummary>> recent = co_await store_.recent(recent_max);
  Result<images::StoreFigures> figures = co_await store_.figures();
  if (!recent || !figures) {
    const Error& error = recent ? figures.error() : recent.error();
    view.text("database_problem", sentence(failure_of(error).message));
    co_return;
  }
  const images::Totals totals = figures->totals;
  const std::int64_t now_ms = unix_ms();
  std::vector<View> rows;
  for (const db::ImageSummary& image : *recent) rows.push_back(summary_of(image, now_ms));
  view.text("images", grouped(totals.images))
      .text("stored_size", bytes_in_words(totals.bytes))
      .flag("has_recent", !rows.empty())
      .flag("is_empty_store", rows.empty());
  view.list("recent", std::move(rows));
}

Task<void> HomePage::add_cache(View& view) {
  Result<cache::Stats> cached = co_await cache_.stats();
  if (!cached) {
    view.text("cache_problem", sentence(failure_of(of_dependency(cached.error())).message));
    co_return;
  }
  view.text("items", grouped(cached->curr_items))
      .text("policy", std::string(cache::to_string(cached->replacement)))
      .text("cache_size", bytes_in_words(cached->bytes))
      .text("capacity", bytes_in_words(cached->capacity_bytes))
      .flag("is_off", cached->capacity_bytes == 0)
      .number("fill", cached->bytes)
      .number("fill_max", cached->capacity_bytes);

  const std::int64_t from_ms = unix_ms() - last_minute_ms;
  Result<std::vector<db::CacheStatsRow>> rows = co_await stats_.since(from_ms - stats_gap_ms);
  if (!rows) co_return;  // the store's part says that the database is away
  const StatsPoint::Interval minute = sum_of(stats_series(*rows, from_ms));
  view.text("reads", grouped(minute.requests)).flag("is_single_read", minute.requests == 1);
  const auto hit_ratio = minute.hit_rate();
  if (hit_ratio) view.text("hit_ratio", percent(*hit_ratio));
}

}  // namespace imgcached::pages
