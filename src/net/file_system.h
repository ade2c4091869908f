// FileSystem: one file system, all of which is made durable at once (syncfs).
//
// A journal's commit and the flush of a disk's cache cost the same for one file as for
// a hundred, names included; syncfs(2) is one of each. It also writes what others have
// written to the same file system, so it takes as long as that does.
//
// It is relied upon only where an error can't get lost:
//  * Linux 5.17 or later. Since 5.8 syncfs reports data that could not be written back,
//    once for each descriptor (commit 735e4ae5ba28, "vfs: track per-sb writeback errors
//    and report them to syncfs"); since 5.17 also what the file system itself says, such
//    as of its journal (commit 5679897eb104, "vfs: make sync_filesystem return errors
//    from ->sync_fs"; fstests generic/546).
//  * ext4 and XFS, whose sync_fs commits the journal and flushes the disk's cache. ext2
//    does not flush, tmpfs and network file systems each do something else.
//  * A first call works: a container may forbid it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "net/file.h"

namespace imgcached::net {

class FileSystem {
 public:
  // The one that the directory is on; nothing where sync() can't be relied upon.
  static std::optional<FileSystem> open_if_reliable(const std::string& directory);

  // Returns when all that was written, and every name that was given, would survive a
  // power cut. Tells, once, of every write that failed since the last call, whosever it
  // was: so what was written before the last call wants a File::sync(). One call at a time. Errors:
  // storage_*.
  Result<void> sync();

 private:
  explicit FileSystem(File directory) : directory_(std::move(directory)) {}

  File directory_;  // open throughout: errors count from when it was opened
};

// What open_if_reliable() goes by. A release is what uname(2) says, such as
// 6.1.0-13-amd64, a type what mountinfo says, such as ext4.
bool is_sync_reliable(std::string_view kernel_release, std::string_view file_system_type);

}  // namespace imgcached::net
