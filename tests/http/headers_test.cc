#include "http/headers.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

namespace imgcached::http {
namespace {

TEST_CASE("header names compare without case, and the first field of a name is found") {
  Headers headers;
  headers.add("X-Key", "one");
  headers.add("x-key", "two");
  CHECK(*headers.find("X-KEY") == "one");
  CHECK(headers.count("x-Key") == 2);
  CHECK_FALSE(headers.find("X-Ke"));
  CHECK_FALSE(headers.find("X-Key-2"));
}

TEST_CASE("setting a header replaces all fields of the name") {
  Headers headers;
  headers.add("A", "1");
  headers.add("B", "2");
  headers.add("a", "3");
  headers.set("A", "4");
  CHECK(headers.count("A") == 1);
  CHECK(*headers.find("A") == "4");
  CHECK(*headers.find("B") == "2");
  CHECK(headers.wire() == "B: 2\r\nA: 4\r\n");
}

TEST_CASE("fields of one name are one list") {
  Headers headers;
  CHECK_FALSE(headers.joined("If-Match"));
  headers.add("If-Match", "\"a\"");
  CHECK(headers.joined("if-match") == "\"a\"");
  headers.add("Other", "x");
  headers.add("IF-MATCH", "\"b\", \"c\"");
  CHECK(headers.joined("If-Match") == "\"a\", \"b\", \"c\"");
}

TEST_CASE("fields are kept as they go over the wire, in the order of their arrival") {
  const Headers headers{{"X-Key", "one"}, {"Empty", ""}, {"x-key", "two"}};
  CHECK(headers.wire() == "X-Key: one\r\nEmpty: \r\nx-key: two\r\n");
  std::string text;
  for (const auto& [name, value] : headers) text.append(name).append("=").append(value).append(";");
  CHECK(text == "X-Key=one;Empty=;x-key=two;");
  CHECK(headers.find("EMPTY") == "");
}

TEST_CASE("a name is found beside others of the same length, also of lengths that share a bit") {
  const std::string longer(70, 'a');  // 6 and 70 are the same modulo 64
  const Headers headers{{"Accept", "1"}, {longer, "2"}};
  CHECK(headers.find("accept") == "1");
  CHECK(headers.find(longer) == "2");
  CHECK_FALSE(headers.find("Expect"));
  CHECK_FALSE(headers.find(std::string(134, 'a')));
}

TEST_CASE("nothing in the value of a field ends its line") {
  const std::string nul(1, '\0');
  Headers headers;
  headers.add("X-Reason", "a\r\nSet-Cookie: b\n" + nul + "c\x7f\td\xc3\xa9");
  headers.set("Other", std::string("x\r\n\r\ny"));
  CHECK(headers.wire() == "X-Reason: a  Set-Cookie: b  c  d\xc3\xa9\r\nOther: x    y\r\n");
}

TEST_CASE("a copy of fields lives for itself") {
  Headers headers{{"A", "1"}};
  const Headers copy = headers;
  headers.clear();
  headers.add("B", "2");
  CHECK(copy.wire() == "A: 1\r\n");
  CHECK(headers.wire() == "B: 2\r\n");
  const Headers moved = std::move(headers);
  CHECK(moved.find("B") == "2");
}

TEST_CASE("the memory of a usual head is used again, that of an unusual one given back") {
  Headers headers;
  headers.add("A", std::string(500, 'x'));
  const char* place = headers.wire().data();
  headers.clear();
  CHECK_FALSE(headers.find("A"));
  headers.trim();
  headers.add("B", std::string(500, 'y'));
  CHECK(headers.wire().data() == place);

  headers.add("C", std::string(5000, 'z'));
  headers.trim();
  CHECK(headers.empty());
  CHECK(headers.wire().data() == nullptr);
  for (int i = 0; i < 100; ++i) headers.add("D", "1");
  CHECK(headers.count("d") == 100);
}

TEST_CASE("case is ignored for letters only") {
  CHECK(equals_ignoring_case("aZ-09", "Az-09"));
  CHECK_FALSE(equals_ignoring_case("a", "ab"));
  CHECK_FALSE(equals_ignoring_case("[", "{"));
  CHECK_FALSE(equals_ignoring_case("@", "`"));
}

}  // namespace
}  // namespace imgcached::http
