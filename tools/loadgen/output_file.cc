#include "tools/loadgen/output_file.h"

#include <cerrno>
#include <fstream>
#include <system_error>

#include "net/file.h"

namespace imgcached::loadgen {

Result<void> write_output_file(const std::string& path, std::string_view bytes) {
  const std::string unfinished = path + ".unfinished";
  // Not net::File: that is for a server's private files, these are for everybody to read.
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) {
    return Error{Errc::storage_failed,
                 "write " + unfinished + ": " + std::generic_category().message(errno)};
  }
  return net::rename_file(unfinished, path);
}

}  // namespace imgcached::loadgen
