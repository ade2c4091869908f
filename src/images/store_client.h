// StoreClient: the image store as those see it who serve requests.
//
// Two implementations, and nothing above knows which it has: ImageStore itself, on the
// loop it belongs to, and MailboxStoreClient on any other loop of the process.
//
// Beside the errors named here, each call may fail with unavailable when too much is
// under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob.h"
#include "base/result.h"
#include "base/task.h"
#include "cache/cache.h"
#include "db/image_table.h"
#include "images/blob_store.h"
#include "images/image_totals.h"
#include "images/image_type.h"
#include "net/batch_queue.h"

namespace imgcached::images {

// What get() and remove() say of a key that has none.
inline Error no_such_image() { return {Errc::not_found, "there is no image under this key"}; }

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
// that is there now (in hexadecimal digits; nothing when there is none). Asked on the
// store's loop, while the caller waits.
using Precondition = std::function<bool(std::optional<std::string_view> digest)>;

// Asked on the caller's loop: whether what takes long is still wanted.
using GoesOn = std::function<Task<bool>()>;

// Counted since the start.
struct ImageStoreStats {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t shared_fetches = 0;  // misses that joined another one's fetch
  std::uint64_t uploads = 0;
  std::uint64_t removals = 0;
  std::uint64_t cache_errors = 0;  // calls of the cache that failed
};

struct StoreFigures {
  Totals totals;
  ImageStoreStats counted;
  // What was made durable together: the files of uploads, and the rows.
  net::BatchStats file_batches;
  net::BatchStats row_batches;
  std::size_t uploads_waiting = 0;   // small ones, for the next sync of files
  std::size_t unsettled_writes = 0;  // of which the database did not say more
  // Which the cache has yet to hear; one that is for all keys counts as one.
  std::size_t undelivered_invalidations = 0;
};

class StoreClient {
 public:
  virtual ~StoreClient() = default;

  // Errors: invalid_argument (the key), not_found, unavailable, data_lost (the file
  // is missing or damaged), storage_*.
  virtual Task<Result<Image>> get(std::string key) = 0;

  // Where an upload's bytes go until it is put; it belongs to the caller's loop.
  virtual BlobWriter begin_upload() = 0;
  // No precondition, here and below: null.
  // Stores what was written to `upload` under the key, for good: afterwards the
  // upload is used up, whatever the result. Errors: invalid_argument (the key,
  // or an empty file), unsupported_type, precondition_failed, unavailable, uncertain
  // (it may yet turn out to be stored), storage_*.
  virtual Task<Result<Stored>> put(std::string key, BlobWriter& upload,
                                   Precondition precondition) = 0;
  // The same precondition, to know before an upload is received what it would
  // come to. Errors: precondition_failed, unavailable.
  virtual Task<Result<void>> check(std::string key, Precondition precondition) = 0;

  // Errors: those of put(), and not_found when there is none.
  virtual Task<Result<void>> remove(std::string key, Precondition precondition) = 0;
  // Every image that was stored when the call began. Asks between two steps
  // whether to go on; if not, what has been removed is, and the error is closed.
  virtual Task<Result<void>> remove_all(GoesOn goes_on) = 0;

  // The keys that start with `prefix` and come after `after`.
  virtual Task<Result<Listing>> list(std::string prefix, std::string after, std::size_t limit) = 0;
  // Those that start with `prefix` and come before `before` (empty: all of them): the
  // last `limit`, in order. `more` is about what is in front of them.
  virtual Task<Result<Listing>> list_before(std::string prefix, std::string before,
                                            std::size_t limit) = 0;
  // The `limit` images that were uploaded last, the newest first.
  virtual Task<Result<std::vector<db::ImageSummary>>> recent(std::size_t limit) = 0;
  // What the key's row says; nothing when there is none.
  virtual Task<Result<std::optional<db::ImageRow>>> describe(std::string key) = 0;

  // The totals are of all images; what is not known to have happened is not in them yet.
  virtual Task<Result<StoreFigures>> figures() = 0;
  // Whether images could be written now; see StorageProbe.
  virtual Task<Result<void>> probe() = 0;
};

}  // namespace imgcached::images
