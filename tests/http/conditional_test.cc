#include "http/conditional.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <ctime>

#include "base/random.h"

namespace imgcached::http {
namespace {

constexpr std::string_view etag = "\"abc\"";

TEST_CASE("If-None-Match finds the etag alone, in a list, weak, or by a star") {
  for (const char* header :
       {"\"abc\"", " \"abc\" ", "W/\"abc\"", "*", " * ", "\"x\", \"abc\"", "\"x\",W/\"abc\",\"y\"",
        "\"a,b\", \"abc\"", ",, \"abc\"", "\"\" , \"abc\""}) {
    CAPTURE(header);
    CHECK(if_none_match(header, etag));
  }
}

TEST_CASE("If-None-Match with other or malformed tags matches nothing") {
  for (const char* header :
       {"", " ", ",", "\"abcd\"", "\"ab\"", "abc", "\"abc", "w/\"abc\"", "W/abc", "\"x\" \"abc\"",
        "x, \"abc\"", "\"x\", *", "\"x, \"abc\"", "\"ABC\""}) {
    CAPTURE(header);
    CHECK_FALSE(if_none_match(header, etag));
  }
}

TEST_CASE("If-Match is like it, but a weak tag matches nothing") {
  for (const char* header : {"\"abc\"", "*", "\"x\", \"abc\"", "W/\"x\", \"abc\""}) {
    CAPTURE(header);
    CHECK(if_match(header, etag));
  }
  for (const char* header : {"", "W/\"abc\"", "\"x\"", "abc", "\"x\", W/\"abc\""}) {
    CAPTURE(header);
    CHECK_FALSE(if_match(header, etag));
  }
}

TEST_CASE("a change may be conditional on what is there, or on there being nothing") {
  const auto holds = [](const char* name, const char* value, bool is_there) {
    Headers headers;
    headers.add(name, value);
    CHECK(has_precondition(headers));
    return precondition_holds(headers, is_there ? std::optional(etag) : std::nullopt);
  };
  CHECK(holds("If-Match", "\"abc\"", true));
  CHECK(holds("If-Match", "*", true));
  CHECK_FALSE(holds("If-Match", "\"x\"", true));
  CHECK_FALSE(holds("If-Match", "*", false));
  CHECK_FALSE(holds("If-Match", "\"abc\"", false));
  CHECK(holds("If-None-Match", "*", false));
  CHECK_FALSE(holds("If-None-Match", "*", true));
  CHECK_FALSE(holds("If-None-Match", "W/\"abc\"", true));
  CHECK(holds("If-None-Match", "\"x\"", true));
  Headers none;
  CHECK_FALSE(has_precondition(none));
  CHECK(precondition_holds(none, etag));
  Headers both;
  both.add("If-Match", "\"x\"");
  both.add("If-Match", "\"abc\"");
  CHECK(precondition_holds(both, etag));
  both.add("If-None-Match", "*");
  CHECK_FALSE(precondition_holds(both, etag));
}

TEST_CASE("If-Range holds only for the very same strong etag") {
  CHECK(if_range("\"abc\"", etag));
  CHECK(if_range(" \"abc\" ", etag));
  for (const char* header :
       {"", "W/\"abc\"", "\"abd\"", "\"x\", \"abc\"", "*", "Sun, 06 Nov 1994 08:49:37 GMT"}) {
    CAPTURE(header);
    CHECK_FALSE(if_range(header, etag));
  }
  CHECK_FALSE(if_range("W/\"abc\"", "W/\"abc\""));
}

constexpr Range whole{};
constexpr Range unsatisfiable{Range::Kind::unsatisfiable, 0, 0};
constexpr Range part(std::uint64_t first, std::uint64_t length) {
  return {Range::Kind::partial, first, length};
}

TEST_CASE("a single range selects its bytes") {
  CHECK(resolve_range("bytes=0-0", 10) == part(0, 1));
  CHECK(resolve_range("bytes=2-5", 10) == part(2, 4));
  CHECK(resolve_range("bytes=2-", 10) == part(2, 8));
  CHECK(resolve_range("bytes=0-9", 10) == part(0, 10));
  CHECK(resolve_range("bytes=9-9", 10) == part(9, 1));
  CHECK(resolve_range("bytes=-3", 10) == part(7, 3));
  CHECK(resolve_range(" BYTES=2-5 ", 10) == part(2, 4));
}

TEST_CASE("a list with one range in it is that range") {
  for (const char* header : {"bytes=2-5,", "bytes=,2-5", "bytes=, ,2-5 , ,", "bytes= 2-5"}) {
    CAPTURE(header);
    CHECK(resolve_range(header, 10) == part(2, 4));
  }
}

TEST_CASE("a range that reaches beyond the end is cut there") {
  CHECK(resolve_range("bytes=2-10", 10) == part(2, 8));
  CHECK(resolve_range("bytes=2-99999999999999999999999", 10) == part(2, 8));
  CHECK(resolve_range("bytes=-11", 10) == part(0, 10));
  CHECK(resolve_range("bytes=-99999999999999999999999", 10) == part(0, 10));
}

TEST_CASE("a range without a byte of the representation is unsatisfiable") {
  CHECK(resolve_range("bytes=10-", 10) == unsatisfiable);
  CHECK(resolve_range("bytes=10-20", 10) == unsatisfiable);
  CHECK(resolve_range("bytes=99999999999999999999-", 10) == unsatisfiable);
  CHECK(resolve_range("bytes=-0", 10) == unsatisfiable);
  CHECK(resolve_range("bytes=0-", 0) == unsatisfiable);
}

TEST_CASE("several ranges, other units and bad syntax are ignored") {
  for (const char* header :
       {"",           "bytes",     "bytes=",        "bytes=-",      "bytes=a-b",
        "bytes=1",    "bytes=5-2", "bytes=0-1,3-4", "bytes=0-1,-1", "bytes=+1-2",
        "bytes=1--2", "bytes=--2", "bytes=1-2x",    "bytes=0x1-2",  "bytes=,",
        "items=0-1",  "byte=0-1",  "=0-1",          "bytes=1 -2",   "0-1"}) {
    CAPTURE(header);
    CHECK(resolve_range(header, 10) == whole);
  }
  CHECK(resolve_range("bytes=-5", 0) == whole);
}

TEST_CASE("every small range agrees with counting the bytes") {
  for (std::uint64_t size = 0; size < 6; ++size) {
    for (std::uint64_t first = 0; first < 8; ++first) {
      for (std::uint64_t last = first; last < 8; ++last) {
        std::uint64_t count = 0;
        for (std::uint64_t i = 0; i < size; ++i) count += i >= first && i <= last;
        const auto header = "bytes=" + std::to_string(first) + "-" + std::to_string(last);
        CAPTURE(header);
        CAPTURE(size);
        CHECK(resolve_range(header, size) == (count > 0 ? part(first, count) : unsatisfiable));
      }
    }
  }
}

TEST_CASE("dates are written as HTTP wants them") {
  CHECK(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(-1) == "Wed, 31 Dec 1969 23:59:59 GMT");
  CHECK(http_date(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(http_date(253402300799) == "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST_CASE("dates agree with the C library at random times") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  for (int round = 0; round < 10'000; ++round) {
    const std::time_t time = static_cast<std::time_t>(random.below(253402300800));
    std::tm tm{};
    gmtime_r(&time, &tm);
    char expected[64];
    std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    REQUIRE(http_date(time) == expected);
  }
}

}  // namespace
}  // namespace imgcached::http
