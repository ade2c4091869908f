// BlobStore: the files behind the images, on the local file system.
//
//   <root>/3f/3f9a...c1   an image; 128 random bits, never reused, no extension
//   <root>/tmp/9b2e...    an upload that is not finished
//   <root>/lock           held by the process that owns the directory
//   <root>/identity       the database it belongs to (store_identity.h)
//
// open() claims the root and makes nothing in it but the lock; prepare() makes
// the rest, once it is known that the store is the right one. Without that, the
// root is left as it was found.
//
// A location is the path below the root. It is made up here and has nothing to
// do with the key or with a name the client sent. A file appears under its
// location whole and never changes afterwards.
//
// Durability::strict: finish() returns when file and name would survive a power
// cut. Where one sync of the file system can be relied upon (net/file_system.h), small
// files that are finished at the same time share it (blob_committer.h); large ones, and
// all elsewhere, go by themselves: fdatasync, rename, fsync of the directory. Durability::none
// leaves it to the operating system.
//
// A BlobStore belongs to one loop. An upload may be received on another one: see
// BlobWriter. What both of them change is behind a lock.
//
// read(), remove() and probe() are virtual for tests that decide when each is carried
// out.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "images/blob_committer.h"
#include "images/image_type.h"
#include "net/file.h"
#include "net/loop.h"

namespace imgcached::images {

enum class Durability {
  strict,  // what was acknowledged survives a power cut
  none,    // ... survives a crash of the program only
};

struct BlobStoreOptions {
  std::string root;
  Durability durability = Durability::strict;
  std::uint64_t image_bytes_max = 32u << 20;
  std::size_t upload_files_max = 1'024;  // temporary files at a time; beyond: unavailable
};

class BlobStore;

// One upload on its way to disk. Bytes are collected in memory up to
// buffer_bytes, then go to a temporary file; a small image thus takes a single
// trip to the thread pool. The type is decided from the first bytes and the
// size bounded while they come.
//
// It may belong to another loop than its store's, until it is finished.
//
// REQUIRES: finish() or discard() is awaited before the writer goes.
class BlobWriter {
 public:
  static constexpr std::size_t buffer_bytes = 128 * 1024;

  BlobWriter(BlobWriter&&) noexcept;
  ~BlobWriter();

  // Errors: unsupported_type, too_large, unavailable, storage_*. After an error,
  // only discard() is left.
  Task<Result<void>> write(std::string_view piece);

  struct Finished {
    std::string location;
    std::string_view content_type;
    std::uint64_t byte_size;
    Digest digest;
  };
  // Makes the file durable under a new location. Errors: invalid_argument (no
  // bytes at all), unsupported_type, storage_*. The temporary file is gone
  // afterwards, whatever the result. REQUIRES: it belongs to its store's loop.
  Task<Result<Finished>> finish();
  // Gives up; removes the temporary file.
  Task<void> discard();
  // From now on it belongs to its store's loop, on which this is called.
  void move_to_store();

  // How many bytes a second are to be asked of whoever sends this, so that nobody shuts others
  // out by a few bytes now and then: nothing (0) as long as there is no file, or at most half of
  // upload_files_max are open; then more with each, and pace_max when there are no more to be had.
  std::uint64_t pace_min() const;
  static constexpr std::uint64_t pace_max = 32 << 10;

  std::uint64_t byte_size() const { return byte_size_; }
  // What has not gone to the file yet; below buffer_bytes between two writes.
  std::uint64_t buffered_bytes() const { return buffer_.size(); }

 private:
  friend class BlobStore;
  BlobWriter(BlobStore& store, net::Loop& loop);
  Result<void> judge_type();
  Task<Result<void>> flush();
  Result<void> write_buffer();
  Result<void> put_in_place(const std::string& location, bool syncs);
  Task<Result<void>> make_durable(std::string location);
  void settle();
  std::string unfinished_path() const;

