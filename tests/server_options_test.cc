#include "server_options.h"

#include <doctest/doctest.h>

namespace imgcached {
namespace {

TEST_CASE("servers that share a port share the limits, but for the largest body") {
  Config config;
  config.max_upload_bytes = 10 << 20;
  const http::ServerLimits one = server_options(config, "backend", 1'000, 1).limits;
  CHECK(one.connections_max == 1'000);
  CHECK(one.body_bytes_in_flight_max == 512 << 20);
  CHECK(one.answer_bytes_in_flight_max == 512 << 20);
  const http::ServerLimits four = server_options(config, "backend", 1'000, 4).limits;
  CHECK(four.connections_max == 250);
  CHECK(four.refusals_max == one.refusals_max / 4);
  CHECK(four.body_bytes_in_flight_max == 128 << 20);
  CHECK(four.answer_bytes_in_flight_max == 128 << 20);
  const http::ServerLimits many = server_options(config, "backend", 1'000, 32).limits;
  CHECK(many.refusals_max >= 1);
  CHECK(many.body_bytes_in_flight_max == 20 << 20);
  CHECK(many.answer_bytes_in_flight_max == 20 << 20);
}

}  // namespace
}  // namespace imgcached
