// What the program does while the database or the cache service is gone, or is
// there and silent, and how it comes back.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "cache/stats_recorder.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/fixture.h"
#include "tests/e2e/http_peer.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

// The contract says two seconds, and the server's own limits add up to less. What
// is more here is for a loaded machine, and for a sanitizer.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long answer_ms_max = 8'000;
#else
constexpr long answer_ms_max = 2'500;
#endif

struct TimedReply {
  Reply reply;
  long elapsed_ms;
};

TimedReply timed(HttpPeer& peer, std::string_view method, std::string_view target,
                 const Content& content = {}) {
  const auto begin = std::chrono::steady_clock::now();
  http::Headers headers;
  if (!content.type.empty()) headers.add("Content-Type", content.type);
  Reply reply = peer.request(method, target, headers, content.body);
  const auto elapsed = std::chrono::steady_clock::now() - begin;
  return {std::move(reply), std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count()};
}

// A request whose answer is awaited later, or never.
void send(HttpPeer& peer, std::string_view method, std::string_view target,
          std::string_view body = {}) {
  http::Headers headers;
  headers.add("Host", "localhost");
  headers.add("Content-Length", std::to_string(body.size()));
  REQUIRE(peer.connection().send(request_head(method, target, headers).append(body)));
}

enum class Outage { stopped, killed, frozen };

// Takes the shared database away for as long as it lives.
class DatabaseOutage {
 public:
  explicit DatabaseOutage(Outage kind) : kind_(kind) {
    switch (kind_) {
      case Outage::stopped: Database::shared().stop(); break;
      case Outage::killed: Database::shared().kill(); break;
      case Outage::frozen: Database::shared().freeze(); break;
    }
  }
  ~DatabaseOutage() {
    if (kind_ == Outage::frozen) {
      Database::shared().thaw();
    } else {
      Database::shared().start();
    }
  }
  DatabaseOutage(const DatabaseOutage&) = delete;
  DatabaseOutage& operator=(const DatabaseOutage&) = delete;

 private:
  Outage kind_;
};

