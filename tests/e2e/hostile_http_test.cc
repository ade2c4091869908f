// Requests that no honest client sends, each with a second one hidden behind it:
// there is one answer, the right one, and then the end of the connection. Whoever
// stands in front of the server and reads the request otherwise must not be made
// to take the answer to the hidden one for somebody else's.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <string>
#include <vector>

#include "tests/e2e/deployment.h"

namespace imgcached::e2e {
namespace {

// Both services have it.
constexpr const char* hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct Bad {
  std::string request;
  int status = 400;
};

// A request for something that is there, with these fields beside or instead of Host.
std::string get(std::string_view fields, std::string_view target = "/healthz",
                std::string_view version = "HTTP/1.1") {
  return fmt::format("GET {} {}\r\n{}\r\n", target, version, fields);
}

const std::string host = "Host: localhost\r\n";

std::string post(std::string_view fields, std::string_view body = {},
                 std::string_view version = "HTTP/1.1") {
  return fmt::format("POST /healthz {}\r\n{}{}\r\n{}", version, host, fields, body);
}

// Sends each to both services, the hidden request behind it.
void check_refused(Deployment& it, const std::vector<Bad>& requests) {
  for (const std::uint16_t port :
       {it.backend_server().backend_port(), it.cache_server().cache_port()}) {
    for (const Bad& bad : requests) {
      CAPTURE(port);
      const std::string shown = bad.request.substr(0, 200);
      CAPTURE(shown);
      Peer peer(port);
      peer.send(bad.request + hidden);
      const std::vector<Reply> replies = replies_in(peer.receive_all());
      REQUIRE(replies.size() == 1);
      CHECK(replies[0].status == bad.status);
      CHECK(replies[0].header("Connection") == "close");
      CHECK(replies[0].headers.count("Date") == 1);
    }
  }
}

TEST_CASE("hostile: a Host that is missing, empty, doubled or no host") {
  Deployment& it = OneProcess::deployment();
  std::vector<Bad> requests;
  for (const char* fields : {"",
                             "Host:\r\n",
                             "Host: \t\r\n",
                             "Host: a\r\nHost: b\r\n",
                             "Host: a\r\nHost: a\r\n",
                             "Host: a\r\nhOST:\r\n",
                             "Host: user@a\r\n",
                             "Host: user:secret@a\r\n",
                             "Host: a/b\r\n",
                             "Host: a,b\r\n",
                             "Host: a, b\r\n",
                             "Host: a b\r\n",
                             "Host: a:b\r\n",
                             "Host: a:80:80\r\n",
                             "Host: a?b\r\n",
                             "Host: a#b\r\n",
                             "Host: a\\b\r\n",
                             "Host: [::1\r\n",
                             "Host: ::1\r\n",
                             "Host: h\xc3\xb6st\r\n",
                             "Host: http://a\r\n",
                             "Host : a\r\n",
                             " Host: a\r\n"}) {
    requests.push_back({get(fields)});
  }
  check_refused(it, requests);
}

TEST_CASE("hostile: a body whose end is a matter of opinion") {
  Deployment& it = OneProcess::deployment();
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  check_refused(it, {
                        {post("Transfer-Encoding:\r\n")},
                        {post("Transfer-Encoding: \t\r\n", "0\r\n\r\n")},
                        {post(chunked + chunked, "0\r\n\r\n")},
                        {post(chunked + "Transfer-Encoding: identity\r\n", "0\r\n\r\n")},
                        {post("Transfer-Encoding: identity\r\n" + chunked, "0\r\n\r\n")},
                        {post(chunked + "Content-Length: 5\r\n", "0\r\n\r\n")},
                        {post("Content-Length: 5\r\n" + chunked, "0\r\n\r\n")},
                        {post(chunked + "Content-Length: 0\r\n", "0\r\n\r\n")},
                        {post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")},
                        {post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n")},
                        {post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
                        {post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501},
                        {post("Transfer-Encoding: chunked\t\r\n", "0\r\n\r\n")},
                        {post("Transfer-Encoding: \x0b"
                              "chunked\r\n",
                              "0\r\n\r\n")},
                        {post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")},
                        {post("Transfer-Encoding\r\n: chunked\r\n", "0\r\n\r\n")},
                        {post(chunked, "0\r\n\r\n", "HTTP/1.0")},
                        {post("Content-Length: 0\r\nContent-Length: 0\r\n")},
                        {post("Content-Length: 0\r\nContent-Length: 44\r\n")},
                        {post("Content-Length: 0, 0\r\n")},
                        {post("Content-Length: +0\r\n")},
                        {post("Content-Length: -1\r\n")},
                        {post("Content-Length: 0x0\r\n")},
                        {post("Content-Length: 1 0\r\n")},
                        {post("Content-Length:\r\n")},
                        {post("Content-Length: 99999999999999999999\r\n")},
                    });
}

TEST_CASE("hostile: a version that we do not speak") {
  Deployment& it = OneProcess::deployment();
  check_refused(it, {
                        {get(host, "/healthz", "HTTP/1.2"), 505},
                        {get(host, "/healthz", "HTTP/0.9"), 505},
                        {get(host, "/healthz", "HTTP/2.0"), 505},
                        {get(host, "/healthz", "HTTP/3.0"), 505},
                        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
                        {"GET /healthz\r\n\r\n", 505},
                        {get(host, "/healthz", "HTTP/11"), 505},
                        {get(host, "/healthz", "HTTPS/1.1")},
                    });
}

TEST_CASE("hostile: lines that end or fold otherwise, and control characters") {
  Deployment& it = OneProcess::deployment();
  const std::string nul(1, '\0');
  check_refused(it, {
                        {"GET /healthz HTTP/1.1\nHost: localhost\r\n\r\n"},
                        {get("Host: localhost\n")},
                        {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n"},
                        {get(host + "A: b\rC: d\r\n")},
                        {get(host + "A: b\r\r\n")},
                        {get(host + "A: b\r\n c\r\n")},
                        {get(host + "A: b" + nul + "\r\n")},
                        {get(host + "A: b\x01\r\n")},
                        {get(host + "A: b\x0b\r\n")},
                        {get(host + "A: b\x7f\r\n")},
                        {get(host + "A: \x1b[2J\r\n")},
                        {get(host + "A" + nul + ": b\r\n")},
                        {get(host + "A B: c\r\n")},
                        {get(host + "no colon\r\n")},
                        {get(host + ": no name\r\n")},
                        {get(host, "/heal\tthz")},
                        {get(host, "/heal\x01thz")},
                        {get(host, "/heal" + nul + "thz")},
                        {get(host, "/heal\x0cthz")},
                        {get(host, "/heal\x7fthz")},
                    });
}

TEST_CASE("hostile: a target that is no path of ours, and methods that are no calls of ours") {
  Deployment& it = OneProcess::deployment();
  check_refused(it, {
                        {get(host, "*")},
                        {get(host, "healthz")},
                        {get(host, "/%")},
                        {get(host, "/%4")},
                        {get(host, "/%zz")},
                        {get(host, "/images/%c3%")},
                        {get(host, "/healthz%00")},
                        {get(host, "/images/%00")},
                        {get(host, "/a#b")},
                        {get(host, "http:///healthz")},
                        {get(host, "http://user@localhost/healthz")},
                        {get(host, "http://a,b/healthz")},
                        {get(host, "ftp://localhost/healthz")},
                        {"POST * HTTP/1.1\r\n" + host + "\r\n"},
                        {"TRACE /healthz HTTP/1.1\r\n" + host + "\r\n", 501},
                        {"CONNECT localhost:80 HTTP/1.1\r\n" + host + "\r\n", 501},
                        {"PATCH /healthz HTTP/1.1\r\n" + host + "\r\n", 501},
                        {"FOO /healthz HTTP/1.1\r\n" + host + "\r\n", 501},
                        {"get /healthz HTTP/1.1\r\n" + host + "\r\n", 501},
                    });
}

TEST_CASE("hostile: more than a head may have") {
  Deployment& it = OneProcess::deployment();
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += fmt::format("X-{}: 1\r\n", i);
  check_refused(it, {
                        {get(host, "/" + std::string(70'000, 'a')), 414},
                        {get(host, "/?" + std::string(70'000, 'a')), 414},
                        {get(host + "A: " + std::string(300'000, 'a') + "\r\n"), 431},
                        {get(host + std::string(300'000, 'a') + ": b\r\n"), 431},
                        {get(host + many), 431},
                    });
}

// The head is fine, what follows is not: whoever reads the body finds it.
TEST_CASE("hostile: chunks that are none, or say too much") {
  Deployment& it = OneProcess::deployment();
  const std::string extension(20'000, 'e');
  for (const char* body :
       {"x\r\n", "-1\r\n", "+1\r\na\r\n0\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n", "1\na\n0\n\n",
        "1\r\naXX0\r\n\r\n", "1 \r\na\r\n0\r\n\r\n", "fffffffffffffffff\r\na\r\n0\r\n\r\n",
        "1;%s\r\na\r\n0\r\n\r\n", "1\r\na\r\n0;%s\r\n\r\n", "0\r\nA: b\n\r\n"}) {
    std::string bytes = body;
    if (const auto place = bytes.find("%s"); place != std::string::npos) {
      bytes.replace(place, 2, extension);
    }
    const std::string shown = bytes.substr(0, 40);
    CAPTURE(shown);
    struct Call {
      std::uint16_t port;
      const char* path;
    };
    for (const Call& call : {Call{it.backend_server().backend_port(), "/api/list_keys"},
                             Call{it.cache_server().cache_port(), "/invalidate_specific_key"}}) {
      Peer peer(call.port);
      peer.send(fmt::format("POST {} HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n{}{}",
                            call.path, host, bytes, hidden));
      const std::vector<Reply> replies = replies_in(peer.receive_all());
      REQUIRE(replies.size() == 1);
      CHECK(replies[0].status == 400);
      CHECK(replies[0].header("Connection") == "close");
    }
  }
}

TEST_CASE("hostile: what is odd but right is served, each in its turn") {
  Deployment& it = OneProcess::deployment();
  for (const std::uint16_t port :
       {it.backend_server().backend_port(), it.cache_server().cache_port()}) {
    CAPTURE(port);
    const std::string requests =
        "\r\n" + get(host, "http://localhost:5000/healthz") +
        get(host, "HTTP://[::1]/healthz?a=%zz") + get(host, "//healthz") + get(host, "/%68ealthz") +
        get("Host: a_b.example:1\r\n") + get(host + "A: \xc3\xa9 \t b\r\n") +
        get(host + "Content-Length: 0\r\n") + "OPTIONS * HTTP/1.1\r\n" + host + "\r\n" +
        get("Connection: keep-alive\r\n", "/healthz", "HTTP/1.0") +
        get("", "/healthz", "HTTP/1.0") + hidden;
    Peer peer(port);
    peer.send(requests);
    const std::vector<Reply> replies = replies_in(peer.receive_all());
    REQUIRE(replies.size() == 10);  // HTTP/1.0 ends the connection
    for (const Reply& reply : replies) CHECK(reply.status == (&reply == &replies[7] ? 204 : 200));
    CHECK(replies[8].header("Connection") == "keep-alive");
    CHECK(replies[9].header("Connection") == "close");
  }
}

TEST_CASE("hostile: dot segments are part of a key, and lead to no file") {
  Deployment& it = OneProcess::deployment();
  for (const char* path :
       {"/static/../Makefile", "/static/%2e%2e/Makefile", "/../../etc/passwd", "/./healthz",
        "/images/../../../../etc/passwd", "/images/..%2f..%2fetc%2fpasswd"}) {
    CAPTURE(path);
    const Reply reply = it.backend.get(path);
    CHECK(reply.status == 404);
    CHECK_FALSE(reply.body_has("root:"));
  }
}

TEST_CASE("hostile: a request may come a byte at a time") {
  Deployment& it = OneProcess::deployment();
  for (const std::uint16_t port :
       {it.backend_server().backend_port(), it.cache_server().cache_port()}) {
    Peer peer(port);
    for (const char byte : get(host + "Connection: close\r\n")) peer.send(std::string(1, byte));
    const std::vector<Reply> replies = replies_in(peer.receive_all());
    REQUIRE(replies.size() == 1);
    CHECK(replies[0].status == 200);
  }
}

TEST_CASE("hostile: who pipelines without end is served so far, and then ended") {
  Deployment& it = OneProcess::deployment();
  std::string requests;
  for (int i = 0; i < 5'000; ++i) requests += hidden;
  Peer peer(it.backend_server().backend_port());
  peer.send(requests);
  const std::vector<Reply> replies = replies_in(peer.receive_all());
  CHECK(replies.size() >= 1'000);
  CHECK(replies.size() < 5'000);
  CHECK(replies.back().header("Connection") == "close");
  CHECK(it.backend.get("/healthz").status == 200);
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
