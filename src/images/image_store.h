// ImageStore: the use cases of the program: get, put, remove, list.
//
// An image lives in three places: a file holds its bytes (BlobStore), a row of
// `images` says which file is the key's (ImageTable), and the cache may hold a
// copy. The row is the truth: an upload happens at the moment its row is
// committed, a removal when its row is gone.
//
//   get     cache -> hit
//           cache -> miss with a lease -> row -> file -> cache.put(lease)
//   put     file, durable -> row, by compare-and-swap on the former location
//           -> cache.invalidate -> former file removed -> done
//   remove  row -> cache.invalidate -> file removed -> done
//
// Why nothing stale is served: a cached copy was put with a lease that was
// granted before its row was read, and the invalidation after a commit voids
// all earlier leases. A fill that read the old row is therefore either dropped,
// or came before the invalidation and is removed by it. Invalidating before
// the commit would let a reader in between cache the old image for good.
//
// Single flight: readers that miss the same key share one fetch, but only if
// they hold the same lease, that is, if nothing has been invalidated between
// them. So a reader never gets what was fetched before a write it could know of.
//
// Two things can stay open after a write, and are settled in the background,
// once a retry_interval_ms, until they are; meanwhile reads of the key go around
// the cache:
//  * An invalidation could not be delivered (the cache is another process, down
//    or slow). The write has happened all the same.
//  * The database did not say whether it committed an upload or a removal. The
//    client is told 503. The statement may even be carried out later, when a
//    stalled server goes on: so the files stay until the row can never again
//    become, or cease to be, theirs, see settle_rows().
//
// One ImageStore owns an image directory; it belongs to one loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/gate.h"
#include "base/result.h"
#include "base/task.h"
#include "cache/cache_client.h"
#include "db/image_table.h"
#include "images/blob_store.h"
#include "images/image_totals.h"
#include "net/timer.h"

namespace imgcached::images {

struct Image {
  Blob bytes;
  bool cached = false;  // a hit
  // After a miss: what became of it in the cache; nothing when it was not put there.
  std::optional<cache::PutOutcome> put = std::nullopt;

  // By the bytes. Of static lifetime.
  std::string_view content_type() const {
    return sniff_image_type(bytes.view().substr(0, sniffed_bytes))
        .value_or("application/octet-stream");  // what somebody put into the cache by hand
  }
};

// What get() and remove() say of a key that has none.
Error no_such_image();

struct Stored {
  bool created = false;  // false: it replaced an image
  std::string_view content_type;
  std::uint64_t byte_size = 0;
  Digest digest;
};

struct Listing {
  std::vector<db::ImageSummary> images;  // sorted by key, bytewise
  bool more = false;                     // there are further ones
};

// Asked right before a change: whether it may happen, given the digest of the image
// that is there now (in hexadecimal digits; nothing when there is none).
using Precondition = std::function<bool(std::optional<std::string_view> digest)>;

// Counted since the start.
struct ImageStoreStats {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t shared_fetches = 0;  // misses that joined another one's fetch
  std::uint64_t uploads = 0;
  std::uint64_t removals = 0;
  std::uint64_t cache_errors = 0;  // calls of the cache that failed
};

struct SettlingTimes {
  std::uint64_t retry_interval_ms = 500;
  // A statement whose answer was lost, and which nothing is seen of this long
  // after the database answers again, is not carried out any more.
  std::uint64_t late_commit_ms = 10'000;
  // From a doubt about the totals to a count.
  std::uint64_t count_interval_ms = 500;
};

class ImageStore {
 public:
  static constexpr std::size_t undelivered_max = 10'000;  // beyond: the whole cache is cleared
  static constexpr std::size_t unsettled_max = 1'000;     // beyond: writes are refused

  ImageStore(net::Loop& loop, BlobStore& blobs, db::ImageTable& table, cache::CacheClient& cache,
             SettlingTimes times = SettlingTimes());
  ImageStore(const ImageStore&) = delete;
  ImageStore& operator=(const ImageStore&) = delete;
  ~ImageStore();

  // Makes disk and table agree after a crash: removes the files that no row
  // names. A cache that may have missed an invalidation of a former run
  // (`cache_is_older`) is emptied. Error closed: close() was called meanwhile.
  // REQUIRES: nothing but close() has been called yet.
  Task<Result<void>> recover(bool cache_is_older);

  // Errors: invalid_argument (the key), not_found, unavailable, data_lost (the file
  // is missing or damaged), storage_*.
  Task<Result<Image>> get(std::string key);

