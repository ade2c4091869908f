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

TEST_CASE("the monotonic clock says the same in nanoseconds") {
  const std::uint64_t before_ms = monotonic_ms();
  const std::uint64_t between_ns = monotonic_ns();
  const std::uint64_t after_ms = monotonic_ms();
  CHECK(between_ns / 1'000'000 >= before_ms);
  CHECK(between_ns / 1'000'000 <= after_ms);
}

TEST_CASE("the wall clock counts milliseconds since 1970") {
  CHECK(unix_ms() > 1'700'000'000'000);
  CHECK(unix_ms() < 100'000'000'000'000);
}

}  // namespace
}  // namespace imgcached
