// Several loops at one port (--backend-loops): what one of them has done, all of them
// know, and each does its part.
//
// The kernel hands connections to the loops by a hash of their ports. A crowd of
// `crowd_size` leaves one of three loops out once in 5,000 times; the tests hold then,
// too, and show less.
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/answer_time.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

namespace fs = std::filesystem;

constexpr int loops = 3;
constexpr std::size_t crowd_size = 24;

using Crowd = std::vector<std::unique_ptr<HttpPeer>>;

Crowd crowd_of(const Server& server) {
  Crowd crowd;
  for (std::size_t i = 0; i < crowd_size; ++i) {
    crowd.push_back(std::make_unique<HttpPeer>(server.backend_port()));
  }
  return crowd;
}

std::string head_of(std::string_view method, const std::string& target, std::size_t body_bytes) {
  http::Headers headers = with("Host", "loops");
  headers.add("Content-Length", std::to_string(body_bytes));
  return request_head(method, target, headers);
}

std::string contents_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// How many sockets of this machine listen at a port of 127.0.0.1.
int listeners_at(std::uint16_t port) {
  // sl  local_address rem_address   st ...
  //  0: 0100007F:1388 00000000:0000 0A ...
  const std::string wanted = fmt::format(" 0100007F:{:04X} 00000000:0000 0A ", port);
  std::ifstream sockets("/proc/net/tcp");
  int count = 0;
  for (std::string line; std::getline(sockets, line);) {
    if (line.find(wanted) != std::string::npos) ++count;
  }
  return count;
}

TEST_CASE("loops: each listens at the same port, which is nobody else's") {
  Server server({.flags = {"--backend-loops", std::to_string(loops)}});
  CHECK(listeners_at(server.backend_port()) == loops);
  CHECK(listeners_at(server.cache_port()) == 1);

  const ScratchDirectory scratch;
  const Outcome second =
      run_imgcached({"--listen", fmt::format("127.0.0.1:{}", server.backend_port()),
                     "--cache-listen", "127.0.0.1:0", "--images", scratch.path() + "/images",
                     "--db-socket", Database::shared().socket(), "--db-user", "root", "--db-name",
                     Database::shared().create(), "--backend-loops", "2"});
  CHECK(second.status == 2);
  CHECK(second.errors.find("--listen: ") != std::string::npos);
}

