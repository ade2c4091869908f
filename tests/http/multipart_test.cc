#include "http/multipart.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <vector>

#include "base/random.h"
#include "tests/http/multipart_reading.h"

namespace imgcached::http {
namespace {

using Event = MultipartParser::Event;

// All that a parser says of one body: a line an event, data joined.
struct Story {
  std::vector<std::string> events;
  bool finished = false;  // what finish() says
  std::string error;
  friend bool operator==(const Story&, const Story&) = default;
};

Story story_of(const MultipartReading& reading) {
  return {events_of(reading), !reading.error(), error_of(reading)};
}

Story read(std::string_view body, std::string_view boundary = "b") {
  MultipartReading reading(boundary);
  reading.feed(body);
  return story_of(reading);
}

// Reads the body in one piece, split in two at every byte, and byte by byte.
Story read_every_way(std::string_view body, std::string_view boundary = "b") {
  const Story whole = read(body, boundary);
  for (std::size_t split = 0; split <= body.size(); ++split) {
    CAPTURE(split);
    MultipartReading reading(boundary);
    reading.feed(body.substr(0, split));
    reading.feed(body.substr(split));
    REQUIRE(story_of(reading) == whole);
  }
  MultipartReading reading(boundary);
  for (const char c : body) reading.feed({&c, 1});
  REQUIRE(story_of(reading) == whole);
  return whole;
}

const std::string disposition = "Content-Disposition: form-data; name=\"key\"\r\n";

std::string one_part(std::string_view data) {
  return fmt::format("--b\r\n{}\r\n{}\r\n--b--\r\n", disposition, data);
}

void check_data(std::string_view data) {
  CAPTURE(data);
  std::vector<std::string> expected = {"part name=[key] filename=[(none)] type=[]"};
  if (!data.empty()) expected.push_back("data " + std::string(data));
  expected.insert(expected.end(), {"part_end", "end"});
  CHECK(read_every_way(one_part(data)) == Story{expected, true, ""});
}

void check_name(std::string_view written, std::string_view name) {
  CAPTURE(written);
  const auto story = read_every_way(
      fmt::format("--b\r\nContent-Disposition: form-data; name={}\r\n\r\nx\r\n--b--", written));
  REQUIRE(story.error == "");
  CHECK(story.events.front() == fmt::format("part name=[{}] filename=[(none)] type=[]", name));
}

void check_error(std::string_view body, std::string_view part) {
  CAPTURE(body);
  const auto story = read_every_way(body);
  CHECK_FALSE(story.finished);
  CAPTURE(story.error);
  CHECK(story.error.find(part) != std::string::npos);
}

void check_header_error(std::string_view headers, std::string_view part) {
  check_error(fmt::format("--b\r\n{}\r\n\r\nx\r\n--b--\r\n", headers), part);
}

TEST_CASE("the form of a browser is read part by part") {
  const Story story = read_every_way(
      "------WebKitFormBoundary7MA4\r\n"
      "Content-Disposition: form-data; name=\"key\"\r\n\r\n"
      "my cat\r\n"
      "------WebKitFormBoundary7MA4\r\n"
      "Content-Disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\n"
      "Content-Type: image/png\r\n\r\n"
      "\x89PNG\r\n\x1a\n\r\n"
      "------WebKitFormBoundary7MA4--\r\n",
      "----WebKitFormBoundary7MA4");
  CHECK(story == Story{{"part name=[key] filename=[(none)] type=[]", "data my cat", "part_end",
                        "part name=[file] filename=[cat.png] type=[image/png]",
                        "data \x89PNG\r\n\x1a\n", "part_end", "end"},
                       true,
                       ""});
}

TEST_CASE("a file part needs neither Content-Type nor extension") {
  const Story story = read_every_way(
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"blob\"\r\n\r\nx\r\n--b--");
  CHECK(story.events.front() == "part name=[file] filename=[blob] type=[]");
  CHECK(story.finished);
}

TEST_CASE("an empty filename is a filename: a form sent without a file") {
  const Story story = read_every_way(
      "--b\r\nContent-Disposition: form-data; name=file; filename=\"\"\r\n\r\n\r\n--b--\r\n");
  CHECK(story.events ==
        std::vector<std::string>{"part name=[file] filename=[] type=[]", "part_end", "end"});
}

TEST_CASE("part data may be empty, and may look like a delimiter") {
  for (const char* data : {"", "\r", "\n", "\r\n", "\r\n\r\n", "\r\r\n", "--", "--b", "--b--",
                           "\r\n-", "\r\n--", "\n--b", "\r--b", "\r\n-b", "x--b--\r\n", "\r\n--a",
                           "\r\n--\r\n--", "\r\n\r\n--\r\n-", "\r\r\n-\r\n--c"}) {
    check_data(data);
  }
  check_data(std::string_view("\0\r\n\0--b\0", 9));
}

TEST_CASE("preamble and epilogue are skipped") {
  const auto expected = read(one_part("x"));
  REQUIRE(expected.finished);
  for (const char* preamble :
       {"\r\n", "preamble\r\n", "--a\r\n", "-\r\n", "--\r\n\r\n", "x--b\r\n", "\r\n\r\n"}) {
    CAPTURE(preamble);
    CHECK(read_every_way(preamble + one_part("x")) == expected);
  }
  for (const char* epilogue : {"", "epilogue", "\r\n--b\r\n", "--b--"}) {
    CAPTURE(epilogue);
    CHECK(read_every_way(one_part("x") + epilogue) == expected);
  }
}

TEST_CASE("the last boundary needs no line end") {
  const std::string body = one_part("x");
  CHECK(read_every_way(std::string_view(body).substr(0, body.size() - 2)) == read(body));
}

TEST_CASE("white space after a boundary is skipped") {
  const Story story = read_every_way("--b \t \r\n" + disposition + "\r\nx\r\n--b\t\r\n" +
                                     disposition + "\r\ny\r\n--b --");
  CHECK(story.finished);
  CHECK(story.events.size() == 7);
}

TEST_CASE("a body may have no parts") {
  CHECK(read_every_way("--b--\r\n") == Story{{"end"}, true, ""});
}

TEST_CASE("header names, form-data and parameter names are read without case") {
  const Story story = read_every_way(
      "--b\r\ncontent-DISPOSITION:FORM-data;NAME=\"Key\";FileName=\"F\"\r\n"
      "CONTENT-TYPE:\timage/png \r\nX-Other: y\r\n\r\nx\r\n--b--");
  CHECK(story.events.front() == "part name=[Key] filename=[F] type=[image/png]");
}

TEST_CASE("names are read as browsers, curl and others write them") {
  check_name("key", "key");
  check_name("\"a b\"", "a b");
  check_name("\"a%22b%0D%0a\"", "a\"b\r\n");
  check_name("\"a\\\"b\\\\\"", "a\"b\\");
  check_name("\"C:\\dir\\f\"", "C:\\dir\\f");
  check_name("\"100%\"", "100%");
  check_name("\"%41%2\"", "%41%2");
  check_name("\"a;b=c\"; x=y", "a;b=c");
  check_name("\"\"", "");
  check_name("\"é😀\" ;", "é😀");
}

TEST_CASE("a part with broken headers is refused by its number") {
  check_header_error("Content-Type: image/png", "part 1: it has no Content-Disposition");
  check_header_error("Content-Disposition: attachment; name=a", "is not form-data");
  check_header_error("Content-Disposition: form-data", "has no name");
  check_header_error("Content-Disposition: form-data; filename=a", "has no name");
  check_header_error("Content-Disposition: form-data; name=\"a", "without its closing quote");
  check_header_error("Content-Disposition: form-data; name=\"a\\\"", "without its closing quote");
  check_header_error("Content-Disposition: form-data; name=\"a\"b", "between a quoted value");
  check_header_error("Content-Disposition: form-data; name", "without a name and a value");
  check_header_error("Content-Disposition: form-data; name; a=b", "without a name and a value");
  check_header_error("Content-Disposition: form-data; =b", "without a name and a value");
  check_header_error("no colon", "is not 'Name: value'");
  check_header_error(": no name", "is not 'Name: value'");
  check_header_error("A: b\rc", "control character");
  check_header_error("A: b\nc: d", "control character");
  check_header_error(disposition + "Content-Transfer-Encoding: base64",
                     "Content-Transfer-Encoding");
  check_error("--b\r\n\r\nx\r\n--b--", "part 1: it has no Content-Disposition");
  check_error("--b\r\n" + disposition + "\r\nx\r\n--b\r\nbad\r\n\r\n", "part 2: a header line");
}

TEST_CASE("a Content-Transfer-Encoding that changes nothing is accepted") {
  for (const char* encoding : {"binary", "8BIT", "7bit"}) {
    CHECK(read_every_way(fmt::format("--b\r\n{}Content-Transfer-Encoding: {}\r\n\r\nx\r\n--b--",
                                     disposition, encoding))
              .finished);
  }
}

TEST_CASE("text after a boundary is refused") {
  check_error("--bc\r\n", "before part 1 is followed by neither CRLF nor two hyphens");
  check_error("--b\n" + disposition, "neither CRLF nor two hyphens");
  check_error("--b-\r\n", "neither CRLF nor two hyphens");
  check_error("--b\rx", "neither CRLF nor two hyphens");
  check_error("--b\r\n" + disposition + "\r\nx\r\n--bc", "after part 1 is followed by neither");
}

TEST_CASE("a body that is cut off anywhere is an error") {
  const std::string body = one_part("data");
  for (std::size_t size = 0; size < body.size() - 2; ++size) {
    CAPTURE(size);
    const Story story = read(body.substr(0, size));
    CHECK_FALSE(story.finished);
    CHECK(story.error != "");
  }
}

TEST_CASE("a body without the announced boundary is an error that says so") {
  check_error("", "boundary of the Content-Type does not occur");
  check_error("key=cat", "boundary of the Content-Type does not occur");
  check_error("--other\r\n\r\n", "boundary of the Content-Type does not occur");
}

TEST_CASE("the headers of a part may have 8 KiB and no more") {
  // The limit counts the CRLF before the block and the empty line after it.
  const std::size_t room = MultipartParser::part_header_bytes_max - disposition.size() -
                           std::string_view("\r\nX: \r\n\r\n").size();
  const auto body = [&](std::size_t size) {
    return "--b\r\n" + disposition + "X: " + std::string(size, 'x') + "\r\n\r\nx\r\n--b--";
  };
  CHECK(read(body(room)).finished);
  const Story story = read(body(room + 1));
  CHECK(story.error.find("part 1 are longer than 8192 bytes") != std::string::npos);
  MultipartParser parser("b");
  const std::string endless = "--b\r\n" + std::string(20'000, 'x');
  std::string_view input = endless;
  CHECK(parser.next(input) == Event::error);
  CHECK(parser.error().code == Errc::too_large);
}

TEST_CASE("a body may have 16 parts and no more") {
  std::string body;
  for (std::size_t i = 0; i < MultipartParser::parts_max; ++i) {
    body += "--b\r\n" + disposition + "\r\nx\r\n";
  }
  CHECK(read(body + "--b--").finished);
  const Story story = read(body + "--b\r\n" + disposition + "\r\nx\r\n--b--");
  CHECK(story.error.find("more than 16 parts") != std::string::npos);
}

TEST_CASE("after an error a multipart parser says nothing else") {
  MultipartParser parser("b");
  std::string_view bad = "--bx";
  REQUIRE(parser.next(bad) == Event::error);
  std::string_view good = "--b--";
  CHECK(parser.next(good) == Event::error);
  CHECK_FALSE(parser.finish().ok());
}

TEST_CASE("data that comes in one piece is not copied") {
  const std::string body = one_part("some data");
  MultipartParser parser("b");
  std::string_view input = body;
  REQUIRE(parser.next(input) == Event::part_begin);
  REQUIRE(parser.next(input) == Event::data);
  CHECK(parser.data().data() == body.data() + body.find("some"));
  CHECK(parser.data() == "some data");
}

TEST_CASE("random parts full of almost-boundaries come back whole, however the body is split") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  static constexpr std::string_view pieces[] = {
      "\r",         "\n", "\r\n", "-", "--", "\r\n--",    "\r\n--ab",
      "\r\n--abab", "ab", "a",    "b", "x",  "--ababa--", std::string_view("\0", 1),
      "\xff"};
  for (int round = 0; round < 1'000; ++round) {
    const std::string boundary = "ababa";
    const std::size_t parts = 1 + random.below(3);
    std::string body;
    std::vector<std::string> expected;
    for (std::size_t part = 0; part < parts; ++part) {
      std::string data;
      for (std::uint64_t i = random.below(30); i > 0; --i)
        data += pieces[random.below(std::size(pieces))];
      const std::string delimiter = "\r\n--" + boundary;
      for (auto at = data.find(delimiter); at != data.npos; at = data.find(delimiter))
        data.erase(at, 1);
      expected.push_back("part name=[key] filename=[(none)] type=[]");
      if (!data.empty()) expected.push_back("data " + data);
      expected.push_back("part_end");
      body += "--" + boundary + "\r\n" + disposition + "\r\n" + data + "\r\n";
    }
    expected.push_back("end");
    body += "--" + boundary + "--\r\n";
    CAPTURE(body);
    REQUIRE(read(body, boundary) == Story{expected, true, ""});
    if (round < 20) REQUIRE(read_every_way(body, boundary) == Story{expected, true, ""});
    MultipartReading reading(boundary);
    for (std::string_view rest = body; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random.below(20));
      reading.feed(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    REQUIRE(story_of(reading) == Story{expected, true, ""});
  }
}

TEST_CASE("random damage to a body never makes its story depend on the splits") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    std::string body = one_part("some\r\n--data");
    for (int edits = 0; edits < 3; ++edits) {
      const std::size_t at = random.below(body.size());
      if (random.below(2) == 0) body.erase(at, 1);
      else body[at] = "\r\n-b:;=\"x"[random.below(9)];
    }
    CAPTURE(body);
    read_every_way(body);
  }
}

TEST_CASE("the boundary is read from the Content-Type, quoted or not") {
  CHECK(boundary_of("multipart/form-data; boundary=abc").value() == "abc");
  CHECK(boundary_of("Multipart/Form-Data;charset=utf-8 ; BOUNDARY=\"a b\" ; x=y").value() == "a b");
  CHECK(boundary_of("multipart/form-data; boundary=----=_Part_1.2:3/4?").value() ==
        "----=_Part_1.2:3/4?");
  CHECK(boundary_of("multipart/form-data; boundary=" + std::string(70, 'x')).value().size() == 70);
}

TEST_CASE("a Content-Type without a legal boundary is refused") {
  for (const std::string& type :
       {std::string(""), std::string("multipart/form-data"),
        std::string("multipart/mixed; boundary=b"), std::string("application/json"),
        std::string("multipart/form-data; boundary="),
        std::string("multipart/form-data; boundary=\"\""),
        std::string("multipart/form-data; boundary=\"b"),
        std::string("multipart/form-data; boundary=\"b \""),
        std::string("multipart/form-data; boundary=b\xff"),
        std::string("multipart/form-data; boundary=\"b%0D\""),
        std::string("multipart/form-data; boundary"),
        "multipart/form-data; boundary=" + std::string(71, 'x')}) {
    CAPTURE(type);
    const auto boundary = boundary_of(type);
    REQUIRE_FALSE(boundary.ok());
    CHECK(boundary.error().code == Errc::invalid_argument);
  }
}

}  // namespace
}  // namespace imgcached::http
