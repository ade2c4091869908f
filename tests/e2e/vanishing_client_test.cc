// Clients that vanish, at every byte: afterwards nothing of them is left, no task,
// no handle, no descriptor, no temporary file and nothing of the budget of bodies.
//
// In one process: two have a pool of connections between them, whose size follows
// the load.
//
// A larger upload, which has a temporary file, is cut at every so many bytes; at
// every single one with IMGCACHED_TEST_EVERY_BYTE=1, which takes minutes.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t spilled_bytes = 150 * 1024;  // more than is kept in memory
constexpr std::size_t stride_default = 1'009;

std::size_t stride() { return std::getenv("IMGCACHED_TEST_EVERY_BYTE") ? 1 : stride_default; }

std::size_t entries(const std::string& directory) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

// What the backend holds on to, in words to compare. Its own asking is always the
// same part of it. Its connections to the database, whose number follows the load,
// are left out: each is a poll handle and a timer.
std::string holdings_of(Deployment& it) {
  const Reply metrics = it.backend.get("/metrics");
  const auto of = [&](const std::string& name) {
    return sample(metrics, name + "{server=\"backend\"}");
  };
  const auto database = sample(metrics, "imgcached_database_connections");
  return fmt::format(
      "connections={} tasks={} body_bytes={} answer_bytes={} handles={} jobs={} temporary_files={}",
      of("imgcached_http_connections"), of("imgcached_http_tasks"),
      of("imgcached_http_body_bytes_in_flight"), of("imgcached_http_answer_bytes_in_flight"),
      of("imgcached_loop_handles") - 2 * database, of("imgcached_loop_jobs"),
      entries(it.backend_server().images_directory() + "/tmp"));
}

// Those of both services; their connections to the database come and go.
constexpr std::size_t database_connections_max = 18;

std::size_t descriptors_of(Deployment& it) {
  return entries(fmt::format("/proc/{}/fd", it.backend_server().pid()));
}

enum class Farewell { end, reset };

void leave(Peer& peer, Farewell farewell) {
  if (farewell == Farewell::reset) peer.reset();
  else peer.close();
}

// Sends the request cut off at every `step`-th byte, and vanishes.
void vanish_while_sending(Deployment& it, const std::string& request, std::size_t step) {
  for (const Farewell farewell : {Farewell::end, Farewell::reset}) {
    for (std::size_t size = 0; size < request.size(); size += step) {
      Peer peer(it.backend_server().backend_port());
      peer.send(std::string_view(request).substr(0, size));
      leave(peer, farewell);
    }
  }
}

// Asks, and vanishes after every single byte of the answer.
void vanish_while_receiving(Deployment& it, const std::string& request) {
  std::size_t size = 0;
  for (bool is_whole = false; !is_whole; ++size) {
    for (const Farewell farewell : {Farewell::end, Farewell::reset}) {
      Peer peer(it.backend_server().backend_port());
      peer.send(request);
      const std::string received = peer.receive_exactly(size);
      is_whole = received.size() < size;  // there was no more
      leave(peer, farewell);
    }
  }
  CHECK(size > png_bytes_min);
}

void check_nothing_left(Deployment& it, const std::string& before, std::size_t descriptors_before) {
  std::string now;
  CAPTURE(before);
  CAPTURE(now);
  eventually("what vanished clients left behind to be gone",
             [&] { return (now = holdings_of(it)) == before; });
  CHECK(descriptors_of(it) < descriptors_before + database_connections_max);
}

std::string put_request(std::string_view key, std::string_view image) {
  return fmt::format("PUT /images/{} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", key,
                     image.size(), image);
}

std::string chunked_put_request(std::string_view key, std::string_view image) {
  return fmt::format("PUT /images/{} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{}",
                     key, chunked(image, 50));
}

std::string form_request(std::string_view path, std::string_view key, std::string_view image) {
  const Content form = Multipart().field("key", key).file("file", image);
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}", path,
      form.type, form.body.size(), form.body);
}

TEST_CASE("vanishing: a client that goes at any byte of a read leaves nothing") {
  Deployment& it = OneProcess::deployment();
  it.upload("vanish-read", png(400, 1));
  it.read("vanish-read");
  const std::string before = holdings_of(it);
  const std::size_t descriptors = descriptors_of(it);
  const std::string hit =
      "GET /images/vanish-read HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  vanish_while_sending(it, hit, 1);
  vanish_while_receiving(it, hit);
  vanish_while_receiving(it, "POST /api/key/vanish-read HTTP/1.0\r\n\r\n");
  check_nothing_left(it, before, descriptors);
  CHECK(it.read("vanish-read") == png(400, 1));
}

TEST_CASE("vanishing: a client that goes at any byte of an upload leaves nothing") {
  Deployment& it = OneProcess::deployment();
  const std::string small = png(200, 2);
  it.upload("vanish-warm", small);
  const std::string before = holdings_of(it);
  const std::size_t descriptors = descriptors_of(it);
  const std::size_t files = it.files().size();
  vanish_while_sending(it, put_request("vanish-put", small), 1);
  vanish_while_sending(it, chunked_put_request("vanish-put", small), 1);
  vanish_while_sending(it, form_request("/api/upload", "vanish-put", small), 1);
  vanish_while_sending(it, form_request("/upload_image", "vanish-put", small), 1);
  check_nothing_left(it, before, descriptors);
  CHECK(it.keys("vanish-put").empty());
  CHECK(it.files().size() == files);
}

TEST_CASE("vanishing: a client that goes within a large upload leaves no file") {
  Deployment& it = OneProcess::deployment();
  const std::string large = png(spilled_bytes, 3);
  it.upload("vanish-warm", large);
  const std::string before = holdings_of(it);
  const std::size_t descriptors = descriptors_of(it);
  const std::size_t files = it.files().size();
  vanish_while_sending(it, put_request("vanish-large", large), stride());
  vanish_while_sending(it, form_request("/api/upload", "vanish-large", large), stride());
  check_nothing_left(it, before, descriptors);
  CHECK(it.keys("vanish-large").empty());
  CHECK(it.files().size() == files);
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
