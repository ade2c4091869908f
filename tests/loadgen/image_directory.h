// A directory of files for a test, gone with it.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace imgcached::loadgen {

class ImageDirectory {
 public:
  ImageDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "imgcached-XXXXXX";
    REQUIRE(::mkdtemp(name.data()));
    path_ = name;
  }
  ImageDirectory(const ImageDirectory&) = delete;
  ImageDirectory& operator=(const ImageDirectory&) = delete;
  ~ImageDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }

  // Files without a name are numbered.
  void add(std::string_view bytes, std::string name = {}) {
    if (name.empty()) name = "file-" + std::to_string(++files_);
    std::ofstream file(path_ + "/" + name, std::ios::binary);
    file << bytes;
    REQUIRE(file.flush());
  }

 private:
  std::string path_;
  int files_ = 0;
};

}  // namespace imgcached::loadgen
