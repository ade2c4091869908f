#include "pages/cache_stats_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/clock.h"
#include "pages/format.h"

namespace imgcached::pages {
namespace {

constexpr const char* unknown = "–";

View row_of(const StatsPoint& point) {
  View row;
  row.text("time", utc_clock(point.time_ms)).flag("gap", point.gap);
  if (point.gap) return row;
  row.flag("sample", true)
      .text("items", grouped(point.items))
      .text("bytes", bytes_in_words(point.bytes));
  const StatsPoint::Interval interval = point.interval.value_or(StatsPoint::Interval());
  const auto per_second = interval.requests_per_second();
  const auto hit_rate = interval.hit_rate();
  const auto miss_rate = interval.miss_rate();
  row.text("requests", point.interval ? grouped(interval.requests) : unknown)
      .text("per_second", per_second ? rate_in_words(*per_second) : unknown)
      .text("hits", point.interval ? grouped(interval.hits) : unknown)
      .text("misses", point.interval ? grouped(interval.misses) : unknown)
      .text("hit_rate", hit_rate ? percent(*hit_rate) : unknown)
      .text("miss_rate", miss_rate ? percent(*miss_rate) : unknown);
  return row;
}

View row_of(const StatsMark& mark) {
  View row;
  row.text("time", utc_clock(mark.time_ms)).flag("cleared", !mark.configured);
  if (mark.configured) {
    row.flag("configured", true)
        .number("capacity_mb", mark.configured->capacity_mb)
        .text("policy", mark.configured->replacement_method);
  }
  return row;
}

// Points and marks in one order of time, the newest first.
std::vector<View> rows_of(const StatsHistory& history) {
  std::vector<View> rows;
  auto mark = history.marks.begin();
  const auto add_marks_until = [&](std::int64_t time_ms) {
    for (; mark != history.marks.end() && mark->time_ms <= time_ms; ++mark)
      rows.push_back(row_of(*mark));
  };
  for (const StatsPoint& point : history.points) {
    add_marks_until(point.time_ms);
    rows.push_back(row_of(point));
  }
  add_marks_until(history.to_ms);
  std::reverse(rows.begin(), rows.end());
  return rows;
}

std::vector<View> windows_with(const StatsWindow& current) {
  std::vector<View> windows;
  for (const StatsWindow& window : stats_windows) {
    View item;
    item.text("name", std::string(window.name))
        .text("window_title", std::string(window.title))
        .flag("current", window.name == current.name);
    windows.push_back(std::move(item));
  }
  return windows;
}

// One chart each; www/static/chart.js knows how a series is drawn.
std::vector<View> charts() {
  struct Chart {
    const char *series, *title;
  };
  std::vector<View> charts;
  for (const Chart& chart :
       {Chart{"items", "Images in the cache"}, Chart{"bytes", "Size of the cache"},
        Chart{"requests_per_second", "Requests per second"}, Chart{"hit_rate", "Hit rate"},
        Chart{"miss_rate", "Miss rate"}}) {
    View item;
    item.text("series", chart.series).text("chart_title", chart.title);
    charts.push_back(std::move(item));
  }
  return charts;
}

template <typename Number>
std::string text_or_nothing(const std::optional<Number>& number) {
  return number ? fmt::format("{}", *number) : std::string();
}

}  // namespace

std::string stats_csv(const std::vector<StatsPoint>& points) {
  std::string csv =
      "time,items,bytes,capacity_bytes,requests,hits,misses,requests_per_second,hit_rate,"
      "miss_rate,clears\r\n";
  for (const StatsPoint& point : points) {
    if (point.gap) continue;
    fmt::format_to(std::back_inserter(csv), "{},{},{},{},", machine_time(point.time_ms),
                   point.items, point.bytes, text_or_nothing(point.capacity_bytes));
    if (point.interval) {
      const StatsPoint::Interval& interval = *point.interval;
      fmt::format_to(std::back_inserter(csv), "{},{},{},{},{},{},{}\r\n", interval.requests,
                     interval.hits, interval.misses,
                     text_or_nothing(interval.requests_per_second()),
                     text_or_nothing(interval.hit_rate()), text_or_nothing(interval.miss_rate()),
                     point.clears);
    } else {
      csv += ",,,,,,\r\n";
    }
  }
  return csv;
}

void CacheStatsPage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/cache_stats", [this](http::Request& r) { return show(r); }});
  router.add(
      {http::Method::get, "/cache_stats.csv", [this](http::Request& r) { return download(r); }});
}

Task<Result<StatsHistory>> CacheStatsPage::history_for(http::Request& request) {
  const Result<http::Form> query = http::parse_form(request.query);
  if (!query) co_return query.error();
  const Result<StatsWindow> window = parse_stats_window(*query);
  if (!window) co_return window.error();
  Result<StatsHistory> history =
      co_await read_stats_history(stats_, properties_, *window, unix_ms());
  co_return history;
}

Task<http::Response> CacheStatsPage::show(http::Request& request) {
  Result<StatsHistory> history = co_await history_for(request);
  if (!history) co_return renderer_.failure(history.error());
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
    const StatsPoint::Interval whole{0, stats->cmd_get, stats->get_hits, stats->get_misses};
    if (const auto rate = whole.hit_rate()) view.text("now_hit_rate", percent(*rate));
    if (const auto rate = whole.miss_rate()) view.text("now_miss_rate", percent(*rate));
  } else {
    view.text("cache_problem", sentence(failure_of(of_dependency(stats.error())).message));
  }
  view.text("window", std::string(history->window.name))
      .text("last", std::string(history->window.last))
      .list("windows", windows_with(history->window))
      .text("interval_title", std::string(history->window.interval_title))
      .list("charts", charts());
  std::vector<View> rows = rows_of(*history);
  view.flag("has_samples", !rows.empty());
  view.list("samples", std::move(rows));
  co_return renderer_.page(200, "cache_stats", "Cache statistics", std::move(view));
}

Task<http::Response> CacheStatsPage::download(http::Request& request) {
  Result<StatsHistory> history = co_await history_for(request);
  if (!history) co_return renderer_.failure(history.error());
  http::Response response =
      http::make_response(200, "text/csv; charset=utf-8", stats_csv(history->points));
  response.headers.add("Content-Disposition", "attachment; filename=\"cache_stats-" +
                                                  std::string(history->window.name) + ".csv\"");
  response.headers.add("Cache-Control", "no-cache");
  co_return response;
}

}  // namespace imgcached::pages
