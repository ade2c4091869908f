// ImageTable: the table `images`, which says which keys there are and in which
// file the image of each is.
//
// The row is the truth about a key: an upload has happened once its row says so.
// A location is never reused, so the pair (key, location) names one upload, and
// "change it if it is still this one" needs no transaction. Each function is one
// statement; its failures are those of Pool::execute().
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

enum class Read {
  committed,  // what is committed now
  settled,    // waits for a change that is being made, a second at most (then unavailable)
};

class ImageTable {
 public:
  static constexpr std::size_t batch_max = 500;  // of remove_batch()

  explicit ImageTable(Pool& pool) : pool_(pool) {}
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
  // remove_if() for all of `images`; how many rows went. REQUIRES: at most batch_max.
  Task<Result<std::uint64_t>> remove_batch(std::vector<ImageLocation> images);

 private:
  Pool& pool_;
};

}  // namespace imgcached::db