TEST_CASE("loops: /metrics is of all of them") {
  Deployment it(Deployment::Kind::several_loops, {.backend_loops = loops});
  it.upload("counted", png(1'000, 1));
  it.read("counted");
  const Reply before = it.backend.get("/metrics");
  const Crowd crowd = crowd_of(it.backend_server());
  for (const auto& peer : crowd) {
    CHECK(peer->get("/images/counted").status == 200);
    CHECK(peer->get("/images/nothing").status == 404);
  }
  CHECK(sample(before, "imgcached_backend_loops") == loops);
  CHECK(sample(before, "imgcached_database_connections") > 0);
  for (const auto& peer : crowd) {
    const Reply after = peer->get("/metrics");
    const auto grown = [&](const std::string& name) {
      return sample(after, name) - sample(before, name);
    };
    CHECK(grown("imgcached_http_connections{server=\"backend\"}") == crowd_size);
    CHECK(grown("imgcached_http_responses_total{server=\"backend\",status=\"4xx\"}") == crowd_size);
    CHECK(grown("imgcached_image_hits_total") == crowd_size);
    CHECK(grown("imgcached_image_misses_total") == crowd_size);
  }
}

// Whoever writes, everybody reads what was written last.
void check_all_agree(Deployment& it) {
  const Crowd crowd = crowd_of(it.backend_server());
  for (std::size_t round = 0; round < 2 * crowd_size; ++round) {
    HttpPeer& writer = *crowd[round % crowd_size];
    const std::string image = png(2'000, static_cast<int>(round));
    const int status = writer.request("PUT", "/images/shared", {}, image).status;
    CHECK(status == (round == 0 ? 201 : 200));
    for (const auto& reader : crowd) {
      const Reply reply = reader->get("/images/shared");
      REQUIRE(reply.status == 200);
      REQUIRE((reply.body == image));
    }
    if (round % 3 != 0) continue;
    CHECK(writer.request("DELETE", "/images/shared").status == 204);
    for (const auto& reader : crowd) REQUIRE(reader->get("/images/shared").status == 404);
    CHECK(writer.request("PUT", "/images/shared", {}, image).status == 201);
  }
}

TEST_CASE("loops: what was uploaded or removed over one is so over all") {
  SUBCASE("in one process") {
    Deployment it(Deployment::Kind::several_loops, {.backend_loops = loops});
    check_all_agree(it);
  }
  SUBCASE("in two") {
    Deployment it(Deployment::Kind::two_processes, {.backend_loops = loops});
    check_all_agree(it);
  }
}

TEST_CASE("loops: what a client leaves unfinished is gone, on whichever it was") {
  Deployment it(Deployment::Kind::several_loops, {.backend_loops = loops});
  const std::string image = png(Deployment::upload_bytes_max, 1);
  const std::string unfinished = it.backend_server().images_directory() + "/tmp";
  const auto files = [&] {
    return std::distance(fs::directory_iterator(unfinished), fs::directory_iterator());
  };
  {
    const Crowd crowd = crowd_of(it.backend_server());
    for (const auto& peer : crowd) {
      const std::string head = head_of("PUT", "/images/unfinished", image.size());
      peer->connection().send(head + image.substr(0, image.size() - 1));
    }
    eventually("each has a file", [&] { return files() == crowd_size; });
  }
  eventually("no file is left", [&] { return files() == 0; });
  eventually("nothing of a body is left", [&] {
    return sample(it.backend.get("/metrics"),
                  "imgcached_http_body_bytes_in_flight{server=\"backend\"}") == 0;
  });
  CHECK(it.backend.get("/images/unfinished").status == 404);
}

TEST_CASE("loops: a drain finishes what is under way on each") {
  Deployment it(Deployment::Kind::several_loops, {.backend_loops = loops});
  const std::string image = png(200'000, 1);
  const Crowd crowd = crowd_of(it.backend_server());
  for (std::size_t i = 0; i < crowd_size; ++i) {
    const std::string head = head_of("PUT", fmt::format("/images/drained-{}", i), image.size());
    crowd[i]->connection().send(head + image.substr(0, 150'000));
  }
  eventually("each is being received", [&] {
    return sample(it.backend.get("/metrics"), "imgcached_http_connections{server=\"backend\"}") ==
           crowd_size + 1;
  });
  it.backend_server().signal(SIGTERM);
  eventually("it listens no more",
             [&] { return listeners_at(it.backend_server().backend_port()) == 0; });
  for (const auto& peer : crowd) {
    peer->connection().send(image.substr(150'000));
    const std::optional<Reply> reply = peer->receive();
    REQUIRE(reply.has_value());
    CHECK(reply->status == 201);
    CHECK(reply->header("Connection") == "close");
  }
  // A second signal would end it at once.
  const std::string status = fmt::format("/proc/{}/stat", it.backend_server().pid());
  eventually("it has ended", [&] { return contents_of(status).find(") Z ") != std::string::npos; });
  it.restart();
  for (std::size_t i = 0; i < crowd_size; ++i) {
    REQUIRE((it.read(fmt::format("drained-{}", i)) == image));
  }
}

TEST_CASE("loops: one grace bounds the drain of all") {
  Server server({.flags = {"--backend-loops", std::to_string(loops)}});
  const Crowd crowd = crowd_of(server);
  for (const auto& peer : crowd) peer->connection().send(head_of("PUT", "/images/never", 1'000));
  HttpPeer observer(server.backend_port());
  eventually("each is being served", [&] {
    return sample(observer.get("/metrics"), "imgcached_http_connections{server=\"backend\"}") ==
           crowd_size + 1;
  });
  constexpr long grace_ms = 10'000;
  const Stopwatch watch;
  CHECK(server.terminate() == 0);
  CHECK(watch.elapsed_ms() >= grace_ms - 1);
  CHECK(watch.elapsed_ms() < 2 * grace_ms);
}

}  // namespace
}  // namespace imgcached::e2e
