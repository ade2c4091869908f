#include "pages/stats_series.h"

#include <utility>

namespace imgcached::pages {
namespace {

std::optional<double> fraction(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

bool in_one_step(const db::CacheStatsRow& a, const db::CacheStatsRow& b, std::int64_t step_ms) {
  return step_ms > 0 && a.created_at_ms / step_ms == b.created_at_ms / step_ms;
}

bool is_same_count(const db::CacheStatsRow& a, const db::CacheStatsRow& b) {
  return a.started_at_ms == b.started_at_ms && a.request_count <= b.request_count &&
         a.hit_count <= b.hit_count && a.miss_count <= b.miss_count;
}

// Adds what was counted from row `a` to row `b`. REQUIRES: the same count.
void add_interval(StatsPoint& point, const db::CacheStatsRow& a, const db::CacheStatsRow& b) {
  StatsPoint::Interval interval = point.interval.value_or(StatsPoint::Interval());
  interval.duration_ms += b.created_at_ms - a.created_at_ms;
  interval.requests += b.request_count - a.request_count;
  interval.hits += b.hit_count - a.hit_count;
  interval.misses += b.miss_count - a.miss_count;
  point.interval = interval;
  if (a.clear_count && b.clear_count && *a.clear_count <= *b.clear_count) {
    point.clears += *b.clear_count - *a.clear_count;
  }
}

StatsPoint gap_between(const db::CacheStatsRow& a, const db::CacheStatsRow& b) {
  StatsPoint gap;
  gap.time_ms = a.created_at_ms + (b.created_at_ms - a.created_at_ms) / 2;
  gap.gap = true;
  return gap;
}

}  // namespace

std::optional<double> StatsPoint::Interval::requests_per_second() const {
  if (duration_ms <= 0) return std::nullopt;
  return static_cast<double>(requests) * 1000 / static_cast<double>(duration_ms);
}
std::optional<double> StatsPoint::Interval::hit_rate() const { return fraction(hits, requests); }
std::optional<double> StatsPoint::Interval::miss_rate() const { return fraction(misses, requests); }

std::vector<StatsPoint> stats_series(const std::vector<db::CacheStatsRow>& rows,
                                     std::int64_t from_ms, std::int64_t step_ms) {
  std::vector<StatsPoint> points;
  const db::CacheStatsRow* former = nullptr;
  for (const db::CacheStatsRow& row : rows) {
    const db::CacheStatsRow* const before = std::exchange(former, &row);
    if (row.created_at_ms < from_ms) continue;
    const bool goes_on = before && in_one_step(*before, row, step_ms);
    const bool gap = before && !goes_on && row.created_at_ms - before->created_at_ms > stats_gap_ms;
    if (gap && !points.empty()) points.push_back(gap_between(*before, row));
    if (!goes_on || points.empty()) points.emplace_back();
    StatsPoint& point = points.back();
    point.time_ms = row.created_at_ms;
    point.items = row.key_count;
    point.bytes = row.cache_size_bytes;
    point.capacity_bytes = row.capacity_bytes;
    if (before && !gap && is_same_count(*before, row)) add_interval(point, *before, row);
  }
  return points;
}

}  // namespace imgcached::pages
