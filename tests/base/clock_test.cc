#include "base/clock.h"

#include <doctest/doctest.h>

namespace imgcached {
namespace {

TEST_CASE("the monotonic clock never goes back") {
  std::uint64_t last = monotonic_ms();
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t now = monotonic_ms();
    CHECK(now >= last);
    last = now;
  }
}

TEST_CASE("the wall clock counts milliseconds since 1970") {
  CHECK(unix_ms() > 1'700'000'000'000);
  CHECK(unix_ms() < 100'000'000'000'000);
}

}  // namespace
}  // namespace imgcached
