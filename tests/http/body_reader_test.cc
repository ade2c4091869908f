// Requests that were damaged on purpose, read as a connection reads them.
#include "http/body_reader.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "http/json.h"
#include "tests/net/stream_pair.h"

namespace imgcached::test {
namespace {

constexpr std::uint64_t body_bytes_max = 1000;
constexpr http::BodyReader::Pace pace{20'000, 1};

struct Exchange {
  std::string target;
  std::string body;
};

// What a server would take for requests.
struct Reading {
  std::vector<Exchange> requests;  // those that were complete
  std::string last_target;         // also of one whose body was not
  bool failed = false;             // the rest was not looked at
};

// Reads requests from what `input` has and the stream brings. Every second body
// is not asked for, as by a handler that has no use for it.
Task<Reading> read_requests(net::Loop& loop, net::Stream& stream, std::string_view input) {
  using Event = http::Parser::Event;
  Reading reading;
  net::ReadBuffer buffer(loop.buffers());
  const auto [begin, room] = buffer.room();
  CHECK(input.size() <= room);
  std::memcpy(begin, input.data(), input.size());
  buffer.filled(input.size());
  http::Parser parser(http::Parser::Kind::request);
  http::ByteBudget budget(body_bytes_max);
  while (true) {
    std::string_view unread = buffer.unread();
    const Event event = parser.advance(unread);
    buffer.consume(buffer.unread().size() - unread.size());
    if (event == Event::need_more) co_return reading;
    reading.failed = event == Event::error;
    if (reading.failed) break;
    CHECK(event == Event::head);
    const http::MessageHead head = std::move(parser.head());
    reading.last_target = head.target;
    http::BodyReader body(stream, buffer, parser, head, body_bytes_max, pace, budget);
    Exchange exchange{head.target, {}};
    if (reading.requests.size() % 2 == 1 && (body.at_end() || body.droppable(body_bytes_max))) {
      const bool dropped = co_await body.drop();
      reading.failed = !dropped;
    } else {
      Result<std::string> text = co_await body.read_text();
      reading.failed = !text;
      // Or JsonObject would copy it.
      if (text && body.content_length().value_or(0) > 0) {
        CHECK(text->capacity() >= text->size() + http::JsonObject::padding_bytes);
      }
      if (text) exchange.body = std::move(*text);
    }
    if (reading.failed) break;
    CHECK(body.at_end());
    reading.requests.push_back(std::move(exchange));
  }
  // Whatever still is there, an error stays one.
  std::string_view rest = "GET /behind HTTP/1.1\r\nHost: x\r\n\r\n";
  if (parser.advance(rest) == Event::error) CHECK(rest.size() == 33);
  co_return reading;
}

// Streams that have ended, so that a reader never waits.
class Reader {
 public:
  Reader() : pair_(loop_) { REQUIRE(run_task(loop_, end_of_writing(*pair_.near)).ok()); }
  ~Reader() {
    pair_.close();
    loop_.run();
  }
  Reading read(std::string_view input) {
    return run_task(loop_, read_requests(loop_, *pair_.far, input));
  }

 private:
  net::Loop loop_;
  StreamPair pair_;
};

const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";

std::string chunk(std::string_view data) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {digits[data.size() / 16], digits[data.size() % 16]};
}

struct Message {
  std::vector<std::string> parts;  // by turns: the frame, and what is inside of it
  std::string whole() const {
    std::string text;
    for (const std::string& part : parts) text += part;
    return text;
  }
};

Message requests() {
  const std::string size = std::to_string(hidden.size());
  return {
      {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(hidden) + "\r\n",
       hidden, "\r\n" + chunk(hidden) + ";n=v\r\n", hidden, "\r\n0\r\nTrailer: t\r\n\r\n", "",
       "PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: " + size + "\r\nA: b\r\n\r\n", hidden,
       "POST /c HTTP/1.1\r\nContent-Length: " + size + "\r\nConnection: close\r\nHost: x\r\n\r\n",
       hidden,
       "PUT /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n" + chunk(hidden) + "\r\n",
       hidden, "\r\n0\r\n\r\nGET /e HTTP/1.1\r\nHost: x\r\n\r\n"}};
}

TEST_CASE("undamaged requests are read as they were meant") {
  Reader reader;
  const Reading reading = reader.read(requests().whole());
  CHECK_FALSE(reading.failed);
  REQUIRE(reading.requests.size() == 5);
  CHECK(reading.requests[0].body == hidden + hidden);
  CHECK(reading.requests[2].body == hidden);
  CHECK(reading.requests[4].target == "/e");
}

// The first of these brought the program down: our view of the field differed
// from that of llhttp, and the body reader trusted them to agree.
TEST_CASE("a chunked coding with blanks around it never ends the process") {
  Reader reader;
  for (const char* coding :
       {"chunked\t", "chunked \t", "chunked\r\n\t", "chunked\r\n ", "\r\n chunked", "chunked\v",
        "chunked,\t", "chunked\t,", "\tchunked\t\t"}) {
    const Reading reading = reader.read(std::string("POST /a HTTP/1.1\r\nHost: x\r\n"
                                                    "Transfer-Encoding: ") +
                                        coding + "\r\n\r\n0\r\n\r\n" + hidden);
    CAPTURE(coding);
    CHECK(reading.failed);
    CHECK(reading.last_target.empty());
  }
}

// White space and controls tell no field from another, so that wherever they are
// put into a frame, what is inside of it stays inside or is not read at all.
TEST_CASE("blanks and controls in a frame never let out what is inside of it") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  Reader reader;
  const Message message = requests();
  constexpr std::string_view pieces[] = {"\t",    " ",      "\r", "\n", "\r\n",
                                         "\r\n ", "\r\n\t", "\v", "\f", std::string_view("\0", 1),
                                         "\x7f",  "\x80"};
  for (int round = 0; round < 3'000; ++round) {
    Message damaged = message;
    for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
      std::string& frame = damaged.parts[2 * random.below((damaged.parts.size() + 1) / 2)];
      const std::string_view piece = pieces[random.below(std::size(pieces))];
      // Most of what matters happens at the end of a line.
      std::size_t at = random.below(frame.size() + 1);
      if (random.below(2) == 0) at = std::min(frame.find('\r', at), frame.size());
      frame.insert(at, piece);
    }
    const std::string input = damaged.whole();
    CAPTURE(input);
    const Reading reading = reader.read(input);
    CHECK(reading.last_target.find("hidden") == std::string::npos);
    for (const Exchange& exchange : reading.requests) {
      CHECK(exchange.target.find("hidden") == std::string::npos);
    }
  }
}

TEST_CASE("requests with anything changed in them crash nothing") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  Reader reader;
  const std::string valid = requests().whole();
  constexpr std::string_view bytes("\r\n\t :;,0129afGHTX/\x00\x0b\x7f\xff", 21);
  for (int round = 0; round < 3'000; ++round) {
    std::string input = valid;
    for (std::uint64_t changes = 1 + random.below(4); changes > 0 && !input.empty(); --changes) {
      const std::size_t at = random.below(input.size());
      switch (random.below(5)) {
        case 0: input[at] = bytes[random.below(bytes.size())]; break;
        case 1: input.insert(at, 1, bytes[random.below(bytes.size())]); break;
        case 2: input.erase(at, 1 + random.below(8)); break;
        case 3: input.insert(at, valid.substr(random.below(valid.size()), random.below(40))); break;
        default: input.resize(at + 1); break;
      }
    }
    CAPTURE(input);
    reader.read(input);
  }
}

}  // namespace
}  // namespace imgcached::test
