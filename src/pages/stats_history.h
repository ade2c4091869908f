// StatsHistory: what the statistics page shows of the last minutes or hours, and
// /api/stats and the CSV file with it.
//
// However long the time, it has at most 121 points, so that an answer stays small
// and a chart readable: an hour and a day are told in steps (stats_series.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "cache/eviction_policy.h"
#include "db/cache_properties_table.h"
#include "db/cache_stats_table.h"
#include "http/url.h"
#include "pages/stats_series.h"

namespace imgcached::pages {

// How far back.
struct StatsWindow {
  std::string_view name;   // in a URL: `window=1h`
  std::string_view title;  // in the words of the reader, as all of these
  std::string_view last;   // "the last ..."
  std::int64_t length_ms;
  std::int64_t step_ms;             // of its points; 0: one for each row
  std::int64_t interval_ms;         // from one point to the next
  std::string_view interval_title;  // that in words
};

inline constexpr StatsWindow stats_windows[] = {
    {"10m", "10 minutes", "10 minutes", 10 * 60'000, 0, 5'000, "5 seconds"},
    {"1h", "1 hour", "hour", 60 * 60'000, 30'000, 30'000, "30 seconds"},
    {"24h", "24 hours", "24 hours", 24 * 60 * 60'000, 720'000, 720'000, "12 minutes"},
};

// The one that the field `window` names, or the first without that field. Error
// invalid_argument.
Result<StatsWindow> parse_stats_window(const http::Form& form);

// Something that a line in a chart is explained by.
struct StatsMark {
  struct Configured {
    std::uint64_t capacity_mb;
    std::string replacement_method;
  };
  std::int64_t time_ms = 0;              // of a clear, of the first point behind it
  std::optional<Configured> configured;  // else the cache was cleared
};

struct StatsHistory {
  StatsWindow window;
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
  std::vector<StatsPoint> points;  // in the order of time
  std::vector<StatsMark> marks;    // too
};

// Of changes of the configuration only the last so many are marked.
inline constexpr std::uint64_t configured_marks_max = 100;

// Those that end at now_ms. Errors: those of the tables.
Task<Result<StatsHistory>> read_stats_history(db::CacheStatsTable& stats,
                                              db::CachePropertiesTable& properties,
                                              StatsWindow window, std::int64_t now_ms);

}  // namespace imgcached::pages
