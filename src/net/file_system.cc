#include "net/file_system.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <tuple>

namespace imgcached::net {
namespace {

// The type of the file system that the directory is on; empty when it can't be told, as
// for one that does not show its device number (btrfs).
std::string type_of_file_system(const std::string& directory) {
  struct stat status;
  if (::stat(directory.c_str(), &status) < 0) return {};
  const std::string device =
      std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
  std::ifstream mounts("/proc/self/mountinfo");
  // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext4 /dev/root rw   (proc(5))
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string id, parent, mounted, type;
    fields >> id >> parent >> mounted;
    const std::size_t separator = line.find(" - ");
    if (mounted != device || separator == std::string::npos) continue;
    std::istringstream(line.substr(separator + 3)) >> type;
    return type;
  }
  return {};
}

}  // namespace

bool is_sync_reliable(std::string_view kernel_release, std::string_view file_system_type) {
  constexpr auto first_release = std::make_tuple(5, 17);
  int major_number = 0, minor_number = 0;
  const char* end = kernel_release.data() + kernel_release.size();
  const auto dot = std::from_chars(kernel_release.data(), end, major_number);
  if (dot.ec != std::errc() || dot.ptr == end || *dot.ptr != '.') return false;
  if (std::from_chars(dot.ptr + 1, end, minor_number).ec != std::errc()) return false;
  const bool is_recent = std::make_tuple(major_number, minor_number) >= first_release;
  return is_recent && (file_system_type == "ext4" || file_system_type == "xfs");
}

std::optional<FileSystem> FileSystem::open_if_reliable(const std::string& directory) {
  utsname system;
  if (::uname(&system) < 0) return std::nullopt;
  if (!is_sync_reliable(system.release, type_of_file_system(directory))) return std::nullopt;
  Result<File> opened = File::open_directory(directory);
  if (!opened) return std::nullopt;
  FileSystem file_system(std::move(*opened));
  Result<void> synced = file_system.sync();
  if (!synced) return std::nullopt;
  return file_system;
}

Result<void> FileSystem::sync() { return directory_.sync_file_system(); }

}  // namespace imgcached::net
