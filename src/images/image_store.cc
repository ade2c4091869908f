#include "images/image_store.h"

#include <algorithm>
#include <cassert>
#include <unordered_set>

#include "base/clock.h"
#include "base/log.h"
#include "base/shared_result.h"
#include "cache/key.h"

namespace imgcached::images {
namespace {

constexpr int commit_attempts_max = 16;
constexpr int read_attempts_max = 4;
constexpr int walk_attempts_max = 10;
constexpr std::uint64_t walk_page_rows = 1000;

Error too_many_unsettled() {
  return Error{Errc::unavailable, "too many changes wait for the database; try again"};
}

Error too_contended() {
  return Error{Errc::unavailable, "others keep changing this image; try again"};
}

// Whether the row may be changed. No precondition always holds.
Result<void> judge(const Precondition& precondition, const std::optional<db::ImageRow>& present) {
  std::optional<std::string_view> digest;
  if (present) digest = present->etag;
  if (!precondition || precondition(digest)) return {};
  return Error{Errc::precondition_failed,
               "the image is not as the request says it must be; look at it and ask again"};
}

// Of rows that were asked for with a limit of one more, which tells whether there are more.
Listing listing_of(std::vector<db::ImageSummary> rows, std::size_t limit) {
  Listing listing{std::move(rows), false};
  if (listing.images.size() > limit) {
    listing.images.pop_back();
    listing.more = true;
  }
  return listing;
}

// A large image once in memory, however many readers have it and wherever they got it from:
// each hit over HTTP and each miss brings the bytes anew. A smaller one goes out at once.
Blob shared(Blob blob) {
  constexpr std::size_t shared_bytes_min = 64 << 10;
  return blob.size() < shared_bytes_min ? blob : Blob::intern(std::move(blob));
}

}  // namespace

// A fetch under way, in the frame of the reader that makes it.
struct ImageStore::Flight {
  std::uint64_t lease;
  SharedResult<Result<Image>> result;
};

ImageStore::ImageStore(net::Loop& loop, BlobStore& blobs, db::ImageTable& table,
                       cache::CacheClient& cache, SettlingTimes times)
    : blobs_(blobs),
      table_(table),
      cache_(cache),
      times_(times),
      totals_(
          loop, table, [this] { return !unsettled_.empty(); }, times.count_interval_ms),
      probe_(loop, blobs),
      retry_(loop) {}

ImageStore::~ImageStore() { assert(flights_.empty()); }

// --- Reading ------------------------------------------------------------------------------------

Task<Result<Image>> ImageStore::get(std::string key) {
  Result<void> valid = cache::validate_key(key);
  if (!valid) co_return std::move(valid).error();

  std::uint64_t lease = 0;  // 0: the cache takes no part
  if (!bypasses_cache(key)) {
    Result<cache::Lookup> lookup = co_await cache_.get(key);
    std::optional<Image> hit = take_hit(lookup);
    if (hit) co_return std::move(*hit);
    if (lookup) lease = lookup->lease;
  }
  Result<Image> image = co_await get_missed(std::move(key), lease);
  co_return image;
}

std::optional<Image> ImageStore::take_hit(Result<cache::Lookup>& lookup) {
  if (!lookup) {
    ++cache_errors_;
    log::debug("cache_get_failed reason=\"{}\"", lookup.error().message);
    return std::nullopt;
  }
  if (!lookup->hit) return std::nullopt;
  ++hits_;
  return Image{shared(std::move(lookup->blob)), true};
}

Task<Result<Image>> ImageStore::get_missed(std::string key, std::uint64_t lease) {
  ++stats_.misses;
  const auto under_way = flights_.find(key);
  if (under_way != flights_.end() && under_way->second->lease == lease) {
    ++stats_.shared_fetches;
    Result<Image> shared = co_await under_way->second->result.wait();
    co_return shared;
  }

  Flight flight{lease, {}};
  flights_[key] = &flight;  // a flight of an older lease goes on without new passengers
  Result<Image> image = co_await fetch(key, lease);
  const auto mine = flights_.find(key);
  if (mine != flights_.end() && mine->second == &flight) flights_.erase(mine);
  flight.result.set(image);
  co_return image;
}

Task<Result<Image>> ImageStore::fetch(std::string key, std::uint64_t lease) {
  Result<Blob> blob = co_await read_stored(key);
  if (!blob) co_return std::move(blob).error();
  std::optional<cache::PutOutcome> outcome;
  if (lease != 0) {
    Result<cache::PutOutcome> put = co_await cache_.put(key, *blob, lease);
    if (put) {
      outcome = *put;
    } else {
      ++cache_errors_;
      log::debug("cache_put_failed key=\"{}\" reason=\"{}\"", key, put.error().message);
    }
  }
  co_return Image{std::move(*blob), false, outcome};
}

// The bytes that the key's row names. The file may go between the reading of
// the row and of the file, when a write replaces it: then there is a new row.
Task<Result<Blob>> ImageStore::read_stored(std::string key) {
  std::string missing_location;
  for (int attempt = 0; attempt < read_attempts_max; ++attempt) {
    Result<std::optional<db::ImageRow>> row = co_await table_.find(key);
    if (!row) co_return std::move(row).error();
    if (!*row) co_return no_such_image();
    const db::ImageRow& found = **row;
    if (found.location == missing_location) {
      log::error("image_file_missing key=\"{}\" location={}", key, missing_location);
      co_return Error{Errc::data_lost, "the file of this image is missing; upload it again"};
    }
    Result<Blob> blob = co_await blobs_.read(found.location);
    const bool is_damaged =
        blob ? blob->digest().hex() != found.etag : blob.error().code == Errc::data_lost;
    if (is_damaged) {
      log::error("image_file_damaged key=\"{}\" location={}", key, found.location);
      co_return Error{Errc::data_lost, "the file of this image is damaged; upload it again"};
    }
    if (blob) co_return shared(std::move(*blob));
    if (blob.error().code != Errc::not_found) {
      log::error("image_file_unreadable key=\"{}\" location={} reason=\"{}\"", key, found.location,
                 to_string(blob.error().code));
      co_return blob;
    }
    missing_location = found.location;
  }
  co_return too_contended();
}

Task<Result<Listing>> ImageStore::list(std::string prefix, std::string after, std::size_t limit) {
  Result<std::vector<db::ImageSummary>> rows =
      co_await table_.list(std::move(prefix), std::move(after), limit + 1);
  if (!rows) co_return std::move(rows).error();
  co_return listing_of(std::move(*rows), limit);
}

Task<Result<Listing>> ImageStore::list_before(std::string prefix, std::string before,
                                              std::size_t limit) {
  Result<std::vector<db::ImageSummary>> rows =
      co_await table_.list_before(std::move(prefix), std::move(before), limit + 1);
  if (!rows) co_return std::move(rows).error();
  Listing listing = listing_of(std::move(*rows), limit);
  std::reverse(listing.images.begin(), listing.images.end());
  co_return listing;
}

Task<Result<std::vector<db::ImageSummary>>> ImageStore::recent(std::size_t limit) {
  return table_.recent(limit);
}

Task<Result<std::optional<db::ImageRow>>> ImageStore::describe(std::string key) {
  return table_.find(std::move(key));
}

ImageStoreStats ImageStore::stats() const {
  ImageStoreStats stats = stats_;
  stats.hits = hits_;
  stats.cache_errors = cache_errors_;
  return stats;
}

Task<Result<StoreFigures>> ImageStore::figures() {
  StoreFigures figures;
  figures.totals = totals();
  figures.counted = stats();
  figures.file_batches = blobs_.batches();
  figures.row_batches = table_.change_batches();
  figures.uploads_waiting = blobs_.uploads_waiting();
  figures.unsettled_writes = unsettled_.size();
  figures.undelivered_invalidations = undelivered_.size() + (clear_undelivered_ ? 1 : 0);
  co_return figures;
}

// --- Writing ------------------------------------------------------------------------------------

Task<Result<void>> ImageStore::check(std::string key, Precondition precondition) {
  Result<std::optional<db::ImageRow>> present = co_await table_.find(std::move(key));
  if (!present) co_return std::move(present).error();
  co_return judge(precondition, *present);
}

Task<Result<Stored>> ImageStore::put(std::string key, BlobWriter& upload,
                                     Precondition precondition) {
  upload.move_to_store();
  Result<void> valid = cache::validate_key(key);
  if (!valid) {
    co_await upload.discard();
    co_return std::move(valid).error();
  }
  if (unsettled_.size() >= unsettled_max) {
    co_await upload.discard();
    co_return too_many_unsettled();
  }
  Result<BlobWriter::Finished> file = co_await upload.finish();
  if (!file) co_return std::move(file).error();

  db::ImageRow row;
  row.key = key;
  row.location = file->location;
  row.content_type = file->content_type;
  row.byte_size = file->byte_size;
  row.etag = file->digest.hex();
  row.created_at_ms = row.updated_at_ms = unix_ms();
  Commit committed = co_await commit(row, std::move(precondition));

  if (committed.outcome == Outcome::failed) {
    co_await remove_file(file->location);
    co_return std::move(*committed.error);
  }
  if (committed.outcome == Outcome::uncertain) {
    log::warning("upload_uncertain key=\"{}\" reason=\"{}\"", key, committed.error->message);
    keep_unsettled(key, std::move(committed.former_location), file->location);
    co_return std::move(*committed.error);
  }
  ++stats_.uploads;
  co_await forget_cached(key);
  if (committed.outcome == Outcome::replaced) { co_await remove_file(committed.former_location); }
  co_return Stored{committed.outcome == Outcome::created, file->content_type, file->byte_size,
                   file->digest};
}

// Makes `row` the key's row. Compare-and-swap on the location: each statement
// stands for itself, so there is no transaction to deadlock or to be left open.
Task<ImageStore::Commit> ImageStore::commit(db::ImageRow row, Precondition precondition) {
  for (int attempt = 0; attempt < commit_attempts_max; ++attempt) {
    // Those whose files became durable together go on together.
    Result<std::optional<db::ImageRow>> present = co_await table_.find(row.key, db::Read::together);
    if (!present) co_return Commit{Outcome::failed, {}, std::move(present).error()};
    Result<void> allowed = judge(precondition, *present);
    if (!allowed) co_return Commit{Outcome::failed, {}, std::move(allowed).error()};
    const std::string former = *present ? (**present).location : std::string();
    Totals replaced;
    if (*present) replaced = {1, (**present).byte_size};
    Result<bool> changed = false;
    co_await totals_.admission();
    ImageTotals::Write write(totals_, row.key);
    if (*present) {
      changed = co_await table_.replace_if(row.key, former, row);
    } else {
      changed = co_await table_.insert_if_absent(row);
    }
    if (!changed) {
      const bool uncertain = changed.error().code == Errc::uncertain;
      co_return Commit{uncertain ? Outcome::uncertain : Outcome::failed, former,
                       std::move(changed).error()};
    }
    if (!*changed) continue;
    write.changed({1, row.byte_size}, replaced);
    co_return Commit{*present ? Outcome::replaced : Outcome::created, former, {}};
  }
  co_return Commit{Outcome::failed, {}, too_contended()};
}

Task<Result<void>> ImageStore::remove(std::string key, Precondition precondition) {
  Result<void> valid = cache::validate_key(key);
  if (!valid) co_return valid;
  if (unsettled_.size() >= unsettled_max) co_return too_many_unsettled();
  for (int attempt = 0; attempt < commit_attempts_max; ++attempt) {
    Result<std::optional<db::ImageRow>> row = co_await table_.find(key);
    if (!row) co_return std::move(row).error();
    if (!*row) {
      // An earlier removal may have been carried out though its answer was lost.
      co_await forget_cached(key);
      co_return no_such_image();
    }
    Result<void> allowed = judge(precondition, *row);
    if (!allowed) co_return allowed;
    const std::string location = (**row).location;
    Result<bool> removed = co_await remove_row(**row);
    if (removed && !*removed) continue;  // replaced meanwhile
    if (!removed) {
      if (removed.error().code == Errc::uncertain) {
        log::warning("removal_uncertain key=\"{}\" reason=\"{}\"", key, removed.error().message);
        keep_unsettled(key, location, {});
      }
      co_return std::move(removed).error();
    }
    co_await forget_cached(key);
    co_await remove_file(location);
    ++stats_.removals;
    co_return Result<void>();
  }
  co_return too_contended();
}

Task<Result<bool>> ImageStore::remove_row(db::ImageRow row) {
  co_await totals_.admission();
  ImageTotals::Write write(totals_, row.key);
  Result<bool> removed = co_await table_.remove_if(row.key, row.location);
  if (removed && *removed) write.changed({}, {1, row.byte_size});
  co_return removed;
}

Task<Result<void>> ImageStore::remove_all(GoesOn goes_on) {
  if (unsettled_.size() >= unsettled_max) co_return too_many_unsettled();
  co_await totals_.admission();
  ImageTotals::Write write(totals_, std::nullopt);
  Result<void> result;
  bool is_changed = false;
  std::string after;
  while (result) {
    Result<std::vector<db::ImageLocation>> batch =
        co_await table_.locations(after, db::ImageTable::batch_max);
    if (!batch) result = batch.error();
    if (!batch || batch->empty()) break;
    after = batch->back().key;
    Result<std::uint64_t> removed = co_await table_.remove_batch(*batch);
    is_changed = is_changed || removed.ok();
    if (!removed) {
      result = removed.error();
      if (result.error().code != Errc::uncertain) break;
      log::warning("removal_uncertain count={} reason=\"{}\"", batch->size(),
                   result.error().message);
      for (db::ImageLocation& image : *batch) {
        keep_unsettled(std::move(image.key), std::move(image.location), {});
      }
      break;
    }
    std::vector<std::string> locations;
    std::uint64_t bytes = 0;
    for (db::ImageLocation& image : *batch) {
      locations.push_back(std::move(image.location));
      bytes += image.byte_size;
    }
    stats_.removals += *removed;
    if (*removed == locations.size()) {
      write.changed({}, {*removed, bytes});
    } else {
      totals_.doubt();  // some were replaced meanwhile, and there is no telling which
    }
    // No row names these any more: those that we did not remove were replaced.
    co_await remove_files(std::move(locations));
    const bool is_wanted = co_await goes_on();
    if (!is_wanted) result = Error{Errc::closed, "the removal of all images was broken off"};
  }
  // After all of them went, also what may be cached without a row.
  if (is_changed || result) co_await forget_all_cached();
  co_return result;
}

// A file that can't be removed costs space until it can be, nothing else.
Task<void> ImageStore::remove_files(std::vector<std::string> locations) {
  Result<void> removed = co_await blobs_.remove(std::move(locations));
  if (!removed) log::warning("file_left_behind reason=\"{}\"", removed.error().message);
}

Task<void> ImageStore::remove_file(std::string location) {
  std::vector<std::string> locations;
  locations.push_back(std::move(location));
  return remove_files(std::move(locations));
}

// --- Invalidation -------------------------------------------------------------------------------

bool ImageStore::bypasses_cache(const std::string& key) const {
  return clear_undelivered_ || undelivered_.contains(key) || is_unsettled(key);
}

Task<void> ImageStore::forget_cached(std::string key) {
  flights_.erase(key);  // later readers must not join a fetch that began before the commit
  Result<void> invalidated = co_await cache_.invalidate(key);
  if (invalidated) co_return;
  ++cache_errors_;
  // Of an outage the first one is told.
  if (undelivered_.empty() && !clear_undelivered_) {
    log::warning("invalidations_undelivered first_key=\"{}\" reason=\"{}\"", key,
                 invalidated.error().message);
  }
  keep_undelivered(std::move(key));
}

Task<void> ImageStore::forget_all_cached() {
  flights_.clear();
  Result<void> cleared = co_await cache_.clear();
  if (cleared) co_return;
  ++cache_errors_;
  log::warning("clear_undelivered reason=\"{}\"", cleared.error().message);
  clear_undelivered_ = ++next_undelivered_;
  start_settling();
}

void ImageStore::keep_undelivered(std::string key) {
  if (undelivered_.size() < undelivered_max) {
    undelivered_[std::move(key)] = ++next_undelivered_;
  } else {
    clear_undelivered_ = ++next_undelivered_;
  }
  start_settling();
}

// --- Settling what stayed open ------------------------------------------------------------------

// A removal that is repeated because its outcome is unknown is one with the first.
void ImageStore::keep_unsettled(std::string key, std::string former_location,
                                std::string location) {
  const auto same = [&](const Unsettled& open) {
    return open.key == key && open.former_location == former_location && open.location == location;
  };
  const auto known = std::find_if(unsettled_.begin(), unsettled_.end(), same);
  if (known != unsettled_.end()) unsettled_.erase(known);
  unsettled_.push_back(
      {++next_unsettled_, std::move(key), std::move(former_location), std::move(location), {}});
  start_settling();
  totals_.doubt();
}

void ImageStore::start_settling() {
  if (closing_ || has_open_writes_.exchange(true)) return;
  gate_.spawn(settle_in_background());
}

Task<void> ImageStore::settle_in_background() {
  while (!closing_ && (clear_undelivered_ || !undelivered_.empty() || !unsettled_.empty())) {
    co_await retry_.wait(times_.retry_interval_ms);
    if (closing_) break;
    co_await settle_rows();
    co_await deliver_invalidations();
  }
  has_open_writes_ = false;
}

// The row decides, once the lost statement can do nothing more. It changed the
// row from the former location to the new one (or none, if it was a removal), if
// it was the former one. So when the row says the new one, or anything but a
// former location, all is decided, for no location ever comes back. That there
// was no row does come back, by a removal. As long as the statement could still
// find what it wants, it may lie in the server, which may have been frozen or be
// waiting for its disk.
Task<void> ImageStore::settle_rows() {
  const std::vector<Unsettled> open_ones = unsettled_;
  for (const Unsettled& open : open_ones) {
    if (closing_) co_return;
    Result<std::optional<db::ImageRow>> row = co_await table_.find(open.key, db::Read::settled);
    if (!row) co_return;
    const auto entry = std::find_if(unsettled_.begin(), unsettled_.end(),
                                    [&](const Unsettled& e) { return e.id == open.id; });
    if (entry == unsettled_.end()) continue;  // repeated meanwhile
    if (!entry->answered_ms) entry->answered_ms = monotonic_ms();
    const std::string present = *row ? (**row).location : std::string();
    const bool is_carried_out = present == open.location;
    const bool is_void = !open.former_location.empty() && present != open.former_location;
    const bool is_over = monotonic_ms() - *entry->answered_ms >= times_.late_commit_ms;
    const bool decided = is_carried_out || is_void || is_over;
    if (!decided) continue;
    unsettled_.erase(entry);
    flights_.erase(open.key);
    keep_undelivered(open.key);
    std::vector<std::string> unnamed;
    const auto leave_unnamed = [&](const std::string& location) {
      if (!location.empty() && location != present) unnamed.push_back(location);
    };
    leave_unnamed(open.former_location);
    leave_unnamed(open.location);
    co_await remove_files(std::move(unnamed));
    log::info("{}_settled key=\"{}\" committed={}", open.location.empty() ? "removal" : "upload",
              open.key, present == open.location);
  }
}

bool ImageStore::is_unsettled(const std::string& key) const {
  return std::any_of(unsettled_.begin(), unsettled_.end(),
                     [&](const Unsettled& open) { return open.key == key; });
}

Task<void> ImageStore::deliver_invalidations() {
  if (clear_undelivered_) {
    const std::uint64_t due = *clear_undelivered_;
    Result<void> cleared = co_await cache_.clear();
    if (!cleared) co_return;
    if (clear_undelivered_ == due) clear_undelivered_.reset();
    std::erase_if(undelivered_, [&](const auto& entry) { return entry.second <= due; });
  }
  const std::vector<std::pair<std::string, std::uint64_t>> keys(undelivered_.begin(),
                                                                undelivered_.end());
  for (const auto& [key, due] : keys) {
    if (closing_) co_return;
    Result<void> invalidated = co_await cache_.invalidate(key);
    if (!invalidated) co_return;
    const auto entry = undelivered_.find(key);
    if (entry != undelivered_.end() && entry->second == due) undelivered_.erase(entry);
  }
  if (!keys.empty() && undelivered_.empty()) {
    log::info("invalidations_delivered count={}", keys.size());
  }
}

// --- Starting and ending ------------------------------------------------------------------------

Task<Result<void>> ImageStore::recover(bool cache_is_older) {
  Result<std::vector<std::string>> files = co_await blobs_.locations();
  if (!files) co_return std::move(files).error();
  std::unordered_set<std::string> orphans(files->begin(), files->end());
  const std::size_t file_count = orphans.size();
  std::size_t dangling = 0;
  Totals counted;
  std::string after;
  int failures = 0;
  while (true) {
    if (closing_) co_return Error{Errc::closed, "the store was closed before it had recovered"};
    // Settled, because a statement of a former run that was killed may be under way.
    Result<std::vector<db::ImageLocation>> page =
        co_await table_.locations(after, walk_page_rows, db::Read::settled);
    if (!page) {
      if (++failures == walk_attempts_max) co_return std::move(page).error();
      co_await retry_.wait(times_.retry_interval_ms);
      continue;
    }
    if (page->empty()) break;
    after = page->back().key;
    counted.images += page->size();
    for (const db::ImageLocation& image : *page) {
      counted.bytes += image.byte_size;
      if (orphans.erase(image.location) == 1) continue;
      ++dangling;
      log::error("image_file_missing key=\"{}\" location={}", image.key, image.location);
    }
  }
  totals_.set(counted);
  const std::size_t orphan_count = orphans.size();
  std::vector<std::string> locations(orphans.begin(), orphans.end());
  co_await remove_files(std::move(locations));
  log::info("store_recovered files={} orphans_removed={} files_missing={}", file_count,
            orphan_count, dangling);
  // Last, because a cache that does not hear starts the settling, which then has the timer.
  if (cache_is_older) co_await forget_all_cached();
  co_return Result<void>();
}

Task<void> ImageStore::close() {
  closing_ = true;
  retry_.close();
  co_await totals_.close();
  co_await gate_.drained();
}

}  // namespace imgcached::images
