#include "images/image_totals.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace imgcached::images {
namespace {

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from - std::min(from, what); }

Totals changed(Totals totals, Totals added, Totals removed) {
  return {less(totals.images + added.images, removed.images),
          less(totals.bytes + added.bytes, removed.bytes)};
}

Error broken_off() {
  return Error{Errc::unavailable, "the count of the images was broken off by a write"};
}

}  // namespace

ImageTotals::ImageTotals(net::Loop& loop, db::ImageTable& table, std::function<bool()> is_in_doubt,
                         std::uint64_t interval_ms, std::uint64_t page_rows)
    : table_(table),
      is_in_doubt_(std::move(is_in_doubt)),
      interval_ms_(interval_ms),
      page_rows_(page_rows),
      hold_end_(loop),
      retry_(loop) {}

// --- Writes -------------------------------------------------------------------------------------

void ImageTotals::begin(Write& write) {
  writes_.push_back(&write);
  if (!write.key_) {
    is_broken_ = true;
  } else if (met_) {
    met_->push_back(*write.key_);
  }
}

void ImageTotals::end(Write& write) {
  std::erase(writes_, &write);
  if (writes_.empty() && alone_) std::exchange(alone_, nullptr).resume();
}

void ImageTotals::add(const Write& write, Totals added, Totals removed) {
  // More than there was: somebody else has been at the table.
  const bool is_wrong =
      removed.images > totals_.images + added.images || removed.bytes > totals_.bytes + added.bytes;
  totals_ = changed(totals_, added, removed);
  if (write.key_ && *write.key_ <= counted_to_) counted_ = changed(counted_, added, removed);
  if (is_wrong) start_counting();
}

void ImageTotals::doubt() {
  is_broken_ = true;
  start_counting();
}

// --- The walk -----------------------------------------------------------------------------------

void ImageTotals::start_counting() {
  if (is_counting_ || is_closing_) return;
  is_counting_ = true;
  gate_.spawn(count_in_background());
}

Task<void> ImageTotals::count_in_background() {
  while (is_counting_) {
    co_await retry_.wait(interval_ms_);
    if (is_closing_) co_return;
    if (!is_in_doubt_()) co_await count();
  }
}

Task<void> ImageTotals::count() {
  is_broken_ = std::any_of(writes_.begin(), writes_.end(), [](Write* w) { return !w->key_; });
  counted_ = {};
  counted_to_.clear();
  bool more = true;
  while (more) {
    Result<db::ImageSum> page = co_await read_page();
    if (!page) co_return;
    more = page->images == page_rows_;
  }
  totals_ = counted_;
  is_counting_ = false;
  log::info("images_counted images={} bytes={}", totals_.images, totals_.bytes);
}

// What comes after counted_to_, and makes it counted.
Task<Result<db::ImageSum>> ImageTotals::read_page() {
  met_.emplace();
  for (const Write* write : writes_) {
    if (write->key_) met_->push_back(*write->key_);
  }
  Result<db::ImageSum> page = co_await table_.sum(counted_to_, page_rows_);
  const std::vector<std::string> met = *std::exchange(met_, std::nullopt);
  if (page && (is_broken_ || is_closing_)) page = broken_off();
  if (!page) co_return page;
  const bool is_last = page->images < page_rows_;
  const bool is_unsure = std::any_of(met.begin(), met.end(), [&](const std::string& key) {
    return key > counted_to_ && (is_last || key <= page->last_key);
  });
  if (is_unsure) {
    page = co_await read_page_alone();
    co_return page;
  }
  take(*page);
  co_return page;
}

Task<Result<db::ImageSum>> ImageTotals::read_page_alone() {
  is_held_ = true;
  hold_end_.start(
      held_ms_max, [](void* self) { static_cast<ImageTotals*>(self)->release(); }, this);
  struct LastEnd {
    ImageTotals& totals;
    bool await_ready() const noexcept { return totals.writes_.empty(); }
    void await_suspend(std::coroutine_handle<> waiter) const { totals.alone_ = waiter; }
    void await_resume() const noexcept {}
  };
  co_await LastEnd{*this};
  if (!is_held_) co_return broken_off();
  Result<db::ImageSum> page = co_await table_.sum(counted_to_, page_rows_);
  if (page && (!is_held_ || is_broken_)) page = broken_off();
  if (page) take(*page);
  release();
  co_return page;
}

void ImageTotals::take(const db::ImageSum& page) {
  counted_ = changed(counted_, {page.images, page.bytes}, {});
  if (page.images > 0) counted_to_ = page.last_key;
}

void ImageTotals::release() {
  hold_end_.stop();
  if (!std::exchange(is_held_, false)) return;
  if (alone_) std::exchange(alone_, nullptr).resume();
  for (const std::coroutine_handle<> writer : std::exchange(held_, {})) writer.resume();
}

Task<void> ImageTotals::close() {
  is_closing_ = true;
  retry_.close();
  release();
  hold_end_.close();
  co_await gate_.drained();
}

}  // namespace imgcached::images
