#include "pages/stats_series.h"

#include <utility>

namespace imgcached::pages {
namespace {

std::optional<double> fraction(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

bool is_gap(const db::CacheStatsRow& a, const db::CacheStatsRow& b) {
  return b.created_at_ms - a.created_at_ms > stats_gap_ms;
}

std::optional<StatsPoint::Interval> interval_between(const db::CacheStatsRow& a,
                                                     const db::CacheStatsRow& b) {
  const bool same_count = a.started_at_ms == b.started_at_ms &&
                          a.request_count <= b.request_count && a.hit_count <= b.hit_count &&
                          a.miss_count <= b.miss_count;
  if (!same_count || is_gap(a, b)) return std::nullopt;
  return StatsPoint::Interval{b.request_count - a.request_count, b.hit_count - a.hit_count,
                              b.miss_count - a.miss_count};
}

}  // namespace

std::optional<double> StatsPoint::Interval::hit_rate() const { return fraction(hits, requests); }
std::optional<double> StatsPoint::Interval::miss_rate() const { return fraction(misses, requests); }

std::vector<StatsPoint> stats_series(const std::vector<db::CacheStatsRow>& rows,
                                     std::int64_t from_ms) {
  std::vector<StatsPoint> points;
  const db::CacheStatsRow* former = nullptr;
  for (const db::CacheStatsRow& row : rows) {
    const db::CacheStatsRow* const before = std::exchange(former, &row);
    if (row.created_at_ms < from_ms) continue;
    StatsPoint point;
    point.time_ms = row.created_at_ms;
    point.items = row.key_count;
    point.bytes = row.cache_size_bytes;
    if (before) {
      if (!points.empty() && is_gap(*before, row)) {
        StatsPoint gap;
        gap.time_ms = before->created_at_ms + (row.created_at_ms - before->created_at_ms) / 2;
        gap.gap = true;
        points.push_back(gap);
      }
      point.interval = interval_between(*before, row);
    }
    points.push_back(point);
  }
  return points;
}

Task<Result<std::vector<StatsPoint>>> recent_stats(db::CacheStatsTable& table,
                                                   std::int64_t now_ms) {
  const std::int64_t from_ms = now_ms - stats_window_ms;
  Result<std::vector<db::CacheStatsRow>> rows = co_await table.since(from_ms - stats_gap_ms);
  if (!rows) co_return std::move(rows).error();
  co_return stats_series(*rows, from_ms);
}

}  // namespace imgcached::pages