// A process that is stopped in its tracks for as long as this lives.
class Frozen {
 public:
  explicit Frozen(Server& server) : server_(server) { server_.signal(SIGSTOP); }
  ~Frozen() { server_.signal(SIGCONT); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  Server& server_;
};

// Reads until it is a hit; meanwhile nothing but this image is served.
void read_until_cached(Deployment& it, std::string_view key, std::string_view image) {
  eventually("the image is cached", [&] {
    const Reply reply = it.backend.get(path_of("/images/", key));
    REQUIRE(reply.status == 200);
    REQUIRE((reply.body == image));
    return reply.header("X-Cache") == "hit";
  });
}

// --- The database -------------------------------------------------------------------------------

DEPLOYED_TEST_CASE("without the database cached images are served and the rest is 503 in time") {
  Deployment& it = Where::deployment();
  Outage kind = Outage::stopped;
  std::string name;
  SUBCASE("stopped") { name = "stopped"; }
  SUBCASE("killed") { kind = Outage::killed, name = "killed"; }
  SUBCASE("frozen") { kind = Outage::frozen, name = "frozen"; }
  const std::string cached = "cached " + name;
  const std::string uncached = "uncached " + name;
  const std::string cached_image = png(10'000, 1);
  const std::string uncached_image = png(10'000, 2);
  it.upload(cached, cached_image);
  it.upload(uncached, uncached_image);
  CHECK(it.read(cached) == cached_image);
  {
    const DatabaseOutage outage(kind);
    const Content upload = Multipart().field("key", cached).file("file", png(500, 3));
    const struct {
      std::string method, target;
      Content content;
    } refused[] = {
        {"GET", path_of("/images/", uncached), {}},
        {"POST", path_of("/api/key/", uncached), {}},
        {"POST", "/api/list_keys", {}},
        {"POST", "/api/upload", upload},
        {"PUT", path_of("/images/", uncached), {"image/png", png(500, 4)}},
        {"DELETE", path_of("/images/", cached), {}},
        {"POST", path_of("/api/delete/", cached), {}},
        {"POST", "/api/delete_all", {}},
        {"GET", "/readyz", {}},
    };
    for (const auto& [method, target, content] : refused) {
      CAPTURE(method);
      CAPTURE(target);
      const TimedReply answer = timed(it.backend, method, target, content);
      CHECK(answer.reply.status == 503);
      CHECK(answer.reply.header("Retry-After") != "");
      CHECK(answer.elapsed_ms < answer_ms_max);
      const TimedReply read = timed(it.backend, "GET", path_of("/images/", cached));
      CHECK(read.reply.status == 200);
      CHECK((read.reply.body == cached_image));
      CHECK(read.elapsed_ms < answer_ms_max);
    }
    CHECK(it.backend.get("/healthz").status == 200);
    CHECK(it.backend.get("/").status != 404);  // it says something to people, too
    const TimedReply refresh = timed(it.cache, "POST", "/refresh_configuration");
    CHECK(refresh.reply.status == 503);
    CHECK(refresh.reply.body == "\"Service Unavailable\"");
    CHECK(refresh.elapsed_ms < answer_ms_max);
    CHECK(it.cache.get("/healthz").status == 200);
    CHECK(it.cache.get("/readyz").status == 503);
  }
  eventually("the backend has the database again",
             [&] { return it.backend.get(path_of("/images/", uncached)).status == 200; });
  CHECK(it.read(uncached) == uncached_image);
  CHECK(it.read(cached) == cached_image);
  eventually("the cache service has, too",
             [&] { return it.cache.post("/refresh_configuration").status == 200; });
  it.upload(cached, png(500, 5));
  CHECK(it.read(cached) == png(500, 5));
}

DEPLOYED_TEST_CASE("a read that hangs for the database does not hold up one that is cached") {
  Deployment& it = Where::deployment();
  it.upload("quick", png(1'000, 1));
  it.upload("hanging", png(1'000, 2));
  CHECK(it.read("quick") == png(1'000, 1));
  const DatabaseOutage outage(Outage::frozen);
  HttpPeer patient(it.backend_server().backend_port());
  send(patient, "GET", "/images/hanging");
  const Reply cached = it.backend.get("/images/quick");
  CHECK(cached.status == 200);
  CHECK(cached.header("X-Cache") == "hit");
  const std::optional<Reply> refused = patient.receive();
  REQUIRE(refused.has_value());
  CHECK(refused->status == 503);
}

DEPLOYED_TEST_CASE("a database that was restarted between two requests is noticed by nobody") {
  Deployment& it = Where::deployment();
  it.upload("before", png(1'000, 1));
  Database::shared().stop();
  Database::shared().start();
  CHECK(it.read("before") == png(1'000, 1));
  it.upload("after", png(1'000, 2));
  CHECK(it.read("after") == png(1'000, 2));
}

DEPLOYED_TEST_CASE("an upload that a frozen database got is whole or not there when it goes on") {
  Deployment& it = Where::deployment();
  const std::string images[] = {png(2'000, 1), png(2'000, 2), png(2'000, 3)};
  it.upload("in doubt", images[0]);
  CHECK(it.read("in doubt") == images[0]);
  const std::size_t files = it.files().size();
  {
    const DatabaseOutage outage(Outage::frozen);
    const Reply reply = it.backend.request("PUT", "/images/in%20doubt", {}, images[1]);
    CHECK(reply.status == 503);
  }
  eventually("the image can be read",
             [&] { return it.backend.get("/images/in%20doubt").status == 200; });
  const std::string present = it.read("in doubt");
  CHECK((present == images[0] || present == images[1]));
  it.upload("in doubt", images[2]);
  CHECK(it.read("in doubt") == images[2]);
  eventually("the files of the others are gone", [&] { return it.files().size() == files; });
}

TEST_CASE("the statistics of an outage are written after it, with their own times") {
  Deployment& it = OneProcess::deployment();
  it.upload("counted", png(1'000, 1));
  eventually("no row waits", [&] { return it.stat("stats_rows_queued") == 0; });
  std::int64_t began_ms = 0;
  std::int64_t ended_ms = 0;
  {
    const DatabaseOutage outage(Outage::killed);
    began_ms = unix_ms();
    CHECK(it.backend.get("/images/counted").status == 503);
    eventually("a row waits for the database", [&] { return it.stat("stats_rows_queued") > 0; });
    ended_ms = unix_ms();
  }
  eventually("no row waits any more", [&] { return it.stat("stats_rows_queued") == 0; });
  CHECK(it.stat("stats_rows_lost") == 0);
  const auto time = [](std::int64_t ms) {
    return "TIMESTAMPADD(MICROSECOND, " + std::to_string(ms * 1000) + ", '1970-01-01')";
  };
  const Database::Rows rows = it.query(
      "SELECT request_count - hit_count - miss_count, request_count > 0 FROM cache_stats "
      "WHERE created_at BETWEEN " +
      time(began_ms) + " AND " + time(ended_ms));
  REQUIRE_FALSE(rows.empty());
  for (const auto& row : rows) CHECK(row == std::vector<std::string>{"0", "1"});
  // One every five seconds, outage or not.
  const Database::Rows gaps = it.query(
      "SELECT COUNT(*) FROM (SELECT TIMESTAMPDIFF(MICROSECOND, LAG(created_at) OVER "
      "(PARTITION BY started_at ORDER BY created_at), created_at) AS gap FROM cache_stats) "
      "AS intervals WHERE gap > 9000000");
  CHECK(gaps == Database::Rows{{"0"}});
}

TEST_CASE("statistics are kept for a day and then removed") {
  Server server;
  const auto insert = [&](const std::string& age) {
    Database::shared().query(
        "INSERT INTO cache_stats (cache_size, key_count, request_count, hit_count, miss_count, "
        "created_at, started_at) VALUES (1, 1, 1, 1, 0, UTC_TIMESTAMP(3) - INTERVAL " +
            age + ", UTC_TIMESTAMP(3) - INTERVAL 48 HOUR)",
        server.database());
  };
  insert("1450 MINUTE");
  insert("1430 MINUTE");
  server.restart();
  const auto older_than = [&](const std::string& age) {
    return Database::shared().query(
        "SELECT COUNT(*) FROM cache_stats WHERE created_at < "
        "UTC_TIMESTAMP(3) - INTERVAL " +
            age,
        server.database());
  };
  eventually("the old row is gone",
             [&] { return older_than("1440 MINUTE") == Database::Rows{{"0"}}; });
  CHECK(older_than("1420 MINUTE") == Database::Rows{{"1"}});
}

// --- The cache service, as a process of its own -------------------------------------------------

TEST_CASE("without the cache service images are read from disk and uploaded") {
  Deployment& it = TwoProcesses::deployment();
  const std::string images[] = {png(20'000, 1), png(20'000, 2), png(20'000, 3)};
  it.upload("kept", images[0]);
  it.upload("replaced", images[0]);
  read_until_cached(it, "kept", images[0]);
  read_until_cached(it, "replaced", images[0]);

  const auto use_it = [&] {
    for (int i = 0; i < 3; ++i) {
      const TimedReply read = timed(it.backend, "GET", "/images/kept");
      CHECK(read.reply.status == 200);
      CHECK((read.reply.body == images[0]));
      CHECK(read.reply.header("X-Cache") == "miss");
      CHECK(read.elapsed_ms < answer_ms_max);
    }
    for (const int i : {1, 2}) {
      const TimedReply put = timed(it.backend, "PUT", "/images/replaced", {"image/png", images[i]});
      CHECK(put.reply.status == 200);
      CHECK(put.elapsed_ms < answer_ms_max);
      CHECK(it.read("replaced") == images[i]);
    }
    CHECK(it.backend.get("/readyz").status == 503);
  };
  SUBCASE("killed") {
    it.cache_server().kill9();
    use_it();
    it.cache.disconnect();
    it.cache_server().restart();
  }
  SUBCASE("frozen") {
    const Frozen frozen(it.cache_server());
    use_it();
  }
  read_until_cached(it, "replaced", images[2]);
  read_until_cached(it, "kept", images[0]);
  eventually("it is ready", [&] { return it.backend.get("/readyz").status == 200; });
}

TEST_CASE("many readers at once are not queued behind a cache service that is silent") {
  Deployment& it = TwoProcesses::deployment();
  it.upload("wanted", png(1'000, 1));
  read_until_cached(it, "wanted", png(1'000, 1));
  const Frozen frozen(it.cache_server());
  std::vector<std::unique_ptr<HttpPeer>> readers;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) {
    readers.push_back(std::make_unique<HttpPeer>(it.backend_server().backend_port()));
    send(*readers.back(), "GET", "/images/wanted");
  }
  for (const auto& reader : readers) {
    const std::optional<Reply> reply = reader->receive();
    REQUIRE(reply.has_value());
    CHECK((reply->body == png(1'000, 1)));
  }
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(answer_ms_max));
}

TEST_CASE("a removal that a frozen cache service did not hear of is a removal") {
  Deployment& it = TwoProcesses::deployment();
  it.upload("removed", png(1'000, 1));
  read_until_cached(it, "removed", png(1'000, 1));
  {
    const Frozen frozen(it.cache_server());
    CHECK(it.backend.request("DELETE", "/images/removed").status == 204);
    CHECK(it.backend.get("/images/removed").status == 404);
  }
  CHECK(it.backend.get("/images/removed").status == 404);
  eventually("the cache has forgotten it", [&] {
    CHECK(it.backend.get("/images/removed").status == 404);
    return it.cache.get("/get_from_memcache?key=removed").status == 404;
  });
}

TEST_CASE("a backend killed between commit and invalidation serves nothing stale afterwards") {
  Deployment& it = TwoProcesses::deployment();
  const std::string old_image = png(5'000, 1);
  const std::string new_image = png(5'000, 2);
  it.upload("crashed", old_image);
  read_until_cached(it, "crashed", old_image);
  it.query("CREATE TRIGGER slow BEFORE UPDATE ON images FOR EACH ROW SET @slept = SLEEP(1.5)");
  send(it.backend, "PUT", "/images/crashed", new_image);
  eventually("the upload is being committed", [&] {
    return it.query(
               "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() "
               "AND info LIKE '%SLEEP(1.5)%' AND id <> CONNECTION_ID()") == Database::Rows{{"1"}};
  });
  it.backend_server().kill9();
  // The cache lives on with the old image; the database still commits the new one.
  CHECK(it.cache.get("/get_from_memcache?key=crashed").status == 200);
  it.backend.disconnect();
  it.backend_server().restart();
  read_until_cached(it, "crashed", new_image);
  it.query("DROP TRIGGER slow");
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
