// A process without a descriptor to spare.
#pragma once

#include <doctest/doctest.h>
#include <sys/resource.h>

namespace imgcached::test {

// For as long as it lives, no descriptor can be opened.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &former_) == 0);
    const rlimit none{0, former_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &former_); }

 private:
  rlimit former_{};
};

}  // namespace imgcached::test
