// StorageProbe: whether images could be written now, however many ask.
//
// A probe writes and syncs a file, so callers share: one probe runs at a time, and
// one begins every interval_ms at most. Each caller is answered by a probe that
// began after it asked; what was true before that is no answer.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/shared_result.h"
#include "base/task.h"
#include "images/blob_store.h"
#include "net/loop.h"
#include "net/timer.h"

namespace imgcached::images {

class StorageProbe {
 public:
  StorageProbe(net::Loop& loop, BlobStore& blobs, std::uint64_t interval_ms = 100);

  // Errors: those of BlobStore::probe().
  Task<Result<void>> run();

 private:
  using Outcome = SharedResult<Result<void>>;

  BlobStore& blobs_;
  const std::uint64_t interval_ms_;
  std::uint64_t next_begin_ms_ = 0;  // monotonic
  Outcome* current_ = nullptr;       // of the probe that runs
  Outcome* next_ = nullptr;          // of the one that somebody waits to begin
  net::Timer pause_;                 // before the next one; one waiter
};

}  // namespace imgcached::images
