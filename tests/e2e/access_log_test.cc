// What --access-log tells: each answer, whoever made it, and who got it.
#include <doctest/doctest.h>

#include <string>

#include "tests/e2e/deployment.h"

namespace imgcached::e2e {
namespace {

Server::Options with_access_log() {
  Server::Options options;
  options.flags = {"--access-log"};
  return options;
}

void check_logged(const Server& server, const std::string& what) {
  eventually("the line of " + what, [&] { return server.log().find(what) != std::string::npos; });
}

TEST_CASE("bug: the access log did not know who had reset his connection") {
  const Server server(with_access_log());
  Peer peer(server.backend_port());
  peer.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");  // it has been accepted
  peer.receive_until([](std::string_view reply) { return reply.ends_with("ok\n"); });
  peer.send("DELETE /images/gone HTTP/1.1\r\nHost: x\r\n\r\n");
  peer.reset();
  check_logged(server, "method=DELETE target=/images/gone");
  CHECK(server.log().find("peer=0.0.0.0:") == std::string::npos);
}

TEST_CASE("bug: the access log did not tell what was refused before it was a request") {
  const Server server(with_access_log());
  const auto refused = [&](const std::string& request, const std::string& line) {
    CAPTURE(request.substr(0, 100));
    Peer peer(server.backend_port());
    peer.send(request);
    peer.receive_all();
    check_logged(server, line);
  };
  refused("GET /no-host HTTP/1.1\r\n\r\n", "method=GET target=/no-host status=400");
  refused("DELETE /" + std::string(20'000, 'l') + " HTTP/1.1\r\nHost: x\r\n\r\n",
          "method=DELETE target=/lllll");
  refused("PUT /large-head HTTP/1.1\r\nHost: x\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n",
          "method=PUT target=/large-head status=431");
  refused("GET /version HTTP/2.1\r\nHost: x\r\n\r\n", "method=GET target=/version status=505");
  refused("NONSENSE /x HTTP/1.1\r\nHost: x\r\n\r\n", "method=other target=- status=501");
  refused("GET /two\x01\r\n\r\n", "status=400");
  // Behind a request that was one, what is none has nothing to do with it.
  Peer peer(server.backend_port());
  peer.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  peer.receive_until([](std::string_view reply) { return reply.ends_with("ok\n"); });
  peer.send("\r\n\n\x01");
  peer.receive_all();
  check_logged(server, "method=GET target=/healthz status=200");
  check_logged(server, "method=other target=- status=400");
}

}  // namespace
}  // namespace imgcached::e2e
