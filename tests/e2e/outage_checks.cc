#include "tests/e2e/outage_checks.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace imgcached::e2e {

namespace fs = std::filesystem;

Longest::~Longest() {
  if (std::getenv("IMGCACHED_TEST_FIGURES")) MESSAGE(what_ << ": " << ms_ << " ms at most");
}

TimedReply timed(HttpPeer& peer, std::string_view method, std::string_view target,
                 const Content& content) {
  http::Headers headers;
  if (!content.type.empty()) headers.add("Content-Type", content.type);
  const Stopwatch watch;
  Reply reply = peer.request(method, target, headers, content.body);
  return {std::move(reply), watch.elapsed_ms()};
}

void send(HttpPeer& peer, std::string_view method, std::string_view target, std::string_view body) {
  http::Headers headers;
  headers.add("Host", "localhost");
  headers.add("Content-Length", std::to_string(body.size()));
  REQUIRE(peer.connection().send(request_head(method, target, headers).append(body)));
}

void check_refused(const TimedReply& answer) {
  const Reply& reply = answer.reply;
  CAPTURE(reply.body);
  CHECK(reply.status == 503);
  CHECK(reply.header("Retry-After") == "1");
  CHECK(answer.elapsed_ms < answer_ms_max());
  CHECK(reply.body_has("try again"));
  for (const char* inside :
       {"sock", "127.0.0.1", "MySQL", "MariaDB", "SQL", "password", "root", "errno", "test_"}) {
    CAPTURE(inside);
    CHECK_FALSE(reply.body_has(inside));
  }
}

void read_until_cached(HttpPeer& backend, std::string_view key, std::string_view image) {
  eventually("the image is cached", [&] {
    const Reply reply = backend.get(path_of("/images/", key));
    REQUIRE(reply.status == 200);
    REQUIRE((reply.body == image));
    return reply.header("X-Cache") == "hit";
  });
}

std::size_t descriptors(const Server& server) {
  const fs::directory_iterator entries("/proc/" + std::to_string(server.pid()) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::size_t log_lines(const Server& server) {
  const std::string log = server.log();
  return static_cast<std::size_t>(std::count(log.begin(), log.end(), '\n'));
}

}  // namespace imgcached::e2e
