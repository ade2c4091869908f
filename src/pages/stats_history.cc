#include "pages/stats_history.h"

#include <algorithm>
#include <utility>

namespace imgcached::pages {

Result<StatsWindow> parse_stats_window(const http::Form& form) {
  const auto name = form.find("window");
  if (!name) return stats_windows[0];
  for (const StatsWindow& window : stats_windows) {
    if (window.name == *name) return window;
  }
  return Error{Errc::invalid_argument, "`window` must be 10m, 1h or 24h"};
}

Task<Result<StatsHistory>> read_stats_history(db::CacheStatsTable& stats,
                                              db::CachePropertiesTable& properties,
                                              StatsWindow window, std::int64_t now_ms) {
  StatsHistory history{window, now_ms - window.length_ms, now_ms, {}, {}};
  Result<std::vector<db::CacheStatsRow>> rows =
      co_await stats.since(history.from_ms - stats_gap_ms, window.step_ms);
  if (!rows) co_return std::move(rows).error();
  history.points = stats_series(*rows, history.from_ms, window.step_ms);

  Result<std::vector<db::CachePropertiesRow>> changes =
      co_await properties.recent(configured_marks_max);
  if (!changes) co_return std::move(changes).error();
  for (db::CachePropertiesRow& row : *changes) {
    if (row.created_at_ms < history.from_ms) continue;
    history.marks.push_back(
        {row.created_at_ms,
         StatsMark::Configured{row.max_capacity_mb, std::move(row.replacement_method)}});
  }
  for (const StatsPoint& point : history.points) {
    if (point.clears > 0) history.marks.push_back({point.time_ms, std::nullopt});
  }
  std::ranges::stable_sort(history.marks, {}, &StatsMark::time_ms);
  co_return history;
}

}  // namespace imgcached::pages
