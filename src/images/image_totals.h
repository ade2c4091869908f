// ImageTotals: how many images there are, and how many bytes they have.
//
// Kept, because to count a million rows takes longer than a page may: counted when the
// store starts, adjusted by each write, and counted anew by a walk over the table when
// they may be wrong. They are while a write is in doubt, so a walk waits for its end.
//
// Writes go on during a walk. What has become of one when it is done is added to what has
// been counted if the walk has passed its key, else the walk will see it. That leaves the
// writes that were under way while the page with their key was read: nobody can tell
// whether the page had them. Such a page is read again while no write is: new ones are
// held, for held_ms_max at most, then the walk gives up and begins anew later.
//
// It belongs to one loop, as its table does.
#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/gate.h"
#include "base/task.h"
#include "db/image_table.h"
#include "net/timer.h"

namespace imgcached::images {

struct Totals {
  std::uint64_t images = 0;
  std::uint64_t bytes = 0;
};

class ImageTotals {
 public:
  static constexpr std::uint64_t held_ms_max = 200;

  // A walk begins interval_ms after it turned out to be needed, if no write is in doubt then,
  // and reads page_rows at a time.
  ImageTotals(net::Loop& loop, db::ImageTable& table, std::function<bool()> is_in_doubt,
              std::uint64_t interval_ms, std::uint64_t page_rows = 5'000);
  ImageTotals(const ImageTotals&) = delete;
  ImageTotals& operator=(const ImageTotals&) = delete;

  Totals now() const { return totals_; }
  // Counted by somebody else, before the first write.
  void set(Totals totals) { totals_ = totals; }
  // Whether they may be wrong, and a walk is due or under way.
  bool is_counting() const { return is_counting_; }

  class Write;
  class Admission;
  // To be awaited right before each Write.
  Admission admission();
  // Nobody can say what a write has done. It is in doubt from this call on.
  void doubt();

  // Ends a walk. May be repeated.
  Task<void> close();

 private:
  void start_counting();
  Task<void> count_in_background();
  Task<void> count();
  Task<Result<db::ImageSum>> read_page();
  Task<Result<db::ImageSum>> read_page_alone();
  void take(const db::ImageSum& page);
  void add(const Write& write, Totals added, Totals removed);
  void begin(Write& write);
  void end(Write& write);
  void release();

  db::ImageTable& table_;
  const std::function<bool()> is_in_doubt_;
  const std::uint64_t interval_ms_;
  const std::uint64_t page_rows_;
  Totals totals_;
  std::vector<Write*> writes_;  // under way
  bool is_counting_ = false;
  bool is_closing_ = false;
  // Of the walk: what it has counted, up to which key, and whether something has come
  // between that it can't allow for.
  Totals counted_;
  std::string counted_to_;
  bool is_broken_ = false;
  // The keys of writes that were under way while the page was read that is being read.
  std::optional<std::vector<std::string>> met_;
  bool is_held_ = false;
  std::vector<std::coroutine_handle<>> held_;  // before their writes
  std::coroutine_handle<> alone_;              // waits for the last write's end
  net::Timer hold_end_;
  net::Timer retry_;
  Gate gate_;
};

// A statement about one key, or about many of them, from before it is sent until its
// outcome is known. A walk that meets one about many is broken off.
class ImageTotals::Write {
 public:
  Write(ImageTotals& totals, std::optional<std::string> key)
      : totals_(totals), key_(std::move(key)) {
    totals_.begin(*this);
  }
  Write(const Write&) = delete;
  Write& operator=(const Write&) = delete;
  ~Write() { totals_.end(*this); }

  void changed(Totals added, Totals removed) { totals_.add(*this, added, removed); }

 private:
  friend class ImageTotals;
  ImageTotals& totals_;
  const std::optional<std::string> key_;
};

class ImageTotals::Admission {
 public:
  explicit Admission(ImageTotals& totals) : totals_(totals) {}
  bool await_ready() const noexcept { return !totals_.is_held_; }
  void await_suspend(std::coroutine_handle<> waiter) { totals_.held_.push_back(waiter); }
  void await_resume() const noexcept {}

 private:
  ImageTotals& totals_;
};

inline ImageTotals::Admission ImageTotals::admission() { return Admission(*this); }

}  // namespace imgcached::images
