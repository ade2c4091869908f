// Figures as they are told, in tables and in sentences.
#include "tools/loadgen/figure_text.h"

#include <doctest/doctest.h>

#include "tools/loadgen/quantity.h"

namespace imgcached::loadgen {
namespace {

TEST_CASE("figure text: three significant digits in a table") {
  CHECK(milliseconds_text(0) == "0.000");
  CHECK(milliseconds_text(12'345) == "0.012");
  CHECK(milliseconds_text(999'400) == "0.999");
  CHECK(milliseconds_text(999'900) == "1.00");
  CHECK(milliseconds_text(9'996'000) == "10.0");
  CHECK(milliseconds_text(45'678'000) == "45.7");
  CHECK(milliseconds_text(1.2345e10) == "12345");
  CHECK(bytes_text(512) == "512 B");
  CHECK(bytes_text(15 * 1024) == "15.0 KiB");
  CHECK(bytes_text(1.5 * (1 << 30)) == "1.50 GiB");
  CHECK(percent_text(0) == "0 %");
  CHECK(percent_text(0.832) == "83.2 %");
  CHECK(percent_text(0.000021) == "0.0021 %");
}

TEST_CASE("figure text: a duration's text reads back as the same") {
  CHECK(duration_text(0) == "0s");
  CHECK(duration_text(500) == "500ms");
  CHECK(duration_text(1'000) == "1s");
  CHECK(duration_text(1'500) == "1500ms");
  CHECK(duration_text(90'000) == "90s");
  CHECK(duration_text(300'000) == "5m");
  CHECK(duration_text(86'400'000) == "24h");
  for (const std::uint64_t ms : {0, 1, 999, 1'000, 60'000, 61'001, 3'600'000}) {
    CHECK(*parse_duration_ms(duration_text(ms), 0, 86'400'000) == ms);
  }
}

TEST_CASE("figure text: significant digits") {
  CHECK(digits_text(0) == "0");
  CHECK(digits_text(34.123) == "34.1");
  CHECK(digits_text(20) == "20");
  CHECK(digits_text(0.5) == "0.5");
  CHECK(digits_text(0.012345) == "0.0123");
  CHECK(digits_text(12'345) == "12345");
  CHECK(digits_text(9.999) == "10");
  CHECK(digits_text(20.001, 6) == "20.001");
}

TEST_CASE("figure text: times in the unit that suits them") {
  CHECK(time_text(0) == "0 ns");
  CHECK(time_text(999) == "999 ns");
  CHECK(time_text(1'000) == "1 µs");
  CHECK(time_text(34'123'456) == "34.1 ms");
  CHECK(time_text(999'400'000) == "999 ms");
  CHECK(time_text(999'600'000) == "1 s");
  CHECK(time_text(90e9) == "90 s");
}

}  // namespace
}  // namespace imgcached::loadgen