  // Stores what was written to `upload` under the key, for good: afterwards the
  // upload is used up, whatever the result. Errors: invalid_argument (the key,
  // or an empty file), unsupported_type, precondition_failed, unavailable, uncertain
  // (it may yet turn out to be stored), storage_*.
  Task<Result<Stored>> put(std::string key, BlobWriter& upload,
                           Precondition precondition = nullptr);
  // The same precondition, to know before an upload is received what it would
  // come to. Errors: precondition_failed, unavailable.
  Task<Result<void>> check(std::string key, Precondition precondition);

  // Errors: those of put(), and not_found when there is none.
  Task<Result<void>> remove(std::string key, Precondition precondition = nullptr);
  // Every image that was stored when the call began. Asks between two steps
  // whether to go on; if not, what has been removed is, and the error is closed.
  Task<Result<void>> remove_all(std::function<bool()> goes_on);

  // The keys that start with `prefix` and come after `after`.
  Task<Result<Listing>> list(std::string prefix, std::string after, std::size_t limit);
  // Those that start with `prefix` and come before `before` (empty: all of them): the
  // last `limit`, in order. `more` is about what is in front of them.
  Task<Result<Listing>> list_before(std::string prefix, std::string before, std::size_t limit);
  // The `limit` images that were uploaded last, the newest first.
  Task<Result<std::vector<db::ImageSummary>>> recent(std::size_t limit);
  // What the key's row says; nothing when there is none.
  Task<Result<std::optional<db::ImageRow>>> describe(std::string key);
  // Of all images. What is not known to have happened is not in it yet.
  Totals totals() const { return totals_.now(); }

  // Where an upload's bytes go until it is put; see BlobWriter.
  BlobWriter begin_upload() { return blobs_.begin(); }

  const ImageStoreStats& stats() const { return stats_; }
  // What was made durable together: the files of uploads, and the rows. Small uploads
  // that wait for the next such sync.
  net::BatchStats file_batches() const { return blobs_.batches(); }
  net::BatchStats row_batches() const { return table_.change_batches(); }
  std::size_t uploads_waiting() const { return blobs_.uploads_waiting(); }
  // Whether something stayed open after a write, see above.
  bool is_settling() const { return settling_; }
  // What stays open, see above: writes, and invalidations (all of them count as one).
  std::size_t unsettled_writes() const { return unsettled_.size(); }
  std::size_t undelivered_invalidations() const {
    return undelivered_.size() + (clear_undelivered_ ? 1 : 0);
  }

  // Ends the background work; what is not settled is left to recover(). May be repeated.
  Task<void> close();

 private:
  struct Flight;
  // What is known of a row after an attempt to change it.
  enum class Outcome {
    created,    // committed, there was no image
    replaced,   // committed, there was one
    failed,     // certainly not committed
    uncertain,  // the database did not say
  };
  struct Commit {
    Outcome outcome;
    std::string former_location;  // of what was, or would be, replaced
    std::optional<Error> error;   // failed and uncertain
  };
  // A write of uncertain outcome, which changes the row's location from the
  // former one to the new one. Empty: there is no row.
  struct Unsettled {
    std::uint64_t id;
    std::string key;
    std::string former_location;
    std::string location;
    std::optional<std::uint64_t> answered_ms;  // when the database first answered again
  };

  Task<Result<Image>> fetch(std::string key, std::uint64_t lease);
  Task<Result<Blob>> read_stored(std::string key);
  Task<Commit> commit(db::ImageRow row, Precondition precondition);
  Task<Result<bool>> remove_row(db::ImageRow row);
  Task<void> remove_file(std::string location);
  Task<void> remove_files(std::vector<std::string> locations);
  Task<void> forget_cached(std::string key);
  Task<void> forget_all_cached();
  bool must_bypass_cache(const std::string& key) const;
  void keep_undelivered(std::string key);
  void keep_unsettled(std::string key, std::string former_location, std::string location);
  void start_settling();
  Task<void> settle_in_background();
  Task<void> settle_rows();
  bool is_unsettled(const std::string& key) const;
  Task<void> deliver_invalidations();

  BlobStore& blobs_;
  db::ImageTable& table_;
  cache::CacheClient& cache_;
  const SettlingTimes times_;
  ImageStoreStats stats_;
  std::unordered_map<std::string, Flight*> flights_;
  // Keys whose invalidation is due, with a number that changes whenever it
  // becomes due again: an attempt settles only what it knew of when it began.
  std::unordered_map<std::string, std::uint64_t> undelivered_;
  std::optional<std::uint64_t> clear_undelivered_;  // the same, for every key at once
  std::uint64_t next_undelivered_ = 0;
  std::vector<Unsettled> unsettled_;
  std::uint64_t next_unsettled_ = 0;
  bool settling_ = false;
  bool closing_ = false;
  ImageTotals totals_;
  net::Timer retry_;
  Gate gate_;
};

}  // namespace imgcached::images
