// Numbers, percentages and durations as they are typed.
#include "tools/loadgen/quantity.h"

#include <doctest/doctest.h>

namespace imgcached::loadgen {
namespace {

template <class T>
std::string refusal(const Result<T>& result) {
  return result ? "accepted" : result.error().message;
}

TEST_CASE("quantity: counts") {
  CHECK(*parse_count("1", 1, 10) == 1);
  CHECK(*parse_count("10", 1, 10) == 10);
  CHECK(*parse_count("18446744073709551615", 0, UINT64_MAX) == UINT64_MAX);
  for (const std::string text :
       {"", "0", "11", "-1", "+1", "1.0", "1e1", " 1", "1 ", "1k", "18446744073709551616"}) {
    CHECK(refusal(parse_count(text, 1, 10)) == "\"" + text + "\" is no whole number from 1 to 10");
  }
}

TEST_CASE("quantity: numbers and percentages") {
  CHECK(*parse_number_between("0.25", 0, 1) == 0.25);
  CHECK(*parse_percent("80") == 80);
  CHECK(*parse_percent("0.1%") == 0.1);
  CHECK(*parse_percent("100") == 100);
  CHECK(*parse_percent("0") == 0);
  for (const std::string text : {"", "%", "-1", "100.1", "nan", "inf", "80 %", "80%%", "all"}) {
    CHECK(refusal(parse_percent(text)) == "\"" + text + "\" is no percentage from 0 to 100");
    CHECK(refusal(parse_number_between(text, 0, 1)) == "\"" + text + "\" is no number from 0 to 1");
  }
}

TEST_CASE("quantity: durations") {
  CHECK(*parse_duration_ns("7ns") == 7);
  CHECK(*parse_duration_ns("7us") == 7e3);
  CHECK(*parse_duration_ns("1.5ms") == 1.5e6);
  CHECK(*parse_duration_ns("2s") == 2e9);
  CHECK(*parse_duration_ns("5m") == 300e9);
  CHECK(*parse_duration_ns("24h") == 86'400e9);
  CHECK(*parse_duration_ns("0") == 0);
  CHECK(*parse_duration_ns("0s") == 0);
  for (const std::string text :
       {"", "s", "ms", "-1s", "1.2.3s", "1 s", "1sec", "1S", "s1", "1s1", "inf"}) {
    CHECK(refusal(parse_duration_ns(text)) ==
          "\"" + text + "\" is no duration: write 500ms, 30s or 5m");
  }
  CHECK(refusal(parse_duration_ns("30")) == "\"30\" has no unit: write 30s or 30ms");
  CHECK(refusal(parse_duration_ns("25h")) == "\"25h\" is longer than a day");

  CHECK(*parse_duration_ms("1500us", 1, 10) == 2);  // to the nearest
  CHECK(refusal(parse_duration_ms("1m", 100, 30'000)) == "\"1m\" is not from 100ms to 30s");
  CHECK(refusal(parse_duration_ms("99ms", 100, 30'000)) == "\"99ms\" is not from 100ms to 30s");
}

}  // namespace
}  // namespace imgcached::loadgen
