// StatsRecorder: a row of `cache_stats` every five seconds, come what may.
//
// Sampling and writing are apart: a sample is taken on time and queued, and what
// is queued is written whenever the database takes it. In an outage the queue
// grows, up to the age at which a row would be deleted anyway; then the oldest
// goes. Rows older than a day are deleted once a minute.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

#include "base/gate.h"
#include "base/task.h"
#include "cache/cache.h"
#include "db/cache_stats_table.h"
#include "db/pool.h"
#include "net/loop.h"
#include "net/timer.h"

namespace imgcached::cache {

class StatsRecorder {
 public:
  static constexpr std::int64_t kept_ms = 24 * 3600 * 1000;

  struct Limits {
    std::uint64_t interval_ms = 5'000;
    std::size_t queued_max = kept_ms / 5'000;
  };

  using Source = std::function<Stats()>;

  // `source` is asked for each sample.
  StatsRecorder(net::Loop& loop, db::Pool& pool, Source source, Limits limits);
  StatsRecorder(net::Loop& loop, db::Pool& pool, Source source)
      : StatsRecorder(loop, pool, std::move(source), Limits()) {}

  void start();
  // Takes a last sample, writes what is queued if the database allows, and ends.
  // Without a start() before, nothing is written.
  Task<void> close();

  std::size_t queued() const { return queue_.size(); }
  std::uint64_t rows_written() const { return rows_written_; }
  std::uint64_t rows_lost() const { return rows_lost_; }  // dropped from a full queue

 private:
  Task<void> record();
  void sample();
  Task<void> write();
  Task<void> write_queue();
  Task<void> remove_old();

  net::Loop& loop_;
  db::CacheStatsTable table_;
  const Source source_;
  const Limits limits_;
  const std::int64_t started_at_ms_;
  std::deque<db::CacheStatsRow> queue_;
  std::size_t being_written_ = 0;  // the first so many of the queue
  std::int64_t removed_at_ms_ = 0;
  std::uint64_t rows_written_ = 0;
  std::uint64_t rows_lost_ = 0;
  bool started_ = false;
  bool writing_ = false;
  bool closing_ = false;
  net::Timer timer_;
  Gate gate_;
};

}  // namespace imgcached::cache
