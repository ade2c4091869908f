#include "http/url.h"

#include <doctest/doctest.h>

#include "base/random.h"

namespace imgcached::http {
namespace {

std::string every_byte() {
  std::string bytes(256, '\0');
  for (int i = 0; i < 256; ++i) bytes[i] = static_cast<char>(i);
  return bytes;
}

TEST_CASE("percent escapes are decoded, in either case") {
  CHECK(percent_decode("").value() == "");
  CHECK(percent_decode("a%20b").value() == "a b");
  CHECK(percent_decode("%2F%2f").value() == "//");
  CHECK(percent_decode("%00").value() == std::string(1, '\0'));
  CHECK(percent_decode("%25%32%30").value() == "%20");
  CHECK(percent_decode("caf%C3%A9").value() == "café");
}

TEST_CASE("a plus sign in a path is a plus sign") { CHECK(percent_decode("a+b").value() == "a+b"); }

TEST_CASE("a bad percent escape is an error that says where it stands") {
  for (const char* text : {"ab%", "ab%2", "ab%g0", "ab%0g", "ab%%41", "ab%-1"}) {
    CAPTURE(text);
    const auto result = percent_decode(text);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == Errc::invalid_argument);
    CHECK(result.error().message.find("at byte 2:") != std::string::npos);
  }
}

TEST_CASE("only unreserved characters are left as they are") {
  CHECK(percent_encode("AZaz09-._~") == "AZaz09-._~");
  CHECK(percent_encode("a b/c+?#%\"") == "a%20b%2Fc%2B%3F%23%25%22");
  CHECK(percent_encode("\xc3\xa9") == "%C3%A9");
  CHECK(percent_encode_path("../a b/c") == "../a%20b/c");
}

TEST_CASE("every byte survives encoding and decoding") {
  CHECK(percent_decode(percent_encode(every_byte())).value() == every_byte());
  CHECK(percent_decode(percent_encode_path(every_byte())).value() == every_byte());
}

TEST_CASE("a request target is split into path and query") {
  struct Case {
    std::string_view target, path, query;
  };
  for (const auto& [target, path, query] : {
           Case{"/", "/", ""},
           Case{"/a/b", "/a/b", ""},
           Case{"/a?b=c", "/a", "b=c"},
           Case{"/a?", "/a", ""},
           Case{"/a?b?c", "/a", "b?c"},
           Case{"//a", "//a", ""},
           Case{"*", "*", ""},
           Case{"http://host:5000/a?b", "/a", "b"},
           Case{"HTTPS://host/a", "/a", ""},
           Case{"http://host", "/", ""},
           Case{"http://host?b", "/", "b"},
           Case{"/http://host/a", "/http://host/a", ""},
           Case{"http://host/https://other/a", "/https://other/a", ""},
       }) {
    CAPTURE(target);
    const auto split = split_target(target);
    REQUIRE(split.ok());
    CHECK(split->path == path);
    CHECK(split->query == query);
  }
}

TEST_CASE("a request target that is neither path nor URL is an error") {
  for (const char* target : {"", "a", "?a", "host:80", "ftp://host/a", "http:///a", "http://", "**",
                             "http://user@host/a", "http://host:80:80/a", "http://host:x/a",
                             "http://a,b/", "http://[::1/a"}) {
    CAPTURE(target);
    const auto split = split_target(target);
    REQUIRE_FALSE(split.ok());
    CHECK(split.error().code == Errc::invalid_argument);
  }
}

TEST_CASE("the host of a URL in a request line is told") {
  CHECK(split_target("http://host:5000/a?b").value().authority == "host:5000");
  CHECK(split_target("http://[::1]?b").value().authority == "[::1]");
  CHECK(split_target("/a").value().authority.empty());
}

TEST_CASE("an authority is a host and an optional port") {
  struct Case {
    const char *text, *host, *port;
  };
  for (const auto& [text, host, port] :
       {Case{"localhost:5000", "localhost", "5000"}, Case{"example.com", "example.com", ""},
        Case{"127.0.0.1:80", "127.0.0.1", "80"}, Case{"[::1]:5000", "[::1]", "5000"},
        Case{"[2001:DB8::1]", "[2001:DB8::1]", ""}, Case{"a_b-c.%41$", "a_b-c.%41$", ""},
        Case{"host:", "host", ""}}) {
    CAPTURE(text);
    const auto split = split_authority(text);
    REQUIRE(split.has_value());
    CHECK(split->host == host);
    CHECK(split->port == port);
  }
  for (const char* text :
       {"",         ":80",         "user@host", "host/path", "a,b",         "a b",  "host:80:81",
        "host:80a", "host:123456", "a?b",       "a#b",       "a\\b",        "[::1", "[]",
        "[::1]80",  "[x]",         "::1",       "a\"b",      "h\xc3\xb6st", "a\x7f"}) {
    CAPTURE(text);
    CHECK_FALSE(split_authority(text).has_value());
  }
}

TEST_CASE("a fragment in a request target is refused with its place") {
  const auto split = split_target("/images/a#b");
  REQUIRE_FALSE(split.ok());
  CHECK(split.error().message.find("at byte 9") != std::string::npos);
}

TEST_CASE("repeated slashes at the start of a path count as one") {
  CHECK(collapse_leading_slashes("//api/delete_all") == "/api/delete_all");
  CHECK(collapse_leading_slashes("////") == "/");
  CHECK(collapse_leading_slashes("/a//b") == "/a//b");
  CHECK(collapse_leading_slashes("") == "");
}

TEST_CASE("form fields are decoded in their order") {
  const auto form = parse_form("key=two+words&b=%2B%26%3d&&empty=&bare&a=b=c");
  REQUIRE(form.ok());
  const std::vector<Form::Field> expected = {
      {"key", "two words"}, {"b", "+&="}, {"empty", ""}, {"bare", ""}, {"a", "b=c"}};
  CHECK(form->fields() == expected);
  CHECK(form->find("key") == "two words");
  CHECK(form->find("empty") == "");
  CHECK(form->find("bare") == "");
  CHECK_FALSE(form->find("KEY").has_value());
}

TEST_CASE("of form fields with one name the first is found") {
  CHECK(parse_form("a=1&a=2").value().find("a") == "1");
}

TEST_CASE("an empty form has no fields") {
  CHECK(parse_form("").value().fields().empty());
  CHECK(parse_form("&&").value().fields().empty());
}

TEST_CASE("names of form fields are decoded too") {
  CHECK(parse_form("a%20+b=1").value().find("a  b") == "1");
}

TEST_CASE("a bad escape in a form says where in the form it stands") {
  const auto in_value = parse_form("a=1&b=x%zz");
  REQUIRE_FALSE(in_value.ok());
  CHECK(in_value.error().code == Errc::invalid_argument);
  CHECK(in_value.error().message.find("at byte 7:") != std::string::npos);
  const auto in_name = parse_form("a=1&b%=x");
  REQUIRE_FALSE(in_name.ok());
  CHECK(in_name.error().message.find("at byte 5:") != std::string::npos);
}

TEST_CASE("a form may have 256 fields and no more") {
  std::string text;
  for (std::size_t i = 0; i < Form::fields_max; ++i) text += "a=1&";
  CHECK(parse_form(text).value().fields().size() == Form::fields_max);
  const auto more = parse_form(text + "a");
  REQUIRE_FALSE(more.ok());
  CHECK(more.error().code == Errc::too_large);
}

TEST_CASE("random text never breaks a decoder") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random.below(12), '\0');
    for (char& c : text) c = "%%%0aF&=+?#/*h\xff"[random.below(16)];
    CAPTURE(text);
    if (const auto decoded = percent_decode(text); decoded.ok()) {
      CHECK(percent_decode(percent_encode(*decoded)).value() == *decoded);
    } else {
      CHECK(text.find('%') != text.npos);
    }
    if (const auto form = parse_form(text); form.ok()) {
      std::string again;
      for (const auto& [name, value] : form->fields()) {
        again += percent_encode(name) + "=" + percent_encode(value) + "&";
      }
      CHECK(parse_form(again).value().fields() == form->fields());
    }
    if (const auto split = split_target(text); split.ok()) CHECK_FALSE(split->path.empty());
  }
}

TEST_CASE("a limit is a whole number from 1, cut to the most there is; empty is the default") {
  CHECK(parse_limit("", 10, 100).value() == 10);
  CHECK(parse_limit("1", 10, 100).value() == 1);
  CHECK(parse_limit("100", 10, 100).value() == 100);
  CHECK(parse_limit("101", 10, 100).value() == 100);
  CHECK(parse_limit("99999999999999999999", 10, 100).value() == 100);
  for (const char* bad : {"0", "-1", "x", "1x", " 1", "1.5"}) {
    CHECK_MESSAGE(!parse_limit(bad, 10, 100).ok(), bad);
  }
}

}  // namespace
}  // namespace imgcached::http
