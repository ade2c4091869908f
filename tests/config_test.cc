#include "config.h"

#include <doctest/doctest.h>

namespace imgcached {
namespace {

// Below 512 descriptors both servers together used to be given all of them.
TEST_CASE("the connections of both servers and their uploads fit into the descriptors") {
  CHECK(connections_within(0) == 0);
  CHECK(connections_within(descriptors_min - 1) == 0);
  CHECK(connections_within(descriptors_min) == 16);
  for (std::uint64_t descriptors = descriptors_min; descriptors < 5'000; ++descriptors) {
    CAPTURE(descriptors);
    CHECK(3 * connections_within(descriptors) + 256 <= descriptors);
    CHECK(connections_within(descriptors) >= connections_within(descriptors - 1));
  }
  CHECK(connections_within(65'536) > 16'384);
  CHECK(connections_within(~std::uint64_t{0}) > 16'384);  // RLIM_INFINITY
}

}  // namespace
}  // namespace imgcached
