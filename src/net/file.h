// Files: blocking system calls with Results, for the jobs of offload().
//
// Nothing here waits for a loop and nothing here runs on one: an open, a stat,
// a read and a close belong into one trip to the thread pool. Errors carry the
// path and the system's reason; ENOSPC, EDQUOT and EFBIG are storage_full, ENOENT is
// not_found, a lock that is held unavailable, what is no file where one is read
// data_lost, anything else storage_failed.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/blob.h"
#include "base/result.h"

namespace imgcached::net {

// An open file, closed when it goes.
class File {
 public:
  // Creates a file for writing. REQUIRES (checked): nothing has that name.
  static Result<File> create(const std::string& path);
  // Takes an exclusive advisory lock on the file, created if need be, for as
  // long as the File lives. Error unavailable: somebody else holds it.
  static Result<File> lock(const std::string& path);
  // A directory, for sync_file_system().
  static Result<File> open_directory(const std::string& path);

  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    return *this;
  }
  ~File() { static_cast<void>(close()); }

  // Appends all of `bytes`.
  Result<void> write(std::string_view bytes);
  // Returns when what was written would survive a power cut (fdatasync; the
  // name needs sync_directory as well).
  Result<void> sync();
  // The same for all that is on its file system, names included (syncfs); see FileSystem.
  Result<void> sync_file_system();
  // Closes it, once, whatever the result. An error means that what was written
  // may be lost: some file systems tell of that only now.
  Result<void> close();

 private:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::string path_;
};

// The whole file: open, stat, read and close. Errors: too_large when it is
// over bytes_max; storage_failed when it shrinks meanwhile.
Result<Blob> read_file(const std::string& path, std::size_t bytes_max);

Result<void> rename_file(const std::string& from, const std::string& to);
// Makes creations, renames and removals in `path` survive a power cut.
Result<void> sync_directory(const std::string& path);
// No error when there is no such file.
Result<void> remove_file(const std::string& path);
// Creates the directory unless it is there; its parent must exist. For us alone, unless
// `mode` says otherwise.
Result<void> make_directory(const std::string& path, mode_t mode = 0700);
// Without its end of line: what is kept in a file of its own, such as a password. Error
// invalid_argument: there is no such line, or one of over 1,023 bytes.
Result<std::string> read_first_line(const std::string& path);
// The names in a directory, without . and .., unsorted.
Result<std::vector<std::string>> list_directory(const std::string& path);

}  // namespace imgcached::net
