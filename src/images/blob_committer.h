// BlobCommitter: makes files durable together (group commit).
//
// What arrives while a batch is under way is the next batch, see BatchQueue. A batch is
// one trip to the thread pool: each file is written, closed and renamed to its final
// name, and then one sync of the file system makes all of them durable, bytes and names.
//
// So a file gets its name before it is durable. Nothing looks at that name before the
// row is committed, which comes after the sync; a file that a crash left half durable is
// one that no row names, and is swept at the next start like any other.
//
// The sync tells of every write that failed, not of whose it was: then nobody of the
// batch may trust his file.
#pragma once

#include <functional>

#include "base/result.h"
#include "base/task.h"
#include "net/batch_queue.h"
#include "net/file_system.h"
#include "net/loop.h"

namespace imgcached::images {

class BlobCommitter {
 public:
  // Runs on the thread pool.
  using PutInPlace = std::function<Result<void>()>;

  BlobCommitter(net::Loop& loop, net::FileSystem file_system);

  // Carries `put_in_place` out and makes what it did durable. Errors: its own, those of
  // FileSystem::sync(), unavailable.
  Task<Result<void>> commit(PutInPlace put_in_place);

  const net::BatchStats& stats() const { return queue_.stats(); }
  std::size_t waiting() const { return queue_.waiting(); }

 private:
  struct Item {
    PutInPlace put_in_place;
    Result<void> result;
  };
  using Batch = net::BatchQueue<Item>::Batch;

  Task<void> carry_out(Batch batch);

  net::Loop& loop_;
  net::FileSystem file_system_;
  net::BatchQueue<Item> queue_;
};

}  // namespace imgcached::images
