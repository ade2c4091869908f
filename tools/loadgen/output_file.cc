#include "tools/loadgen/output_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "net/file.h"

namespace imgcached::loadgen {

namespace {

std::string unfinished_path(const std::string& path) { return path + ".unfinished"; }

Error system_error(std::string_view what, const std::string& path) {
  return Error{Errc::storage_failed,
               std::string(what) + " " + path + ": " + std::generic_category().message(errno)};
}

// Not net::File: that is for a server's private files, these are for everybody to read.
Result<void> write_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return system_error("write", path);
  return {};
}

}  // namespace

Result<void> write_output_file(const std::string& path, std::string_view bytes) {
  Result<void> written = write_file(unfinished_path(path), bytes);
  if (!written) return written;
  return net::rename_file(unfinished_path(path), path);
}

Result<void> try_output_file(const std::string& path) {
  Result<void> written = write_file(unfinished_path(path), {});
  if (!written) return written;
  return net::remove_file(unfinished_path(path));
}

Result<void> make_output_directory(const std::string& path) {
  return net::make_directory(path, 0777);
}

}  // namespace imgcached::loadgen
