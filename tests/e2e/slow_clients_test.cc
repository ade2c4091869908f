// Crowds of clients that idle, or send or read so slowly that they nearly do: those
// who behave are served beside them, and afterwards nothing of the crowd is left.
//
// The crowd has IMGCACHED_TEST_SLOW_CLIENTS members, 500 by default; the server has
// to be allowed three descriptors for each (`ulimit -n`).
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

// More than the sockets of a connection hold, so that the server has to wait.
constexpr std::size_t slowly_read_bytes = 6 << 20;

std::size_t crowd_size() {
  const char* text = std::getenv("IMGCACHED_TEST_SLOW_CLIENTS");
  return text ? static_cast<std::size_t>(std::atoi(text)) : 500;
}

using Crowd = std::vector<std::unique_ptr<Peer>>;

Crowd gather(std::uint16_t port, std::string_view first_words) {
  Crowd crowd;
  for (std::size_t i = 0; i < crowd_size(); ++i) {
    crowd.push_back(std::make_unique<Peer>(port));
    crowd.back()->send(first_words);
  }
  return crowd;
}

std::int64_t connections(Deployment& it) {
  return sample(it.backend.get("/metrics"), "imgcached_http_connections{server=\"backend\"}");
}

// Who asks is the only one: a server may not have seen yet that those before him have gone.
constexpr std::int64_t nobody_else = 1;
void wait_until_alone(Deployment& it) {
  eventually("all others to be forgotten", [&] { return connections(it) == nobody_else; });
}

void wait_until_all_are_there(Deployment& it, const Crowd& crowd) {
  eventually("the whole crowd to be connected", [&] {
    return connections(it) == nobody_else + static_cast<std::int64_t>(crowd.size());
  });
}

