#include "net/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace imgcached::net {
namespace {

Error system_error(std::string_view operation, const std::string& path) {
  const int number = errno;
  Errc code = Errc::storage_failed;
  if (number == ENOSPC || number == EDQUOT || number == EFBIG) code = Errc::storage_full;
  if (number == ENOENT) code = Errc::not_found;
  if (number == EWOULDBLOCK) code = Errc::unavailable;
  return Error{
      code, std::string(operation) + " " + path + ": " + std::generic_category().message(number)};
}

// Repeats a system call that a signal interrupted.
template <class SystemCall>
auto uninterrupted(SystemCall system_call) {
  decltype(system_call()) result;
  do { result = system_call(); } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

Result<File> File::create(const std::string& path) {
  const int fd = uninterrupted(
      [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); });
  if (fd < 0) return system_error("create", path);
  return File(fd, path);
}

Result<File> File::open_directory(const std::string& path) {
  const int fd =
      uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) return system_error("open", path);
  return File(fd, path);
}

Result<void> File::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = uninterrupted([&] { return ::write(fd_, bytes.data(), bytes.size()); });
    if (written < 0) return system_error("write", path_);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> File::sync() {
  if (uninterrupted([&] { return ::fdatasync(fd_); }) < 0) return system_error("fdatasync", path_);
  return {};
}

Result<void> File::sync_file_system() {
  if (uninterrupted([&] { return ::syncfs(fd_); }) < 0) return system_error("syncfs", path_);
  return {};
}

// A descriptor is gone even if a signal interrupted that.
Result<void> File::close() {
  if (fd_ < 0) return {};
  if (::close(std::exchange(fd_, -1)) < 0 && errno != EINTR) return system_error("close", path_);
  return {};
}

Result<Blob> read_file(const std::string& path, std::size_t bytes_max) {
  // A pipe in its place would keep us waiting for a writer.
  const int fd =
      uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); });
  if (fd < 0) return system_error("open", path);
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } closer{fd};

  struct stat status;
  if (::fstat(fd, &status) < 0) return system_error("stat", path);
  if (!S_ISREG(status.st_mode)) return Error{Errc::data_lost, path + " is no regular file"};
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > bytes_max) {
    return Error{Errc::too_large, path + " has " + std::to_string(size) + " bytes; the limit is " +
                                      std::to_string(bytes_max)};
  }
  BlobBuffer buffer(size);
  for (std::size_t filled = 0; filled < size;) {
    const ssize_t count =
        uninterrupted([&] { return ::read(fd, buffer.data() + filled, size - filled); });
    if (count < 0) return system_error("read", path);
    if (count == 0) return Error{Errc::storage_failed, path + " became shorter while it was read"};
    filled += static_cast<std::size_t>(count);
  }
  return std::move(buffer).seal();
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) < 0) return system_error("rename to", to);
  return {};
}

Result<void> sync_directory(const std::string& path) {
  const int fd =
      uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) return system_error("open", path);
  const int status = uninterrupted([&] { return ::fsync(fd); });
  Result<void> result;
  if (status < 0) result = system_error("fsync", path);
  ::close(fd);
  return result;
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) return system_error("remove", path);
  return {};
}

Result<void> make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return {};
  struct stat status;
  const int reason = errno;
  if (reason == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
  errno = reason;
  return system_error("make directory", path);
}

Result<std::string> read_first_line(const std::string& path) {
  constexpr std::size_t file_bytes_max = 64 << 10;
  constexpr std::size_t line_bytes_max = 1'023;
  const Result<Blob> file = read_file(path, file_bytes_max);
  if (!file) return Error{Errc::invalid_argument, file.error().message};
  const std::string_view line = file->view().substr(0, file->view().find('\n'));
  if (file->empty() || line.size() > line_bytes_max) {
    return Error{Errc::invalid_argument, "there is no line of up to 1,023 bytes in " + path};
  }
  return std::string(line);
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  struct Closer {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  const std::unique_ptr<DIR, Closer> directory(::opendir(path.c_str()));
  if (!directory) return system_error("open directory", path);
  std::vector<std::string> names;
  while (true) {
    errno = 0;  // which alone tells an error from the end
    const dirent* entry = ::readdir(directory.get());
    if (!entry) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return system_error("read directory", path);
  return names;
}

Result<File> File::lock(const std::string& path) {
  const int fd =
      uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); });
  if (fd < 0) return system_error("open", path);
  if (uninterrupted([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) < 0) {
    const Error error = system_error("lock", path);
    ::close(fd);
    return error;
  }
  struct stat status;
  if (::fstat(fd, &status) == 0 && status.st_nlink == 0) {
    ::close(fd);  // whoever held it has removed it: the next one's is another file
    return Error{Errc::unavailable, "lock " + path + ": it was removed meanwhile"};
  }
  return File(fd, path);
}

}  // namespace imgcached::net
