// A crash and an orderly end under load: what was acknowledged is there, whole,
// and nothing else is.
//
// IMGCACHED_TEST_UPLOADS=1000 makes it the large test, with images of up to 5 MB;
// IMGCACHED_TEST_CRASHES=200 spreads that many crashes over them;
// IMGCACHED_TEST_IMAGES names a directory of images to upload among the made ones.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "http/parser.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/http_peer.h"
#include "tests/e2e/store_checks.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

namespace fs = std::filesystem;

constexpr int crashes_default = 2;
constexpr int uploads_per_crash_default = 100;

int count_of(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::atoi(text) : otherwise;
}

std::vector<std::string> real_images() {
  std::vector<std::string> images;
  const char* directory = std::getenv("IMGCACHED_TEST_IMAGES");
  if (!directory) return images;
  for (const auto& entry : fs::directory_iterator(directory)) {
    std::ostringstream bytes;
    bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    const std::string extension = entry.path().extension();
    if (extension == ".png" || extension == ".jpg") images.push_back(std::move(bytes).str());
  }
  return images;
}

struct Key {
  std::string name;
  ExpectedImage image;
};

// What all clients share.
struct Load {
  std::size_t image_bytes_max;
  std::vector<std::string> real_images;
  std::atomic<int> uploads{0};
  std::atomic<int> removals{0};
  std::atomic<int> reads{0};
  std::atomic<std::uint64_t> bytes{0};
  std::mutex mutex;
  std::vector<std::string> problems;

  void problem(const std::string& what) {
    const std::lock_guard lock(mutex);
    problems.push_back(what);
  }
};

// Uploads, reads and removes, each client under keys of its own, until the
// connection ends. Checks nothing by doctest, as it runs on a thread.
class LoadClient {
 public:
  LoadClient(Load& load, std::uint64_t seed, int key_count) : load_(load), random_(seed) {
    for (int i = 0; i < key_count; ++i)
      keys_.push_back({std::to_string(seed) + "/" + std::to_string(i), {}});
  }

  // To be called before run(), again after the server has been started again.
  void connect(std::uint16_t port) {
    peer_.emplace(port);
    peer_->connection();
  }
  void run() {
    while (step()) {}
  }
  std::vector<Key>& keys() { return keys_; }

 private:
  bool step() {
    Key& key = keys_[random_.below(keys_.size())];
    const std::uint64_t dice = random_.below(100);
    if (dice < 45) return upload(key);
    return dice < 55 ? remove(key) : read(key);
  }

  bool upload(Key& key) {
    auto image = std::make_shared<const std::string>(make_image());
    key.image.attempted = image;
    const auto reply = peer_->try_request("PUT", "/images/" + key.name, {}, *image);
    if (!reply) return false;
    if (reply->status != (key.image.acknowledged ? 200 : 201)) return unexpected(key, *reply);
    key.image.settle(image);
    load_.bytes += image->size();
    ++load_.uploads;
    return true;
  }
  bool remove(Key& key) {
    key.image.attempted = nullptr;
    const auto reply = peer_->try_request("DELETE", "/images/" + key.name);
    if (!reply) return false;
    if (reply->status != (key.image.acknowledged ? 204 : 404)) return unexpected(key, *reply);
    key.image.settle(nullptr);
    ++load_.removals;
    return true;
  }
  bool read(Key& key) {
    const auto reply = peer_->try_request("GET", "/images/" + key.name);
    if (!reply) return false;
    const std::string* present = reply->status == 404 ? nullptr : &reply->body;
    if ((present && reply->status != 200) || !key.image.match(present))
      return unexpected(key, *reply);
    ++load_.reads;
    return true;
  }
  bool unexpected(const Key& key, const Reply& reply) {
    load_.problem(key.name + ": " + std::to_string(reply.status) + " " + reply.body.substr(0, 200));
    return false;
  }

