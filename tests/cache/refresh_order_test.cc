#include "cache/refresh_order.h"

#include <doctest/doctest.h>

namespace imgcached::cache {
namespace {

TEST_CASE("of reads that overlap, one that began earlier never replaces a later one") {
  RefreshOrder order;
  const std::uint64_t first = order.begin();
  const std::uint64_t second = order.begin();
  CHECK(order.applies(second));
  CHECK_FALSE(order.applies(first));
}

TEST_CASE("reads that end in order all apply, and a failed one stands in nobody's way") {
  RefreshOrder order;
  const std::uint64_t first = order.begin();
  const std::uint64_t second = order.begin();
  const std::uint64_t failed = order.begin();
  CHECK(failed > second);
  CHECK(order.applies(first));
  CHECK(order.applies(second));
  CHECK(order.applies(order.begin()));
}

}  // namespace
}  // namespace imgcached::cache
