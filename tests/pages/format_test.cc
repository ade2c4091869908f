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

TEST_CASE("a message becomes a sentence") {
  CHECK(sentence("the key is empty") == "The key is empty.");
  CHECK(sentence("Ends already.") == "Ends already.");
  CHECK(sentence("`limit` is wrong") == "`limit` is wrong.");
  CHECK(sentence("").empty());
}

}  // namespace
}  // namespace imgcached::pages
