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
// One ImageStore owns an image directory; it belongs to one loop. The other loops of the
// process that serve readers look into the cache themselves, and bring everything else
// here (mailbox_store_client.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/gate.h"
#include "base/result.h"
#include "base/task.h"
#include "cache/cache_client.h"
#include "db/image_table.h"
#include "images/blob_store.h"
#include "images/image_totals.h"
#include "images/storage_probe.h"
#include "images/store_client.h"
#include "net/timer.h"

namespace imgcached::images {

struct SettlingTimes {
  std::uint64_t retry_interval_ms = 500;
  // A statement whose answer was lost, and which nothing is seen of this long
  // after the database answers again, is not carried out any more.
  std::uint64_t late_commit_ms = 10'000;
  // From a doubt about the totals to a count.
  std::uint64_t count_interval_ms = 500;
};

class ImageStore : public StoreClient {
 public:
  static constexpr std::size_t undelivered_max = 10'000;  // beyond: the whole cache is cleared
  static constexpr std::size_t unsettled_max = 1'000;     // beyond: writes are refused

  ImageStore(net::Loop& loop, BlobStore& blobs, db::ImageTable& table, cache::CacheClient& cache,
             SettlingTimes times = SettlingTimes());
  ImageStore(const ImageStore&) = delete;
  ImageStore& operator=(const ImageStore&) = delete;
  ~ImageStore() override;

  // Makes disk and table agree after a crash: removes the files that no row
  // names. A cache that may have missed an invalidation of a former run
  // (`cache_is_older`) is emptied. Error closed: close() was called meanwhile.
  // REQUIRES: nothing but close() has been called yet.
  Task<Result<void>> recover(bool cache_is_older);

  // As StoreClient says.
  Task<Result<Image>> get(std::string key) override;
  BlobWriter begin_upload() override { return blobs_.begin(); }
  Task<Result<Stored>> put(std::string key, BlobWriter& upload,
                           Precondition precondition = nullptr) override;
  Task<Result<void>> check(std::string key, Precondition precondition) override;
  Task<Result<void>> remove(std::string key, Precondition precondition = nullptr) override;
  Task<Result<void>> remove_all(GoesOn goes_on) override;
  Task<Result<Listing>> list(std::string prefix, std::string after, std::size_t limit) override;
  Task<Result<Listing>> list_before(std::string prefix, std::string before,
                                    std::size_t limit) override;
  Task<Result<std::vector<db::ImageSummary>>> recent(std::size_t limit) override;
  Task<Result<std::optional<db::ImageRow>>> describe(std::string key) override;
  Task<Result<StoreFigures>> figures() override;
  Task<Result<void>> probe() override { return probe_.run(); }

  // From another loop, to which the upload belongs until it is put.
  BlobWriter begin_upload(net::Loop& loop) { return blobs_.begin(loop); }

  // get() in parts, for another loop, which asks the cache by itself.
  //
  // From any thread: whether something stayed open after a write, see above. If so, it
  // does before that write is answered.
  bool has_open_writes() const { return has_open_writes_; }
  // Whether that is why this key has to be read around the cache.
  bool bypasses_cache(const std::string& key) const;
  // From any thread: the image, if the cache's answer has it.
  std::optional<Image> take_hit(Result<cache::Lookup>& lookup);
  // The lease is the one that came with the miss, or 0 when the cache takes no part.
  Task<Result<Image>> get_missed(std::string key, std::uint64_t lease);

  Totals totals() const { return totals_.now(); }
  ImageStoreStats stats() const;

  // Ends the background work; what is not settled is left to recover(). May be repeated.
  // REQUIRES: other loops read no more.
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
  ImageStoreStats stats_;  // but for the two that other loops count, too
  std::unordered_map<std::string, Flight*> flights_;
  // Keys whose invalidation is due, with a number that changes whenever it
  // becomes due again: an attempt settles only what it knew of when it began.
  std::unordered_map<std::string, std::uint64_t> undelivered_;
  std::optional<std::uint64_t> clear_undelivered_;  // the same, for every key at once
  std::uint64_t next_undelivered_ = 0;
  std::vector<Unsettled> unsettled_;
  std::uint64_t next_unsettled_ = 0;
  bool closing_ = false;
  ImageTotals totals_;
  StorageProbe probe_;
  net::Timer retry_;
  Gate gate_;
  // What other loops read, and what they write, at each hit: on lines of their own. The
  // first is set as long as the background settles.
  alignas(64) std::atomic<bool> has_open_writes_{false};
  alignas(64) std::atomic<std::uint64_t> hits_{0};
  std::atomic<std::uint64_t> cache_errors_{0};
};

}  // namespace imgcached::images
