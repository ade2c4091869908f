// What lies in an image directory.
#pragma once

#include <filesystem>
#include <set>
#include <string>

namespace imgcached::images {

// Images and unfinished uploads; what lies beside their directories is neither.
inline std::set<std::string> stored_files(const std::string& root) {
  namespace fs = std::filesystem;
  std::set<std::string> found;
  fs::recursive_directory_iterator entry(root);
  for (; entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->is_regular_file() && entry.depth() > 0) found.insert(fs::relative(*entry, root));
  }
  return found;
}

}  // namespace imgcached::images
