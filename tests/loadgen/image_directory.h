// A directory of files for a test, gone with it.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <string_view>

#include "tests/e2e/fixture.h"

namespace imgcached::loadgen {

class ImageDirectory : public e2e::ScratchDirectory {
 public:
  // Files without a name are numbered.
  void add(std::string_view bytes, std::string name = {}) {
    if (name.empty()) name = "file-" + std::to_string(++files_);
    std::ofstream file(path() + "/" + name, std::ios::binary);
    file << bytes;
    REQUIRE(file.flush());
  }

 private:
  int files_ = 0;
};

}  // namespace imgcached::loadgen