  // Small ones are more frequent, as they are in life: log-uniform from 1 KB.
  std::string make_image() {
    const std::uint64_t which = random_.below(100);
    if (which < load_.real_images.size()) return load_.real_images[which];
    const double span = std::log(static_cast<double>(load_.image_bytes_max) / 1'000);
    const double at = static_cast<double>(random_.below(1'000'000)) / 1e6;
    return png(static_cast<std::size_t>(1'000 * std::exp(span * at)), random_.next());
  }

  Load& load_;
  std::optional<HttpPeer> peer_;
  Random random_;
  std::vector<Key> keys_;
};

// A deployment under load that is killed again and again.
class CrashingDeployment {
 public:
  static constexpr int client_count = 6;

  CrashingDeployment(Deployment::Kind kind, Load& load, std::uint64_t seed, int key_count)
      : deployment_(kind, {.image_bytes_max = 32u << 20, .durability = "strict"}), load_(load) {
    for (int i = 0; i < client_count; ++i)
      clients_.push_back(std::make_unique<LoadClient>(load, seed + i, key_count));
  }

  // Kills the backend when so many more uploads have been acknowledged, and starts it again.
  void crash_after(int uploads) {
    const int enough = load_.uploads + uploads;
    std::vector<std::thread> threads;
    for (auto& client : clients_) {
      client->connect(server().backend_port());
      threads.emplace_back(&LoadClient::run, client.get());
    }
    eventually("enough uploads are acknowledged",
               [&] { return load_.uploads >= enough || !load_.problems.empty(); });
    server().kill9();
    for (std::thread& thread : threads) thread.join();
    swept += files_of(server()).size();
    server().restart();
    swept -= files_of(server()).size();
    check();
  }

  Server& server() { return deployment_.backend_server(); }

  // In all crashes: files that were gone after the restart, and writes without an answer.
  std::size_t swept = 0;
  std::size_t unanswered = 0;

 private:
  void check() {
    HttpPeer peer(server().backend_port());
    for (auto& client : clients_) {
      for (Key& key : client->keys()) {
        if (key.image.attempted) ++unanswered;
        check_and_settle(peer, key.name, key.image);
      }
    }
    check_rows_are_served(server(), peer);
  }

  Deployment deployment_;
  Load& load_;
  std::vector<std::unique_ptr<LoadClient>> clients_;
};

DEPLOYED_TEST_CASE("kill -9 under load loses nothing that was acknowledged and leaves no orphan") {
  const int crashes = count_of("IMGCACHED_TEST_CRASHES", crashes_default);
  const int uploads_default = crashes * uploads_per_crash_default;
  const int uploads = count_of("IMGCACHED_TEST_UPLOADS", uploads_default);
  const int share = std::max(1, uploads / crashes);
  const bool is_large = uploads > uploads_default;
  Load load;
  load.image_bytes_max = is_large ? 5'000'000 : 512 * 1024;
  load.real_images = real_images();
  const std::uint64_t seed = Random::from_os().below(1'000'000'000);
  CAPTURE(seed);
  Random random(seed);
  CrashingDeployment deployment(Where::kind, load, seed, std::max(8, share / 12));
  for (int crash = 1; crash <= crashes; ++crash) {
    CAPTURE(crash);
    deployment.crash_after(share / 2 + static_cast<int>(random.below(share)));
    REQUIRE(load.problems == std::vector<std::string>());
  }
  CHECK(load.uploads >= uploads / 2);
  CHECK(load.removals > 0);
  CHECK(load.reads > 0);
  if (is_large || crashes > crashes_default) {
    MESSAGE(crashes << " crashes: " << load.uploads.load() << " uploads of "
                    << load.bytes / 1'000'000 << " MB, " << load.removals.load() << " removals and "
                    << load.reads.load() << " reads acknowledged; " << deployment.swept
                    << " files of " << deployment.unanswered << " unanswered writes were swept");
  }
}

bool is_whole_reply(std::string_view received) {
  http::Parser parser(http::Parser::Kind::response);
  http::Parser::Event event;
  do {
    event = parser.advance(received);
  } while (event == http::Parser::Event::head || event == http::Parser::Event::body);
  return event == http::Parser::Event::end;
}

std::string request(std::string_view method, std::string_view target, std::string_view body = {},
                    std::string_view expectation = {}) {
  http::Headers headers;
  headers.add("Host", "localhost");
  headers.add("Content-Length", std::to_string(body.size()));
  if (!expectation.empty()) headers.add("Expect", std::string(expectation));
  std::string text = request_head(method, target, headers);
  if (expectation.empty()) text += body;
  return text;
}

DEPLOYED_TEST_CASE("SIGTERM under load cuts no answer, loses no upload, and counts every read") {
  constexpr int client_count = 6, uploading_count = 3;
  Deployment deployment(Where::kind);
  Server& server = deployment.backend_server();
  const std::string image = png(150'000, 1);
  CHECK(deployment.backend.request("PUT", "/images/cat", {}, image).status == 201);
  deployment.backend.disconnect();
  deployment.cache.disconnect();

  std::atomic<int> reads{0};
  std::atomic<int> cut{0};
  std::atomic<int> refused{0};
  std::vector<std::uint64_t>
      acknowledged[uploading_count];  // each the seed of its image, and its key
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<std::thread> threads;
  const auto read_on = [&](Peer& peer) {
    while (peer.send(request("GET", "/images/cat"))) {
      const std::string received = peer.receive_until(is_whole_reply);
      if (received.empty()) return;
      if (!is_whole_reply(received)) ++cut;
      if (!received.starts_with("HTTP/1.1 200")) ++refused;
      ++reads;
    }
  };
  const auto upload_on = [&](Peer& peer, std::uint64_t client) {
    for (std::uint64_t seed = client;; seed += uploading_count) {
      const std::string key = std::to_string(seed);
      if (!peer.send(request("PUT", "/images/" + key, png(20'000, seed)))) return;
      const std::string received = peer.receive_until(is_whole_reply);
      if (received.empty()) return;
      if (!is_whole_reply(received)) ++cut;
      if (!received.starts_with("HTTP/1.1 201")) ++refused;
      acknowledged[client].push_back(seed);
    }
  };
  for (int i = 0; i < client_count; ++i) {
    peers.push_back(std::make_unique<Peer>(server.backend_port()));
    if (i < uploading_count) {
      threads.emplace_back(upload_on, std::ref(*peers.back()), i);
    } else {
      threads.emplace_back(read_on, std::ref(*peers.back()));
    }
  }
  // A request that is half way through: the drain must wait for it.
  Peer idle(server.backend_port());
  Peer slow(server.backend_port());
  CHECK(idle.send(request("GET", "/healthz")));
  idle.receive_until(is_whole_reply);
  CHECK(slow.send(request("PUT", "/images/slow", image, "100-continue")));
  slow.receive_until([](std::string_view text) { return text.find("100 Continue") != text.npos; });
  std::string slow_reply;
  threads.emplace_back([&] {
    idle.receive_all();  // closed, so the server drains
    slow.send(image);
    slow_reply = slow.receive_all();
  });
  eventually("there is load", [&] { return reads > 200; });

  CHECK(server.terminate() == 0);  // within the grace, or it would have cut answers
  Server& cache = deployment.cache_server();
  if (&cache != &server) CHECK(cache.terminate() == 0);
  for (std::thread& thread : threads) thread.join();
  CHECK(cut == 0);
  CHECK(refused == 0);
  CHECK(slow_reply.starts_with("HTTP/1.1 201"));
  const Database::Rows rows = deployment.query(
      "SELECT request_count, hit_count + miss_count FROM cache_stats ORDER BY id DESC LIMIT 1");
  REQUIRE(rows.size() == 1);
  CHECK(rows[0][0] == std::to_string(reads));
  CHECK(rows[0][1] == std::to_string(reads));
  deployment.restart();
  HttpPeer& peer = deployment.backend;
  CHECK((peer.get("/images/slow").body == image));
  for (const auto& seeds : acknowledged) {
    CHECK_FALSE(seeds.empty());
    for (const std::uint64_t seed : seeds) {
      CHECK((peer.get("/images/" + std::to_string(seed)).body == png(20'000, seed)));
    }
  }
}

}  // namespace
}  // namespace imgcached::e2e
