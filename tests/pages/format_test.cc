#include "pages/format.h"

#include <doctest/doctest.h>

namespace imgcached::pages {
namespace {

TEST_CASE("bytes are written in the unit that suits them") {
  CHECK(bytes_in_words(0) == "0 B");
  CHECK(bytes_in_words(1023) == "1023 B");
  CHECK(bytes_in_words(1024) == "1.0 KB");
  CHECK(bytes_in_words(15'155) == "14.8 KB");
  CHECK(bytes_in_words(1'048'575) == "1.0 MB");
  CHECK(bytes_in_words(1'048'576) == "1.0 MB");
  CHECK(bytes_in_words(3ull << 40) == "3.0 TB");
}

TEST_CASE("long numbers are grouped by thousands") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(1'234'567) == "1,234,567");
}

TEST_CASE("times are in UTC") {
  CHECK(utc_time(0) == "1970-01-01 00:00:00");
  CHECK(utc_time(1'769'850'307'999) == "2026-01-31 09:05:07");
}

TEST_CASE("a time of day is that of UTC") {
  CHECK(utc_clock(0) == "00:00:00");
  CHECK(utc_clock(1'769'850'307'999) == "09:05:07");
}

TEST_CASE("a rate has one decimal, and its thousands are grouped") {
  CHECK(rate_in_words(0) == "0.0");
  CHECK(rate_in_words(0.25) == "0.3");
  CHECK(rate_in_words(9.99) == "10.0");
  CHECK(rate_in_words(25'136.44) == "25,136.4");
}

TEST_CASE("a time for machines says that it is in UTC") {
  CHECK(machine_time(1'769'850'307'999) == "2026-01-31T09:05:07Z");
}

TEST_CASE("how long ago something was is told in its largest unit") {
  constexpr std::int64_t now = 1'769'850'307'999;
  const auto ago = [&](std::int64_t seconds) { return ago_in_words(now - seconds * 1000, now); };
  CHECK(ago(-5) == "just now");
  CHECK(ago(0) == "just now");
  CHECK(ago(59) == "just now");
  CHECK(ago(60) == "1 minute ago");
  CHECK(ago(119) == "1 minute ago");
  CHECK(ago(3599) == "59 minutes ago");
  CHECK(ago(3600) == "1 hour ago");
  CHECK(ago(2 * 86'400 - 1) == "1 day ago");
  CHECK(ago(364 * 86'400) == "364 days ago");
  CHECK(ago(800 * 86'400) == "2 years ago");
}

TEST_CASE("how long something took has about three digits") {
  CHECK(duration_in_words(0) == "0.00 ms");
  CHECK(duration_in_words(81'234) == "0.08 ms");
  CHECK(duration_in_words(9'994'999) == "9.99 ms");
  CHECK(duration_in_words(9'995'001) == "10.0 ms");
  CHECK(duration_in_words(999'949'999) == "999.9 ms");
  CHECK(duration_in_words(999'950'000) == "1.00 s");
  CHECK(duration_in_words(61'500'000'000) == "61.50 s");
}

TEST_CASE("a message becomes a sentence") {
  CHECK(sentence("the key is empty") == "The key is empty.");
  CHECK(sentence("Ends already.") == "Ends already.");
  CHECK(sentence("`limit` is wrong") == "`limit` is wrong.");
  CHECK(sentence("").empty());
}

}  // namespace
}  // namespace imgcached::pages