// Somebody new, who does a bit of everything.
void check_served(Deployment& it) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds patience{10'000};  // a loaded machine's
  for (std::uint64_t i = 0; i < 20; ++i) {
    const Clock::time_point begin = Clock::now();
    HttpPeer peer(it.backend_server().backend_port());
    const std::string image = png(2'000, i);
    CHECK(peer.request("PUT", "/images/served", {}, image).status / 100 == 2);
    CHECK(peer.get("/images/served").body == image);
    CHECK(peer.get("/keys_list").status == 200);
    CHECK(Clock::now() - begin < patience);
  }
}

void check_crowd_is_harmless(Deployment& it, std::string_view first_words) {
  wait_until_alone(it);
  Crowd crowd = gather(it.backend_server().backend_port(), first_words);
  wait_until_all_are_there(it, crowd);
  check_served(it);
  crowd.clear();
  wait_until_alone(it);
}

TEST_CASE("slow: a crowd of idle connections is held, and others are served") {
  Deployment& it = OneProcess::deployment();
  check_crowd_is_harmless(it, "");
  check_crowd_is_harmless(it, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST_CASE("slow: a crowd that never ends its heads is no harm to others") {
  check_crowd_is_harmless(OneProcess::deployment(),
                          "GET /healthz HTTP/1.1\r\nHost: x\r\nX-a: b\r\n");
}

TEST_CASE("slow: a crowd that never ends its bodies is no harm to others") {
  check_crowd_is_harmless(OneProcess::deployment(),
                          "PUT /images/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
                          "\x89PNG\r\n\x1a\n");
}

TEST_CASE("slow: a crowd that does not read what it asked for is no harm to others") {
  Deployment it(OneProcess::kind, {.image_bytes_max = slowly_read_bytes});
  it.upload("large", png(slowly_read_bytes, 1));
  it.read("large");
  check_crowd_is_harmless(it, "GET /images/large HTTP/1.1\r\nHost: x\r\n\r\n");
}

std::int64_t resident_bytes(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    std::int64_t kilobytes = 0;
    if (word == "VmRSS:" && status >> kilobytes) return kilobytes * 1024;
  }
  FAIL("no VmRSS");
  return 0;
}

TEST_CASE("bug: each slow reader of an image in base64 held a copy of his own") {
  constexpr std::int64_t bytes_each_max = 512 << 10;  // with what a sanitizer adds
  Deployment it(OneProcess::kind, {.image_bytes_max = slowly_read_bytes});
  it.upload("large", png(slowly_read_bytes, 1));
  it.read("large");
  const pid_t server = it.backend_server().pid();
  const std::int64_t before = resident_bytes(server);
  for (const char* target : {"/api/key/large", "/image?key_value=large"}) {
    CAPTURE(target);
    wait_until_alone(it);
    const Crowd crowd = gather(it.backend_server().backend_port(),
                               fmt::format("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", target));
    wait_until_all_are_there(it, crowd);
    CHECK(it.backend.get("/api/key/large").status == 200);  // behind all of theirs
    CHECK(resident_bytes(server) - before <
          static_cast<std::int64_t>(crowd.size()) * bytes_each_max);
  }
}

DEPLOYED_TEST_CASE("bug: each slow reader of an image that came anew held a copy of his own") {
  constexpr std::size_t readers = 120;
  constexpr std::int64_t copies_bytes = readers * slowly_read_bytes;
  Deployment it(Where::kind, {.image_bytes_max = slowly_read_bytes});
  it.upload("large", png(slowly_read_bytes, 1));
  // Off: each read is of the file. On: with the cache elsewhere each is of its copy.
  for (const char* capacity_mb : {"0", "100"}) {
    CAPTURE(capacity_mb);
    it.configure(capacity_mb);
    it.read("large");
    const pid_t server = it.backend_server().pid();
    const std::int64_t before = resident_bytes(server);
    Crowd crowd;
    for (std::size_t i = 0; i < readers; ++i) {
      crowd.push_back(std::make_unique<Peer>(it.backend_server().backend_port()));
      crowd.back()->send("GET /images/large HTTP/1.1\r\nHost: x\r\n\r\n");
      CHECK(crowd.back()->receive_exactly(12) == "HTTP/1.1 200");
    }
    // What a sanitizer keeps of freed memory is a quarter of a gigabyte.
    CHECK(resident_bytes(server) - before < copies_bytes / 2);
    CHECK(it.read("large").size() == slowly_read_bytes);
  }
}

TEST_CASE("bug: uploads that had gone to their files kept other uploads out") {
  constexpr std::uint64_t held_max = 192 << 10;  // a writer's buffer and a read
  constexpr std::size_t sent_bytes = 1 << 20;
  Deployment it(OneProcess::kind, {.image_bytes_max = slowly_read_bytes});
  const std::string part = png(sent_bytes, 1);
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n";
  Peer raw(it.backend_server().backend_port());
  raw.send("PUT /images/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + part);
  Peer browser(it.backend_server().backend_port());
  browser.send(
      "POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
      "Content-Length: 2000000\r\n\r\n" +
      form + part);
  eventually("most of both is in their files", [&] {
    std::uintmax_t bytes = 0;
    for (const std::string& file : it.files()) bytes += std::filesystem::file_size(file);
    return bytes >= 2 * (sent_bytes - held_max);
  });
  const auto held =
      sample(it.backend.get("/metrics"), "imgcached_http_body_bytes_in_flight{server=\"backend\"}");
  CHECK(held <= static_cast<std::int64_t>(2 * held_max));
}

// The sanitizers keep memory on purpose.
TEST_CASE("bug: what a crowd had taken stayed with the server when all had gone" *
          doctest::skip(is_sanitized())) {
  constexpr std::size_t members = 400;
  constexpr std::size_t body_bytes = 150'000;
  constexpr std::int64_t taken = members * body_bytes;
  Deployment it(OneProcess::kind);
  const pid_t server = it.backend_server().pid();
  const std::int64_t before = resident_bytes(server);
  // The first teaches the allocator that such sizes come again, and are worth keeping.
  for (int crowds = 0; crowds < 2; ++crowds) {
    Crowd crowd;
    for (std::size_t i = 0; i < members; ++i) {
      crowd.push_back(std::make_unique<Peer>(it.backend_server().backend_port()));
      crowd.back()->send(
          "POST /delete_images HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\nkey=" +
          std::string(body_bytes, 'k'));
    }
    eventually("they hold much", [&] { return resident_bytes(server) - before > taken; });
    crowd.clear();
    wait_until_alone(it);
  }
  CHECK(resident_bytes(server) - before < taken / 2);
}

// They sent as much as any body had to, and had all files that large uploads may have for hours.
TEST_CASE("bug: uploads that dripped into their files kept all other large ones out") {
  constexpr std::size_t files_max = 8;  // with that few descriptors
  constexpr auto drip_interval = std::chrono::milliseconds(500);
  constexpr std::size_t drip_bytes = 2'000;
  Deployment::Options options;
  options.image_bytes_max = slowly_read_bytes;
  options.launcher = {"sh", "-c", "ulimit -n 304; exec \"$@\"", "sh"};
  Deployment it(OneProcess::kind, options);
  Crowd dripping;
  const std::string image = png(slowly_read_bytes, 1);
  for (std::size_t i = 0; i < files_max; ++i) {
    dripping.push_back(std::make_unique<Peer>(it.backend_server().backend_port()));
    dripping.back()->send(
        fmt::format("PUT /images/{} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", i,
                    slowly_read_bytes) +
        image.substr(0, 200'000));
  }
  eventually("each of them has a file", [&] { return it.files().size() == files_max; });
  CHECK(it.backend.request("PUT", "/images/large", {}, image).status == 503);
  std::size_t sent = 200'000;
  auto due = std::chrono::steady_clock::now();
  eventually("one of the files is to be had", [&] {
    if (std::chrono::steady_clock::now() >= due) {
      due += drip_interval;
      for (const auto& peer : dripping) peer->send(image.substr(sent, drip_bytes));
      sent += drip_bytes;
    }
    return it.files().size() < files_max;
  });
  CHECK(it.backend.request("PUT", "/images/large", {}, image).status == 201);
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
