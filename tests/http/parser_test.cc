#include "http/parser.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "tests/http/message_reading.h"

namespace imgcached::http {
namespace {

using Kind = Parser::Kind;
using Options = ReadingOptions;

std::string events(Kind kind, const fuzz::Pieces& pieces, const Options& options = {}) {
  return to_text(read(kind, pieces, options));
}

// The events of `input`, which must be the same however it is cut.
std::string events_of(Kind kind, std::string_view input, const Options& options = {}) {
  const std::string whole = events(kind, {input}, options);
  CAPTURE(input);
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    CAPTURE(cut);
    CHECK(events(kind, {input.substr(0, cut), input.substr(cut)}, options) == whole);
  }
  fuzz::Pieces bytes;
  for (std::size_t i = 0; i < input.size(); ++i) bytes.push_back(input.substr(i, 1));
  CHECK(events(kind, bytes, options) == whole);
  return whole;
}

std::string request_events(std::string_view input, const Options& options = {}) {
  return events_of(Kind::request, input, options);
}
std::string response_events(std::string_view input, const Options& options = {}) {
  return events_of(Kind::response, input, options);
}

// --- Requests ----------------------------------------------------------------

TEST_CASE("a request without a body is a head and an end") {
  CHECK(request_events("GET /a?b=c HTTP/1.1\r\nHost: x\r\nEmpty:\r\nAccept: a, b\r\n\r\n") ==
        "GET /a?b=c 1.1 keep-alive [Host|x] [Empty|] [Accept|a, b]\nend\n");
}

TEST_CASE("a body comes as long as was announced") {
  CHECK(request_events("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello") ==
        "POST /a 1.1 keep-alive length=5 [Host|x] [Content-Length|5]\nbody hello\nend\n");
  CHECK(request_events("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") ==
        "POST /a 1.1 keep-alive length=0 [Host|x] [Content-Length|0]\nend\n");
  CHECK(request_events("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel",
                       {.ends = true}) ==
        "PUT /a 1.1 keep-alive length=5 [Host|x] [Content-Length|5]\nbody hel\nerror 400\n");
}

TEST_CASE("the chunks of a body are put together, extensions and trailers aside") {
  CHECK(request_events("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
                       "5\r\nhello\r\n1;name=value\r\n,\r\n6;a=\"b\"\r\n world\r\n"
                       "0\r\nTrailer: t\r\n\r\n") ==
        "POST / 1.1 keep-alive chunked [Host|x] [Transfer-Encoding|Chunked]\n"
        "body hello, world\nend\n");
  CHECK(request_events("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "00a\r\n0123\r\n6789\r\n0\r\n\r\n") ==
        "POST / 1.1 keep-alive chunked [Host|x] [Transfer-Encoding|chunked]\n"
        "body 0123\r\n6789\nend\n");
}

TEST_CASE("pipelined requests come one after the other") {
  CHECK(request_events("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
                       "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
                       "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "1\r\na\r\n0\r\n\r\n"
                       "\r\nDELETE /4 HTTP/1.1\r\nHost: x\r\n\r\n") ==
        "GET /1 1.1 keep-alive [Host|x]\nend\n"
        "POST /2 1.1 keep-alive length=2 [Host|x] [Content-Length|2]\nbody ok\nend\n"
        "POST /3 1.1 keep-alive chunked [Host|x] [Transfer-Encoding|chunked]\nbody a\nend\n"
        "DELETE /4 1.1 keep-alive [Host|x]\nend\n");
}

TEST_CASE("whether the connection is kept is the client's wish and version") {
  CHECK(request_events("GET / HTTP/1.0\r\n\r\n") == "GET / 1.0\nend\n");
  CHECK(request_events("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n") ==
        "GET / 1.0 keep-alive [Connection|Keep-Alive]\nend\n");
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") ==
        "GET / 1.1 [Host|x] [Connection|close]\nend\n");
  // llhttp overlooks these.
  for (const char* value : {"close\t", "Close \t", "upgrade, close\t", "x,\tclose"}) {
    CHECK(request_events(std::string("GET / HTTP/1.1\r\nHost: x\r\nConnection: ") + value +
                         "\r\n\r\n")
              .starts_with("GET / 1.1 [Host|x]"));
  }
}

// Such a trailer used to make the parser wait for ever for what came behind it.
TEST_CASE("a trailer changes nothing about the request, nor about the next") {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string told = "POST / 1.1 keep-alive chunked [Host|x] [Transfer-Encoding|chunked]\n";
  for (const char* trailer : {"Connection: close", "Connection: upgrade\r\nUpgrade: h2c", "A: b"}) {
    CHECK(request_events(head + "2\r\nok\r\n0\r\n" + trailer +
                         "\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n") ==
          told + "body ok\nend\nGET /2 1.1 keep-alive [Host|x]\nend\n");
  }
  Parser parser(Kind::request);
  const std::string text = head + "0\r\nHost: y\r\n\r\n";
  std::string_view input = text;
  CHECK(parser.advance(input) == Parser::Event::head);
  CHECK(parser.advance(input) == Parser::Event::end);
  CHECK(parser.head().headers.count("Host") == 1);
}

TEST_CASE("every method we know has its name, and others that HTTP has are other") {
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}) {
    const std::string text = std::string(method) + " / HTTP/1.1\r\nHost: x\r\n\r\n";
    CHECK(request_events(text).starts_with(std::string(method) + " / 1.1"));
  }
  CHECK(request_events("PATCH / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("other / 1.1"));
  CHECK(request_events("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("other x:1 1.1"));
}

// Values used to keep the blanks at their end, so that `Host: x ` was refused.
TEST_CASE("blanks around a value are no part of it") {
  CHECK(request_events("GET / HTTP/1.1\r\nHost: \t x \t\r\nA:  \r\nB: a b \r\n\r\n") ==
        "GET / 1.1 keep-alive [Host|x] [A|] [B|a b]\nend\n");
}

// llhttp takes both; somebody on the way may not (RFC 9112, sections 2.2 and 5.2).
TEST_CASE("a line feed alone ends no line") {
  CHECK(request_events("GET / HTTP/1.1\nHost: x\r\n\r\n") == "error 400\n");
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\n\r\n") == "error 400\n");
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\n\n") == "error 400\n");
  CHECK(request_events("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n") == "error 400\n");
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(request_events(head + "0\r\n\n").ends_with("\nerror 400\n"));
  CHECK(request_events(head + "0\n\r\n").ends_with("\nerror 400\n"));
  CHECK(request_events(head + "0\r\nA: b\n\r\n").ends_with("\nerror 400\n"));
}

TEST_CASE("a folded line is refused") {
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n") == "error 400\n");
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\t\r\n\r\n") == "error 400\n");
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\nA:\r\n b\r\n\r\n") == "error 400\n");
  CHECK(request_events("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "0\r\nA: b\r\n c\r\n\r\n")
            .ends_with("\nerror 400\n"));
}

TEST_CASE("a request to upgrade is answered as if it asked for none") {
  CHECK(request_events("GET /1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                       "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n"
                       "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n") ==
        "GET /1 1.1 keep-alive [Host|x] [Connection|Upgrade, HTTP2-Settings] [Upgrade|h2c] "
        "[HTTP2-Settings|AAMAAABkAAQ]\nend\nGET /2 1.1 keep-alive [Host|x]\nend\n");
}

TEST_CASE("the end of the connection between requests is no error") {
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\n\r\n", {.ends = true}) ==
        "GET / 1.1 keep-alive [Host|x]\nend\n");
  CHECK(request_events("", {.ends = true}).empty());
  CHECK(request_events("GET / HTTP/1.1\r\nHo", {.ends = true}) == "error 400\n");
}

// --- What could be read in two ways -------------------------------------------

TEST_CASE("a request of which two readers could make two things is refused") {
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  const std::string nul(1, '\0');
  for (const std::string& head : std::vector<std::string>{
           post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
           post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
           post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
           post + "Content-Length: 3\r\nContent-Length: 3\r\n",
           post + "Content-Length: 3\r\nContent-Length: 4\r\n",
           post + "Content-Length: 3, 3\r\n",
           post + "Content-Length: +3\r\n",
           post + "Content-Length: -3\r\n",
           post + "Content-Length: 0x3\r\n",
           post + "Content-Length: 3 3\r\n",
           post + "Content-Length:\r\n",
           post + "Content-Length: 99999999999999999999\r\n",
           post + "Content-Length: 3\t\r\n",
           post + "Transfer-Encoding: chunked\t\r\n",
           post + "Transfer-Encoding: chunked \t\r\n",
           post + "Transfer-Encoding: chunked\r\n\t\r\n",
           post + "Host: y\r\n",
           post + "A : b\r\n",
           post + "A: b\nC: d\r\n",
           post + "A: b\rC: d\r\n",
           post + "A: b" + nul + "\r\n",
           post + "A" + nul + ": b\r\n",
           post + "no colon\r\n",
           post + ": no name\r\n",
           std::string("GET / HTTP/1.1\r\n A: b\r\nHost: x\r\n"),
           std::string("GET / HTTP/1.1\r\n"),
           std::string("GET / HTTP/1.1\r\nHost:\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: \t\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x:y\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x\r\nA: b\x7f\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x\r\nA: \x1b[2J\r\n"),
           post + "Transfer-Encoding:\r\n",
           post + "Transfer-Encoding: ,\r\n",
           post + "Transfer-Encoding: chunked, chunked\r\n",
           post + "Transfer-Encoding: chunked, gzip\r\n",
           post + "Transfer-Encoding: chunked,\r\n",
           std::string("GET / HTTP/1.1\r\nHost: x y\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x,y\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: user@x\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x/path\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x\\y\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x?y\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: x#y\r\n"),
           std::string("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"),
       }) {
    CHECK(request_events(head + "\r\nabc") == "error 400\n");
  }
}

// llhttp hands such a head out and complains about its body only afterwards.
TEST_CASE("a transfer coding that we do not know is refused with the head") {
  for (const char* coding : {"xchunked", "gzip", "gzip, chunked", "identity",
                             "\x0b"
                             "chunked"}) {
    const std::string input = std::string("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ") +
                              coding + "\r\n\r\n0\r\n\r\n";
    const std::string told = request_events(input);
    CHECK((told == "error 501\n" || told == "error 400\n"));
  }
  CHECK(request_events("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n") ==
        "error 501\n");
}

// llhttp skips these bytes without a look at them.
TEST_CASE("a carriage return without a line feed ends neither a head nor a chunk") {
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\n\rX") == "error 400\n");
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string told = "POST / 1.1 keep-alive chunked [Host|x] [Transfer-Encoding|chunked]\n";
  CHECK(request_events(head + "3\rXabc\r\n0\r\n\r\n") == told + "error 400\n");
  CHECK(request_events(head + "3;a\rXabc\r\n0\r\n\r\n") == told + "error 400\n");
  CHECK(request_events(head + "3\r\nabcXX0\r\n\r\n") == told + "body abc\nerror 400\n");
  CHECK(request_events(head + "3\r\nabc\rX0\r\n\r\n") == told + "body abc\nerror 400\n");
  CHECK(request_events(head + "3\r\nabcdef\r\n0\r\n\r\n") == told + "body abc\nerror 400\n");
  CHECK(request_events(head + "3\r\nabc\r\n0\rX\r\n") == told + "body abc\nerror 400\n");
  CHECK(request_events(head + "3\r\nabc\r\n0\r\n\rX") == told + "body abc\nerror 400\n");
}

TEST_CASE("a chunk has a plain hexadecimal size") {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* size : {"-3", "+3", "0x3", "3 ", " 3", "g", "", "fffffffffffffffff", "3\n"}) {
    CHECK(request_events(head + size + "\r\nabc\r\n0\r\n\r\n").ends_with("\nerror 400\n"));
  }
}

TEST_CASE("bug: a tab or a form feed in a request target is taken for part of it") {
  for (const char* byte : {"\t", "\x0c", "\x0b", "\x01", "\x7f"}) {
    CAPTURE(byte);
    CHECK(request_events(std::string("GET /a") + byte + "b HTTP/1.1\r\nHost: x\r\n\r\n") ==
          "error 400\n");
  }
  CHECK(request_events("GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("GET /\xc3\xa9 "));
}

TEST_CASE("what we do not speak is refused with the status for it") {
  CHECK(request_events("FOO / HTTP/1.1\r\nHost: x\r\n\r\n") == "error 501\n");
  CHECK(request_events("get / HTTP/1.1\r\nHost: x\r\n\r\n") == "error 501\n");
  CHECK(request_events("GET / HTTP/1.2\r\nHost: x\r\n\r\n") == "error 505\n");
  CHECK(request_events("GET / HTTP/2.0\r\nHost: x\r\n\r\n") == "error 505\n");
  CHECK(request_events("GET / HTTP/0.9\r\n\r\n") == "error 505\n");
  CHECK(request_events("GET /\r\n\r\n") == "error 505\n");
  CHECK(request_events("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == "error 505\n");
  CHECK(request_events("GET / HTTPS/1.1\r\nHost: x\r\n\r\n") == "error 400\n");
}

// --- Limits ------------------------------------------------------------------

TEST_CASE("a target is as long as its limit, not longer") {
  const Options options{.limits = {.target_bytes_max = 10}};
  CHECK(request_events("GET /234567890 HTTP/1.1\r\nHost: x\r\n\r\n", options) ==
        "GET /234567890 1.1 keep-alive [Host|x]\nend\n");
  CHECK(request_events("GET /2345678901 HTTP/1.1\r\nHost: x\r\n\r\n", options) == "error 414\n");
}

TEST_CASE("names and values together are as long as their limit, not longer") {
  const Options options{.limits = {.head_bytes_max = 20}};
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\nName: 12345678901\r\n\r\n", options)
            .ends_with("end\n"));
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\nName: 123456789012\r\n\r\n", options) ==
        "error 431\n");
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\nName56789012345678901: \r\n\r\n", options) ==
        "error 431\n");
}

TEST_CASE("there are as many fields as the limit, not more") {
  const Options options{.limits = {.headers_max = 3}};
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\n\r\n", options)
            .ends_with("end\n"));
  CHECK(request_events("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", options) ==
        "error 431\n");
}

// llhttp skips extensions of any length.
TEST_CASE("bug: the extensions of chunks have no bound") {
  const Options options{.limits = {.chunk_excess_bytes_max = 40}};
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto told = [&](const std::string& body) {
    const std::string all = request_events(head + body, options);
    return all.substr(all.find('\n') + 1);
  };
  CHECK(told("1;" + std::string(30, 'e') + "\r\na\r\n0\r\n\r\n") == "body a\nend\n");
  CHECK(told("1;" + std::string(80, 'e') + "\r\na\r\n0\r\n\r\n") == "error 400\n");
  CHECK(told(std::string(80, '0') + "1\r\na\r\n0\r\n\r\n") == "error 400\n");
  CHECK(told("1\r\na\r\n0;" + std::string(80, 'e') + "\r\n\r\n") == "body a\nerror 400\n");
  // Together they count too, and plain chunks do not.
  std::string plain;
  std::string extended;
  for (int i = 0; i < 100; ++i) {
    plain += "1\r\na\r\n";
    extended += "1;sixteen-bytes..\r\na\r\n";
  }
  CHECK(told(plain + "0\r\n\r\n") == "body " + std::string(100, 'a') + "\nend\n");
  CHECK(told(extended + "0\r\n\r\n").ends_with("\nerror 400\n"));
}

TEST_CASE("trailers count against the limits of the head") {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(request_events(head + "0\r\nA: 1\r\nB: 2\r\n\r\n", {.limits = {.headers_max = 3}})
            .ends_with("\nerror 431\n"));
}

TEST_CASE("nothing behind an error is looked at, and the limits begin anew with each message") {
  Parser parser(Kind::request);
  std::string_view input = "FOO / HTTP/1.1\r\n\r\n";
  CHECK(parser.advance(input) == Parser::Event::error);
  CHECK_FALSE(parser.error_message().empty());
  input = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  CHECK(parser.advance(input) == Parser::Event::error);
  CHECK(parser.finish() == Parser::Event::error);

  const std::string twice = "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
  CHECK(request_events(twice, {.limits = {.head_bytes_max = 8, .headers_max = 1}}).find("error") ==
        std::string::npos);
}

TEST_CASE("bug: no input, at no address, in the middle of a message spoilt what came next") {
  const std::string_view request = "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd";
  fuzz::Pieces pieces;
  for (std::size_t i = 0; i < request.size(); ++i) {
    pieces.insert(pieces.end(), {request.substr(i, 1), std::string_view()});
  }
  CHECK(events(Kind::request, pieces) ==
        "PUT /a 1.1 keep-alive length=4 [Host|x] [Content-Length|4]\nbody abcd\nend\n");
}

// --- Responses ---------------------------------------------------------------

TEST_CASE("responses follow each other on a kept connection") {
  CHECK(response_events("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                        "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n"
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n") ==
        "200 1.1 keep-alive length=2 [Content-Length|2]\nbody ok\nend\n"
        "404 1.1 keep-alive length=0 [Content-Length|0]\nend\n"
        "200 1.1 keep-alive chunked [Transfer-Encoding|chunked]\nbody abc\nend\n");
}

TEST_CASE("a response of unstated length ends with its connection") {
  CHECK(response_events("HTTP/1.1 200 OK\r\nA: b\r\n\r\nall of it", {.ends = true}) ==
        "200 1.1 [A|b]\nbody all of it\nend\n");
  CHECK(response_events("HTTP/1.0 200 OK\r\n\r\n", {.ends = true}) == "200 1.0\nend\n");
}

TEST_CASE("a response that its connection cuts short is an error") {
  CHECK(response_events("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", {.ends = true}) ==
        "200 1.1 keep-alive length=9 [Content-Length|9]\nbody half\nerror 400\n");
  CHECK(response_events("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
                        {.ends = true}) ==
        "200 1.1 keep-alive chunked [Transfer-Encoding|chunked]\nbody half\nerror 400\n");
  CHECK(response_events("HTTP/1.1 200 OK\r\nConte", {.ends = true}) == "error 400\n");
  CHECK(response_events("HTTP/1.1 2", {.ends = true}) == "error 400\n");
}

TEST_CASE("the answer to HEAD has no body whatever it announces") {
  CHECK(response_events("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                        {.expect_body = false}) ==
        "200 1.1 keep-alive length=5 [Content-Length|5]\nend\n"
        "200 1.1 keep-alive chunked [Transfer-Encoding|chunked]\nend\n"
        "200 1.1 keep-alive length=0 [Content-Length|0]\nend\n");
}

// A 304 may announce the length of what it stands for; that used to be awaited.
TEST_CASE("1xx, 204 and 304 have no body whatever they announce") {
  CHECK(response_events("HTTP/1.1 100 Continue\r\n\r\n"
                        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"
                        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"
                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") ==
        "100 1.1 keep-alive\nend\n"
        "304 1.1 keep-alive length=5 [Content-Length|5]\nend\n"
        "204 1.1 keep-alive length=5 [Content-Length|5]\nend\n"
        "200 1.1 keep-alive length=2 [Content-Length|2]\nbody ok\nend\n");
}

TEST_CASE("a response that breaks the protocol is an error") {
  CHECK(response_events("garbage") == "error 400\n");
  CHECK(response_events("HTTP/1.1 abc\r\n\r\n") == "error 400\n");
  CHECK(response_events("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na") ==
        "error 400\n");
}

TEST_CASE("bug: a response of another version than 1.0 and 1.1 was read as one of those") {
  for (const char* version : {"0.9", "2.0"}) {
    CAPTURE(version);
    CHECK(response_events(std::string("HTTP/") + version +
                          " 200 OK\r\nContent-Length: 2\r\n\r\nok") == "error 505\n");
  }
}

TEST_CASE("bug: the chunks of a response became its body where llhttp saw no chunks") {
  for (const char* coding : {"chunked\t", "chunked \t", "gzip", "chunked, gzip"}) {
    CAPTURE(coding);
    const std::string told = response_events(std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: ") +
                                                 coding + "\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                                             {.ends = true});
    CHECK((told == "error 400\n" || told == "error 501\n"));
  }
  CHECK(response_events("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") ==
        "error 400\n");
}

// --- Everything else ----------------------------------------------------------

TEST_CASE("random bytes crash nothing, and mean the same however they are cut") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  const std::string_view valid =
      "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "PUT /b HTTP/1.1\r\nHost: y\r\nContent-Length: 4\r\n\r\nwxyz";
  constexpr std::string_view bytes = "\r\n\t :;,0123abcGHX/\x00\x7f\xff";
  for (int round = 0; round < 2'000; ++round) {
    std::string input(valid);
    for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
      const std::size_t at = random.below(input.size());
      const char byte = bytes[random.below(bytes.size())];
      switch (random.below(3)) {
        case 0: input[at] = byte; break;
        case 1: input.insert(at, 1, byte); break;
        default: input.erase(at, 1); break;
      }
    }
    CAPTURE(input);
    const std::string whole = events(Kind::request, {input});
    const std::string_view view = input;
    const std::size_t first = random.below(view.size() + 1);
    const std::size_t second = first + random.below(view.size() + 1 - first);
    const std::string pieces =
        events(Kind::request,
               {view.substr(0, first), view.substr(first, second - first), view.substr(second)});
    CHECK(pieces == whole);
  }
}

}  // namespace
}  // namespace imgcached::http