  BlobStore* store_;
  net::Loop* loop_;
  std::string name_;
  std::string buffer_;
  std::optional<net::File> file_;  // the temporary file, once there is one
  bool is_counted_ = false;        // among those that are open
  std::optional<std::string_view> content_type_;
  std::uint64_t byte_size_ = 0;
  DigestStream digest_;
  bool settled_ = false;  // finished, discarded or moved from
};

// Directories and a file that were made and may turn out not to be wanted:
// removed again, the last first, unless they are kept.
class NewPaths {
 public:
  NewPaths() = default;
  NewPaths(NewPaths&&) = default;
  NewPaths& operator=(NewPaths&&) = delete;
  ~NewPaths();

  // Makes the directory unless it is there.
  Result<void> make_directory(const std::string& path);
  void add(std::string path) { paths_.push_back(std::move(path)); }
  // Makes them survive a power cut, each in the directory that it is in.
  Result<void> sync() const;
  void keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

class BlobStore {
 public:
  // No stored image is larger, whatever limit it was uploaded under.
  static constexpr std::size_t read_bytes_max = std::size_t{1} << 30;
  static constexpr std::size_t left_behind_max = 1000;  // beyond: left to the sweep at start

  // Blocks, as the next two: for start-up. Creates the root and takes the lock.
  // Errors name the path; unavailable when another process owns the directory.
  static Result<BlobStore> open(net::Loop& loop, BlobStoreOptions options);
  BlobStore(BlobStore&&) = default;
  virtual ~BlobStore() = default;
  Result<bool> has_images() const;
  // Creates the directories, removes unfinished uploads of a former run. All
  // that writes wants it done.
  Result<void> prepare();

  BlobWriter begin() { return begin(*loop_); }
  // From another loop, which the writer belongs to.
  BlobWriter begin(net::Loop& loop) { return BlobWriter(*this, loop); }

  // Files that were made durable together, and those that wait to be; none where each
  // goes by itself.
  net::BatchStats batches() const { return committer_ ? committer_->stats() : net::BatchStats(); }
  std::size_t uploads_waiting() const { return committer_ ? committer_->waiting() : 0; }

  // Errors: not_found, unavailable, storage_failed.
  virtual Task<Result<Blob>> read(std::string location);
  // Removes the files in one trip. One that is gone already is no error, one
  // that can't be removed does not keep the others, and is tried again with the
  // next ones. (After a crash, the sweep at start finds it.)
  virtual Task<Result<void>> remove(std::vector<std::string> locations);

  // All locations there are, for the sweep at start.
  Task<Result<std::vector<std::string>>> locations();
  // The content of the identity file; nothing when there is none.
  Task<Result<std::optional<std::string>>> identity();
  // Writes it, durably, in the place of any former one.
  Task<Result<void>> set_identity(std::string identity);
  // 32 hexadecimal digits that nothing else is named by. From any thread.
  std::string new_name();

  // Whether a file could be written now, and with Durability::strict synced; see StorageProbe.
  virtual Task<Result<void>> probe();

 private:
  friend class BlobWriter;
  // What writers of other loops change, too.
  struct Shared {
    std::mutex mutex;
    Random names = Random::from_os();
    std::size_t upload_files = 0;          // open
    std::vector<std::string> left_behind;  // should be gone, and could not be removed
  };

  BlobStore(net::Loop& loop, BlobStoreOptions options, NewPaths made, net::File lock);
  std::string path(std::string_view location) const;
  Result<std::vector<std::string>> list_shard(int index) const;
  Task<Result<void>> remove_one(std::string location);
  // From any thread, as the next ones: false when upload_files_max are open.
  bool enter_upload_file();
  void leave_upload_file();
  std::size_t upload_files() const;
  void leave_behind(std::string location);
  std::vector<std::string> take_left_behind();

  net::Loop* loop_;
  BlobStoreOptions options_;
  net::File lock_;
  std::unique_ptr<BlobCommitter> committer_;  // null: each file goes by itself
  NewPaths made_;                             // goes before the lock does
  std::unique_ptr<Shared> shared_ = std::make_unique<Shared>();
};

}  // namespace imgcached::images
