#include "cache/stats_recorder.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace imgcached::cache {
namespace {

constexpr std::int64_t remove_interval_ms = 60'000;
constexpr std::uint64_t removed_rows_max = 1'000;  // at a time

}  // namespace

StatsRecorder::StatsRecorder(net::Loop& loop, db::Pool& pool, Source source, Limits limits)
    : loop_(loop),
      table_(pool),
      source_(std::move(source)),
      limits_(limits),
      started_at_ms_(unix_ms()),
      timer_(loop) {}

void StatsRecorder::start() {
  started_ = true;
  gate_.spawn(record());
}

Task<void> StatsRecorder::record() {
  std::uint64_t due_ms = loop_.now_ms();
  while (!closing_) {
    sample();
    if (!writing_) gate_.spawn(write());
    // From due time to due time, so that a late one does not shift the others; after a
    // stall from now, since two at the same time would be one row.
    due_ms += limits_.interval_ms;
    if (due_ms <= loop_.now_ms()) due_ms = loop_.now_ms() + limits_.interval_ms;
    co_await timer_.wait(due_ms - loop_.now_ms());
  }
}

Task<void> StatsRecorder::write() {
  writing_ = true;
  co_await write_queue();
  co_await remove_old();
  writing_ = false;
}

void StatsRecorder::sample() {
  db::CacheStatsRow row;
  const Stats stats = source_();
  row.cache_size_bytes = stats.bytes;
  row.key_count = stats.curr_items;
  row.request_count = stats.cmd_get;
  row.hit_count = stats.get_hits;
  row.miss_count = stats.get_misses;
  row.created_at_ms = unix_ms();
  row.started_at_ms = started_at_ms_;
  row.capacity_bytes = stats.capacity_bytes;
  row.clear_count = stats.clears;
  if (queue_.size() == limits_.queued_max) {
    queue_.pop_front();
    if (being_written_ > 0) {
      --being_written_;  // lost only if that fails
    } else {
      ++rows_lost_;
    }
  }
  queue_.push_back(row);
}

Task<void> StatsRecorder::write_queue() {
  while (!queue_.empty()) {
    const std::size_t count = std::min(queue_.size(), db::CacheStatsTable::batch_max);
    std::vector<db::CacheStatsRow> batch(queue_.begin(),
                                         queue_.begin() + static_cast<std::ptrdiff_t>(count));
    being_written_ = count;
    Result<void> appended = co_await table_.append(std::move(batch));
    const std::size_t left = std::exchange(being_written_, 0);
    if (!appended) {
      rows_lost_ += count - left;
      log::warning("cache_stats_not_written queued={} reason=\"{}\"", queue_.size(),
                   appended.error().message);
      co_return;
    }
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(left));
    rows_written_ += count;
  }
}

Task<void> StatsRecorder::remove_old() {
  const std::int64_t now_ms = unix_ms();
  if (now_ms - removed_at_ms_ < remove_interval_ms) co_return;
  removed_at_ms_ = now_ms;
  Result<std::uint64_t> removed =
      co_await table_.remove_older_than(now_ms - kept_ms, removed_rows_max);
  if (!removed) log::warning("cache_stats_not_pruned reason=\"{}\"", removed.error().message);
}

Task<void> StatsRecorder::close() {
  closing_ = true;
  timer_.close();
  co_await gate_.drained();
  if (!started_) co_return;
  sample();
  co_await write_queue();
}

}  // namespace imgcached::cache
