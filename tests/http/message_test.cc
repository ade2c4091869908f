#include "http/message.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include "http/base64.h"
#include "http/status.h"

namespace imgcached::http {
namespace {

constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";

TEST_CASE("a token is found in a comma-separated list, whole and without case") {
  CHECK(has_token("close", "close"));
  CHECK(has_token("Keep-Alive, Upgrade", "upgrade"));
  CHECK(has_token(" a ,\tCLOSE\t, b", "close"));
  CHECK_FALSE(has_token("closed", "close"));
  CHECK_FALSE(has_token("not close", "close"));
  CHECK_FALSE(has_token("", "close"));
  CHECK_FALSE(has_token(",,", "close"));
}

TEST_CASE("the head of a response has its status, date, length and fields") {
  const Response response = make_response(200, "text/plain", "body");
  CHECK(serialize_head(response, 4, 1, true, date).view() ==
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 4\r\n"
        "Content-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\r\n");
}

TEST_CASE("a response with a content security policy of its own gets no other") {
  Response response = make_response(200, "text/html", "");
  response.headers.add("content-security-policy", "default-src 'self'");
  const std::string head(serialize_head(response, 0, 1, true, date).view());
  CHECK(head.find("'none'") == std::string::npos);
  CHECK(head.find("'self'") != std::string::npos);
}

TEST_CASE("the head says when the connection ends, and to HTTP/1.0 when it does not") {
  const Response response = make_response(200, "text/plain", "");
  CHECK(serialize_head(response, 0, 1, false, date)
            .view()
            .ends_with("\r\nConnection: close\r\n\r\n"));
  CHECK(serialize_head(response, 0, 0, true, date)
            .view()
            .ends_with("\r\nConnection: keep-alive\r\n\r\n"));
  CHECK(serialize_head(response, 0, 1, true, date).view().find("Connection") == std::string::npos);
}

TEST_CASE("204 and 304 announce no length") {
  for (const int status : {204, 304}) {
    Response response;
    response.status = status;
    CHECK(serialize_head(response, 10, 1, true, date).view().find("Content-Length") ==
          std::string::npos);
  }
}

TEST_CASE("a body is text or shared bytes, and a part of it may be the payload") {
  const Blob blob = Blob::copy_of("0123456789");
  Response response = make_response(206, "image/png", blob);
  CHECK(response.body.view().data() == blob.data());
  CHECK(response.payload().size == 10);
  response.part = {2, 3};
  CHECK(response.payload().offset == 2);
  CHECK(response.payload().size == 3);
  CHECK(Body("text").view() == "text");
  CHECK(Body().size() == 0);
}

TEST_CASE("a body comes in pieces that are together the whole") {
  const std::string bytes = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::string shown = bytes.substr(0, size);
    const Blob blob = Blob::copy_of(shown);
    const std::pair<Body, std::string> bodies[] = {
        {Body(shown), shown},
        {Body(blob), shown},
        {Body(Base64Body{{}, blob, {}}), base64::encode(shown)},
        {Body(Base64Body{"before:", blob, ":after"}), "before:" + base64::encode(shown) + ":after"},
    };
    for (const auto& [body, whole] : bodies) {
      CHECK(body.size() == whole.size());
      for (std::size_t bytes_max = 4; bytes_max <= whole.size() + 4; ++bytes_max) {
        std::string together;
        TextBuffer buffer;
        while (together.size() < whole.size()) {
          const std::string_view piece = body.piece(together.size(), bytes_max, buffer);
          REQUIRE_FALSE(piece.empty());
          REQUIRE(piece.size() <= bytes_max);
          together += piece;
        }
        CHECK(together == whole);
      }
    }
  }
}

TEST_CASE("a message has a body when it is chunked or announces more than nothing") {
  MessageHead head;
  CHECK_FALSE(head.has_body());
  head.content_length = 0;
  CHECK_FALSE(head.has_body());
  head.content_length = 1;
  CHECK(head.has_body());
  head.content_length.reset();
  head.chunked = true;
  CHECK(head.has_body());
}

TEST_CASE("every failure has its status, and every status we send its phrase") {
  CHECK(status_of(Errc::invalid_argument) == 400);
  CHECK(status_of(Errc::not_found) == 404);
  CHECK(status_of(Errc::timed_out) == 408);
  CHECK(status_of(Errc::precondition_failed) == 412);
  CHECK(status_of(Errc::too_large) == 413);
  CHECK(status_of(Errc::unsupported_type) == 415);
  CHECK(status_of(Errc::internal) == 500);
  CHECK(status_of(Errc::unavailable) == 503);
  CHECK(status_of(Errc::storage_full) == 507);
  for (const int status : {200, 201, 204, 206, 304, 400, 403, 404, 405, 408, 411, 412,
                           413, 414, 415, 416, 417, 421, 431, 500, 501, 503, 505, 507}) {
    CAPTURE(status);
    CHECK(reason_phrase(status) != "Unknown");
  }
  CHECK(reason_phrase(299) == "Unknown");
}

}  // namespace
}  // namespace imgcached::http
