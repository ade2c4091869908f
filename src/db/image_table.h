// ImageTable: the table `images`, which says which keys there are and in which
// file the image of each is.
//
// The row is the truth about a key: an upload has happened once its row says so.
// A location is never reused, so the pair (key, location) names one upload, and
// "change it if it is still this one" needs no transaction. The failures of a function
// are those of Pool::execute().
//
// find(), insert_if_absent() and replace_if() go in batches, a statement for each
// (net/batch_queue.h), since a commit costs the same for many rows as for one, and a trip
// to the server nearly so. Each still has an outcome of its own:
//
//  * Of several that want to insert one key, or to replace one location, the first is sent;
//    the others did nothing, as if they had come later.
//  * A batch that did less than all of it tells how many rows it changed, not which. They
//    are read then: a row with our location is one that was changed. If fewer are found
//    than were changed, somebody has changed one again, and those not found are uncertain.
//  * A batch does not wait for locks, so whoever holds one row holds up no other. When it
//    fails and certainly did nothing, each of it goes alone, as one statement that waits.
//  * A batch of uncertain outcome is uncertain for each of it.
//  * What the changes of a batch are compared with is what was there before it.
//
// A find joins no statement that has been sent: it sees all that was committed before it.
//
// The statements about one key are virtual for tests that decide when each of them
// is carried out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "db/pool.h"
#include "net/batch_queue.h"

namespace imgcached::db {

struct ImageRow {
  std::string key;           // 1 to 255 bytes, compared byte by byte
  std::string location;      // path of the file relative to the image directory
  std::string content_type;  // such as image/png
  std::uint64_t byte_size = 0;
  std::string etag;                // 32 hexadecimal digits, without quotes
  std::int64_t created_at_ms = 0;  // since 1970, UTC; of the key's first upload
  std::int64_t updated_at_ms = 0;  // of the present one
};

// What a list of keys shows of an image.
struct ImageSummary {
  std::string key;
  std::string content_type;
  std::uint64_t byte_size = 0;
  std::int64_t updated_at_ms = 0;
};

struct ImageLocation {
  std::string key;
  std::string location;
  std::uint64_t byte_size = 0;  // of what locations() returns
};

// Of some images that follow one another in the order of the keys.
struct ImageSum {
  std::uint64_t images = 0;
  std::uint64_t bytes = 0;
  std::string last_key;  // empty: there is none
};

enum class Read {
  committed,  // what is committed now
  together,   // the same, with others that ask in the same turn of the loop
  settled,    // waits for a change that is being made, a second at most (then unavailable)
};

class ImageTable {
 public:
  static constexpr std::size_t batch_max = 500;  // of remove_batch()

  explicit ImageTable(Pool& pool);
  virtual ~ImageTable() = default;

  virtual Task<Result<std::optional<ImageRow>>> find(std::string key, Read read = Read::committed);
  Task<Result<std::uint64_t>> count();

  // The three changes of one key. True: done. False: nothing done, because
  // there is a row for the key already, or none with that location any more.
  virtual Task<Result<bool>> insert_if_absent(ImageRow row);
  // Everything but created_at becomes that of `row`.
  virtual Task<Result<bool>> replace_if(std::string key, std::string old_location, ImageRow row);
  virtual Task<Result<bool>> remove_if(std::string key, std::string location);

  // The first `limit` images whose key begins with `prefix` and is greater than
  // `after`, in the order of the keys' bytes.
  Task<Result<std::vector<ImageSummary>>> list(std::string prefix, std::string after,
                                               std::uint64_t limit);
  // Of those whose key begins with `prefix` and is less than `before` (empty: of all)
  // the last `limit`, the last one first.
  Task<Result<std::vector<ImageSummary>>> list_before(std::string prefix, std::string before,
                                                      std::uint64_t limit);
  // The `limit` images that were uploaded last, the newest first.
  Task<Result<std::vector<ImageSummary>>> recent(std::uint64_t limit);
  // As list() of all keys: for walks over the whole table.
  Task<Result<std::vector<ImageLocation>>> locations(std::string after, std::uint64_t limit,
                                                     Read read = Read::committed);
  // The sum of the first `limit` images after that key.
  Task<Result<ImageSum>> sum(std::string after, std::uint64_t limit);
  // remove_if() for all of `images`; how many rows went. REQUIRES: at most batch_max.
  Task<Result<std::uint64_t>> remove_batch(std::vector<ImageLocation> images);

  // Of inserts and replacements.
  net::BatchStats change_batches() const;

 private:
  struct QueuedFind {
    std::string key;
    Result<std::optional<ImageRow>> result;
  };
  struct QueuedChange {
    ImageRow row;
    std::string old_location;  // of a replacement
    bool goes_alone;           // nothing was done, the result says why
    Result<bool> result;
  };
  using Finds = net::BatchQueue<QueuedFind>::Batch;
  using Changes = net::BatchQueue<QueuedChange>::Batch;

  Task<void> find_all(Finds batch);
  Task<void> change(Changes batch, Task<void> (ImageTable::*all_of)(Changes));
  Task<void> insert_all(Changes batch);
  Task<void> replace_all(Changes batch);
  Task<void> tell_outcomes(Changes& batch, Result<QueryResult> result, std::uint64_t began_ms);
  Task<void> tell_which(Changes& batch, std::uint64_t changed);
  Task<Result<bool>> submit(net::BatchQueue<QueuedChange>& queue, QueuedChange& item);

  Pool& pool_;
  net::BatchQueue<QueuedFind> finds_;
  net::BatchQueue<QueuedChange> inserts_;
  net::BatchQueue<QueuedChange> replacements_;
};

}  // namespace imgcached::db
