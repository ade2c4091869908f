// The rows of cache_stats as a series that can be drawn.
//
// A row of cache_stats holds counts since the service started. What one wants to
// see is what happened between two rows, and that is only their difference when
// both belong to the same count and nothing is missing between them:
//
//  * A restart of the service begins a new count (another started_at, or a count
//    that went down). The first row of a count has no interval: neither a
//    negative spike nor one as high as the whole count.
//  * Where no row was written for longer than stats_gap_ms, the service was down or
//    cut off. Nothing is known of that time: a point without values marks it, so
//    that no line is drawn across.
//
// A long time is told in steps: one point for each, with the last values of the
// step and the sum of what was counted in it. A gap within a step is too short to
// be seen.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "db/cache_stats_table.h"

namespace imgcached::pages {

struct StatsPoint {
  // What was counted from the point before to this one.
  struct Interval {
    std::int64_t duration_ms = 0;
    std::uint64_t requests = 0;
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;

    // Nothing when no time passed.
    std::optional<double> requests_per_second() const;
    // Fractions of 1; nothing when there was no request.
    std::optional<double> hit_rate() const;
    std::optional<double> miss_rate() const;
  };

  std::int64_t time_ms = 0;  // since 1970, UTC
  bool gap = false;          // nothing is known; the rest does not count
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> capacity_bytes;
  std::optional<Interval> interval;
  std::uint64_t clears = 0;  // since the point before
};

// A row comes every 5 s; three of them missing are a gap.
inline constexpr std::int64_t stats_gap_ms = 15'000;

// The points from `from_ms` on, one for each row, or one for each step of `step_ms`
// if that is not 0. Rows before that only serve as predecessors.
// REQUIRES: `rows` are in the order of time, and all of them, or those that
// CacheStatsTable::since() gives for the same steps.
std::vector<StatsPoint> stats_series(const std::vector<db::CacheStatsRow>& rows,
                                     std::int64_t from_ms, std::int64_t step_ms = 0);

}  // namespace imgcached::pages
