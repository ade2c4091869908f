// The statistics of the last minutes, as a series that can be drawn.
//
// A row of cache_stats holds counts since the service started. What one wants to
// see is what happened between two rows, and that is only their difference when
// both belong to the same count and nothing is missing between them:
//
//  * A restart of the service begins a new count (another started_at, or a count
//    that went down). The first row of a count has no interval: neither a
//    negative spike nor one as high as the whole count.
//  * Where no row was written for longer than gap_ms, the service was down or
//    cut off. Nothing is known of that time: a point without values marks it, so
//    that no line is drawn across.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "db/cache_stats_table.h"

namespace imgcached::pages {

struct StatsPoint {
  // What was counted from the point before to this one.
  struct Interval {
    std::uint64_t requests = 0;
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;

    // Fractions of 1; nothing when there was no request.
    std::optional<double> hit_rate() const;
    std::optional<double> miss_rate() const;
  };

  std::int64_t time_ms = 0;  // since 1970, UTC
  bool gap = false;          // nothing is known; the rest does not count
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;
  std::optional<Interval> interval;
};

// A row comes every 5 s; three of them missing are a gap.
inline constexpr std::int64_t stats_gap_ms = 15'000;
inline constexpr std::int64_t stats_window_ms = 10 * 60 * 1000;

// The points from `from_ms` on. Rows before that only serve as predecessors.
// REQUIRES: `rows` are in the order of time.
std::vector<StatsPoint> stats_series(const std::vector<db::CacheStatsRow>& rows,
                                     std::int64_t from_ms);

// Those of the stats_window_ms that end at now_ms.
Task<Result<std::vector<StatsPoint>>> recent_stats(db::CacheStatsTable& table, std::int64_t now_ms);

}  // namespace imgcached::pages
