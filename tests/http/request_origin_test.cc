#include "http/request_origin.h"

#include <doctest/doctest.h>

namespace imgcached::http {
namespace {

bool is_cross(std::string_view authority, std::initializer_list<Headers::Field> fields) {
  Headers headers;
  for (const auto& [name, value] : fields) headers.add(name, value);
  return is_cross_origin(headers, authority);
}

TEST_CASE("programs, which say nothing of pages, are no other site") {
  CHECK_FALSE(is_cross("localhost:5000", {}));
  CHECK_FALSE(is_cross("", {}));
  CHECK_FALSE(is_cross("localhost:5000", {{"Referer", "http://evil.example/"}}));
}

TEST_CASE("Sec-Fetch-Site decides where there is one") {
  const Headers::Field other{"Origin", "http://evil.example"};
  const Headers::Field ours{"Origin", "http://localhost:5000"};
  for (const char* site : {"same-origin", "none"}) {
    CHECK_FALSE(is_cross("localhost:5000", {{"Sec-Fetch-Site", site}}));
    CHECK_FALSE(is_cross("localhost:5000", {{"sec-fetch-site", site}, other}));  // behind a proxy
  }
  for (const char* site : {"cross-site", "same-site", "", "Same-Origin", "same-origin, none"}) {
    CAPTURE(site);
    CHECK(is_cross("localhost:5000", {{"Sec-Fetch-Site", site}, ours}));
  }
  CHECK(is_cross("localhost:5000",
                 {{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "cross-site"}}));
}

TEST_CASE("else an Origin must be that of the host asked for") {
  struct Case {
    const char *authority, *origin;
  };
  for (const auto& [authority, origin] :
       {Case{"localhost:5000", "http://localhost:5000"},
        Case{"LocalHost:5000", "http://localhost:5000"}, Case{"[::1]:5000", "http://[::1]:5000"},
        Case{"example.com", "http://example.com"}, Case{"example.com", "https://example.com"},
        Case{"example.com:80", "http://example.com"},
        Case{"example.com:443", "https://example.com"},
        Case{"example.com", "http://example.com:80"}}) {
    CAPTURE(origin);
    CHECK_FALSE(is_cross(authority, {{"Origin", origin}}));
  }
  for (const auto& [authority, origin] :
       {Case{"localhost:5000", "null"}, Case{"localhost:5000", ""},
        Case{"localhost:5000", "http://localhost"}, Case{"localhost:5000", "http://localhost:5001"},
        Case{"localhost:5000", "http://localhost:5000.evil.example"},
        Case{"localhost:5000", "http://evil.example:5000"},
        Case{"localhost:5000", "http://localhost:5000, http://evil.example"},
        Case{"localhost:5000", "file://localhost:5000"}, Case{"localhost:5000", "localhost:5000"},
        Case{"localhost:5000", "http://localhost:5000/"}, Case{"", "http://localhost:5000"},
        Case{"example.com:443", "http://example.com"}}) {
    CAPTURE(origin);
    CHECK(is_cross(authority, {{"Origin", origin}}));
  }
  CHECK(is_cross("x", {{"Origin", "http://x"}, {"Origin", "http://evil.example"}}));
}

TEST_CASE("a dotted name for this very port of a loopback address was made to point there") {
  const net::Address loopback{"127.0.0.1", 5000};
  const net::Address loopback_v6{"::1", 5000};
  CHECK(is_rebound("evil.example:5000", loopback));
  CHECK(is_rebound("evil.example.:5000", loopback));
  CHECK(is_rebound("evil.example:5000", loopback_v6));
  CHECK(is_rebound("evil.example", {"127.0.0.1", 80}));
  CHECK(is_rebound("notlocalhost.example:5000", loopback));
  for (const char* authority :
       {"localhost:5000", "LOCALHOST:5000", "app.localhost:5000", "127.0.0.1:5000", "127.0.0.1",
        "10.0.0.5:5000", "[::1]:5000", "myhost:5000", "evil.example", "evil.example:80", "",
        "evil example:5000"}) {
    CAPTURE(authority);
    CHECK_FALSE(is_rebound(authority, loopback));
  }
  CHECK_FALSE(is_rebound("images.example:5000", {"10.0.0.5", 5000}));
}

}  // namespace
}  // namespace imgcached::http
