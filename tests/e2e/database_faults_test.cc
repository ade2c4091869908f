// What the program does while the database is gone, silent, full, locked,
// unwilling or unintelligible, and how it comes back.
//
// Of every fault the same is asked: cached images are served; what needs the
// database is a 503 in time that says to try again; nothing that was acknowledged
// is lost and nothing wrong is served; and two seconds after the database is back
// all is as before, without a restart, without a descriptor or connection more.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/fixture.h"
#include "tests/e2e/http_peer.h"
#include "tests/e2e/outage_checks.h"
#include "tests/e2e/relay.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

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

// A setting of the shared database server, for as long as it lives.
class GlobalSetting {
 public:
  GlobalSetting(std::string name, const std::string& value) : name_(std::move(name)) {
    before_ = Database::shared().query("SELECT @@GLOBAL." + name_).at(0).at(0);
    set(value);
  }
  ~GlobalSetting() { set(before_); }
  GlobalSetting(const GlobalSetting&) = delete;
  GlobalSetting& operator=(const GlobalSetting&) = delete;

 private:
  void set(const std::string& value) {
    Database::shared().query("SET GLOBAL " + name_ + " = " + value);
  }

  std::string name_;
  std::string before_;
};

// A session of somebody else that did something to a deployment's database, and
// stays as it is.
class OtherSession {
 public:
  OtherSession(const Deployment& it, const std::string& sql)
      : client_({"mariadb", "--no-defaults", "--socket=" + Database::shared().socket(),
                 "--user=root", "--batch", "--skip-column-names", "--unbuffered",
                 "--execute=SELECT CONNECTION_ID(); " + sql + "; SELECT 'done'; DO SLEEP(60)",
                 it.database()},
                directory_.path() + "/errors") {
    id_ = client_.read_line().value_or("");
    std::optional<std::string> line;
    do {
      line = client_.read_line();
      REQUIRE(line.has_value());
    } while (line != "done");
  }
  ~OtherSession() { Database::shared().query("KILL " + id_); }
  OtherSession(const OtherSession&) = delete;
  OtherSession& operator=(const OtherSession&) = delete;

 private:
  ScratchDirectory directory_;
  Process client_;
  std::string id_;
};

// Connections to the shared database that say nothing; each takes a place.
class SilentConnections {
 public:
  ~SilentConnections() {
    for (const int socket : sockets_) ::close(socket);
  }

  void add(int count) {
    while (count-- > 0) add_one();
  }

 private:
  void add_one() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string& path = Database::shared().socket();
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockets_.push_back(socket);
    REQUIRE(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }

  std::vector<int> sockets_;
};

// Many in a row are refused in time, while the image `cached` is served from the cache.
void check_refusals(Deployment& it, const std::string& what) {
  Longest refusal(what);
  for (int i = 0; i < 50; ++i) {
    const TimedReply list = timed(it.backend, "GET", "/api/list_keys");
    check_refused(list);
    refusal.add(list.elapsed_ms);
    CHECK(it.read_outcome("cached") == "hit");
  }
  CHECK(it.backend.get("/readyz").status == 503);
}

// The options of a program that is a user of the database like any other: it may
// do everything to its database, and nothing to the server.
constexpr const char* plain_user = "plain";

Server::Options as_plain_user() {
  Database::shared().query("CREATE USER IF NOT EXISTS plain; GRANT ALL ON `test\\_%`.* TO plain");
  Server::Options options;
  options.database_user = plain_user;
  return options;
}

void end_connections_of_plain_user() { Database::shared().query("KILL USER plain"); }

// The program's connections, as the database sees them.
std::int64_t connections_of(Deployment& it) {
  return std::stoll(it.query("SELECT COUNT(*) FROM information_schema.processlist "
                             "WHERE db = DATABASE() AND id <> CONNECTION_ID()")
                        .at(0)
                        .at(0));
}

// What a deployment holds; a fault must leave it as it was. Of connections to the
// database a service keeps as many as it has needed, within its limit.
struct Footprint {
  static constexpr std::int64_t connections_max = 8 + 2;  // of the backend and of the cache

  explicit Footprint(Deployment& it) {
    it.backend.get("/healthz");  // which our own clients are part of
    it.cache.get("/healthz");
    connections = connections_of(it);
    descriptors_held = descriptors(it.backend_server());
    if (&it.backend_server() != &it.cache_server()) {
      descriptors_held += descriptors(it.cache_server());
    }
    descriptors_held -= static_cast<std::size_t>(connections);
  }

  bool within(const Footprint& other) const {
    return descriptors_held <= other.descriptors_held && connections <= connections_max;
  }

  std::int64_t connections = 0;
  std::size_t descriptors_held = 0;  // beside those
};

void check_footprint(Deployment& it, const Footprint& before) {
  eventually("nothing is held that was not before", [&] { return Footprint(it).within(before); });
}

// Both services are asked until they have the database, which takes two seconds at most.
void check_recovery(Deployment& it, std::string_view stored_key, const std::string& after_what) {
  Longest recovery("recovery after " + after_what);
  const Stopwatch watch;
  eventually("the backend has the database again",
             [&] { return it.backend.get(path_of("/images/", stored_key)).status == 200; });
  eventually("the cache service has, too", [&] { return it.cache.get("/readyz").status == 200; });
  eventually("the backend is ready", [&] { return it.backend.get("/readyz").status == 200; });
  CHECK(watch.elapsed_ms() < answer_ms_max());
  recovery.add(watch.elapsed_ms());
}

void await_statement(Deployment& it, const std::string& part) {
  eventually("the statement is under way", [&] {
    return it.query(
               "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() "
               "AND info LIKE '%" +
               part + "%' AND id <> CONNECTION_ID()") == Database::Rows{{"1"}};
  });
}

// --- It is gone, or silent ----------------------------------------------------------------------

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
  CHECK(it.backend.get("/readyz").status == 200);
  CHECK(it.cache.get("/readyz").status == 200);
  const Footprint before(it);
  const std::size_t lines_before = log_lines(it.backend_server());
  {
    Longest refusal("a refusal without the database, " + name);
    Longest cached_read("a cached read without the database, " + name);
    const DatabaseOutage outage(kind);
    const Content upload = Multipart().field("key", cached).file("file", png(500, 3));
    const struct {
      std::string method, target;
      Content content;
    } refused[] = {
        {"GET", path_of("/images/", uncached), {}},
        {"POST", path_of("/api/key/", uncached), {}},
        {"POST", "/api/list_keys", {}},
        {"POST", "/api/stats", {}},
        {"POST", "/api/upload", upload},
        {"PUT", path_of("/images/", uncached), {"image/png", png(500, 4)}},
        {"DELETE", path_of("/images/", cached), {}},
        {"POST", path_of("/api/delete/", cached), {}},
        {"POST", "/api/delete_all", {}},
        {"POST", "/upload_image", upload},
        {"POST", "/cache_properties",
         urlencoded({{"max_capacity", "10"}, {"replacement_policy", "lru"}})},
        {"GET", "/readyz", {}},
    };
    for (const auto& [method, target, content] : refused) {
      CAPTURE(method);
      CAPTURE(target);
      const TimedReply answer = timed(it.backend, method, target, content);
      check_refused(answer);
      refusal.add(answer.elapsed_ms);
      const TimedReply read = timed(it.backend, "GET", path_of("/images/", cached));
      CHECK(read.reply.status == 200);
      CHECK((read.reply.body == cached_image));
      CHECK(read.reply.header("X-Cache") == "hit");
      CHECK(read.elapsed_ms < answer_ms_max());
      cached_read.add(read.elapsed_ms);
    }
    CHECK(it.backend.get("/healthz").status == 200);
    CHECK(it.backend.get("/").status == 200);  // it says something to people, too
    const TimedReply refresh = timed(it.cache, "POST", "/refresh_configuration");
    CHECK(refresh.reply.status == 503);
    CHECK(refresh.reply.body == "\"Service Unavailable\"");
    CHECK(refresh.elapsed_ms < answer_ms_max());
    CHECK(it.cache.get("/healthz").status == 200);
    CHECK(it.cache.get("/readyz").status == 503);
    CHECK(it.cache.get("/readyz").header("Retry-After") == "1");
    // One who asks again and again is no reason to write again and again.
    for (int i = 0; i < 50; ++i) it.backend.get(path_of("/images/", uncached));
  }
  check_recovery(it, uncached, "a database " + name);
  CHECK(it.read(uncached) == uncached_image);
  CHECK(it.read(cached) == cached_image);
  eventually("the cache service has its table again",
             [&] { return it.cache.post("/refresh_configuration").status == 200; });
  it.upload(cached, png(500, 5));
  CHECK(it.read(cached) == png(500, 5));
  check_footprint(it, before);
  CHECK(log_lines(it.backend_server()) - lines_before < 25);
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

DEPLOYED_TEST_CASE("a database that closes idle connections is noticed by nobody") {
  Deployment it(Where::kind, {.common = as_plain_user()});
  const GlobalSetting setting("wait_timeout", "1");
  end_connections_of_plain_user();
  for (std::uint64_t version = 1; version <= 2; ++version) {
    it.upload("kept", png(1'000, version));
    CHECK(it.read("kept") == png(1'000, version));
    eventually("the connections are closed", [&] { return connections_of(it) == 0; });
  }
  CHECK(it.keys() == Keys{"kept"});
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

DEPLOYED_TEST_CASE("a database killed in the middle of a statement has done nothing") {
  Deployment& it = Where::deployment();
  std::string method, key, event;
  SUBCASE("that replaces an image") { method = "PUT", key = "replaced", event = "UPDATE"; }
  SUBCASE("that adds one") { method = "PUT", key = "added", event = "INSERT"; }
  SUBCASE("that removes one") { method = "DELETE", key = "removed", event = "DELETE"; }
  const std::string old_image = png(3'000, 1), new_image = png(3'000, 2);
  const std::string path = "/images/" + key;
  const bool is_new = event == "INSERT";
  if (!is_new) it.upload(key, old_image);
  if (!is_new) CHECK(it.read(key) == old_image);
  const std::size_t files = it.files().size();
  const Footprint before(it);
  Longest refusal("a refusal of what the database was killed in");
  it.query("CREATE TRIGGER slow BEFORE " + event +
           " ON images FOR EACH ROW SET @slept = SLEEP(30)");
  send(it.backend, method, path, method == "PUT" ? new_image : "");
  await_statement(it, "SLEEP(30)");
  {
    const DatabaseOutage outage(Outage::killed);
    const Stopwatch watch;
    const std::optional<Reply> reply = it.backend.receive();
    REQUIRE(reply.has_value());
    check_refused({*reply, watch.elapsed_ms()});
    refusal.add(watch.elapsed_ms());
  }
  it.query("DROP TRIGGER slow");
  const Stopwatch watch;
  eventually("the image is as before", [&] {
    const Reply reply = it.backend.get(path);
    if (reply.status == 200) CHECK(reply.body == old_image);
    return reply.status == (is_new ? 404 : 200);
  });
  CHECK(watch.elapsed_ms() < answer_ms_max());
  if (method == "PUT") {
    it.upload(key, new_image);
    CHECK(it.read(key) == new_image);
  } else {
    CHECK(it.backend.request("DELETE", path).status == 204);
    CHECK(it.backend.get(path).status == 404);
  }
  const std::size_t left = files + (is_new ? 1 : 0) - (event == "DELETE" ? 1 : 0);
  eventually("each image has its file, and no other is there",
             [&] { return it.files().size() == left; });
  check_footprint(it, before);
}

TEST_CASE("the statistics of an outage are written after it, with their own times") {
  Deployment* const deployments[] = {&OneProcess::deployment(), &TwoProcesses::deployment()};
  for (Deployment* it : deployments) {
    it->upload("counted", png(1'000, 1));
    eventually("no row waits", [&] { return it->stat("stats_rows_queued") == 0; });
  }
  std::int64_t began_ms = 0;
  std::int64_t ended_ms = 0;
  {
    const DatabaseOutage outage(Outage::killed);
    began_ms = unix_ms();
    for (Deployment* it : deployments) {
      CHECK(it->backend.get("/images/counted").status == 503);
      eventually("a row waits for the database", [&] { return it->stat("stats_rows_queued") > 0; });
    }
    ended_ms = unix_ms();
  }
  const auto time = [](std::int64_t ms) {
    return "TIMESTAMPADD(MICROSECOND, " + std::to_string(ms * 1000) + ", '1970-01-01')";
  };
  for (Deployment* it : deployments) {
    eventually("no row waits any more", [&] { return it->stat("stats_rows_queued") == 0; });
    CHECK(it->stat("stats_rows_lost") == 0);
    const Database::Rows rows = it->query(
        "SELECT request_count - hit_count - miss_count, request_count > 0 FROM cache_stats "
        "WHERE created_at BETWEEN " +
        time(began_ms) + " AND " + time(ended_ms));
    REQUIRE_FALSE(rows.empty());
    for (const auto& row : rows) CHECK(row == std::vector<std::string>{"0", "1"});
    // One every five seconds, outage or not.
    const Database::Rows gaps = it->query(
        "SELECT COUNT(*) FROM (SELECT TIMESTAMPDIFF(MICROSECOND, LAG(created_at) OVER "
        "(PARTITION BY started_at ORDER BY created_at), created_at) AS gap FROM cache_stats) "
        "AS intervals WHERE gap > 9000000");
    CHECK(gaps == Database::Rows{{"0"}});
  }
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

// --- It is there, and others are in the way -----------------------------------------------------

// The outcome is certain, so the image stays cached and the file of the upload goes at once.
DEPLOYED_TEST_CASE("bug: a write that a lock kept from happening leaves everything as it was") {
  Deployment& it = Where::deployment();
  std::string lock;
  SUBCASE("a row that is locked") {
    lock = "BEGIN; SELECT 1 FROM images WHERE `key` = 'locked' FOR UPDATE";
  }
  SUBCASE("a table that may be read") { lock = "LOCK TABLES images READ"; }
  SUBCASE("a server that is being saved") { lock = "FLUSH TABLES WITH READ LOCK"; }
  const std::string image = png(1'000, 1);
  it.upload("locked", image);
  read_until_cached(it.backend, "locked", image);
  const Keys keys = it.keys();
  const std::size_t files = it.files().size();
  const Footprint before(it);
  Longest refusal("a refusal for " + lock);
  {
    const OtherSession other(it, lock);
    const TimedReply put = timed(it.backend, "PUT", "/images/locked", {"image/png", png(900, 2)});
    check_refused(put);
    CHECK(it.files().size() == files);
    CHECK(it.read_outcome("locked") == "hit");
    const TimedReply removal = timed(it.backend, "DELETE", "/images/locked");
    check_refused(removal);
    CHECK(it.read("locked") == image);
    CHECK(it.files().size() == files);
    refusal.add(std::max(put.elapsed_ms, removal.elapsed_ms));
  }
  CHECK(it.keys() == keys);
  CHECK(it.read("locked") == image);
  it.upload("locked", png(900, 3));
  CHECK(it.read("locked") == png(900, 3));
  check_footprint(it, before);
}

DEPLOYED_TEST_CASE("a table that nobody may read: cached images are served, others are 503") {
  Deployment& it = Where::deployment();
  it.upload("seen", png(1'000, 1));
  it.upload("unseen", png(1'000, 2));
  read_until_cached(it.backend, "seen", png(1'000, 1));
  const Footprint before(it);
  {
    const OtherSession other(it, "LOCK TABLES images WRITE");
    for (int i = 0; i < 3; ++i) {
      check_refused(timed(it.backend, "GET", "/images/unseen"));
      CHECK(it.read("seen") == png(1'000, 1));
    }
    // Nor does it pile up connections whose statements nobody waits for any more.
    CHECK(connections_of(it) <= before.connections + 1);
  }
  check_recovery(it, "unseen", "a locked table");
  check_footprint(it, before);
}

DEPLOYED_TEST_CASE("errors of the database: what they mean for an upload") {
  Deployment& it = Where::deployment();
  const struct {
    int number;
    int status;
    bool is_certain;
  } errors[] = {
      {1213, 503, true},   // deadlock: carried out again, and again a deadlock
      {1205, 503, true},   // lock wait
      {1290, 503, true},   // read only
      {1114, 507, true},   // the table is full
      {1021, 507, true},   // the disk is
      {1142, 503, true},   // our privileges were taken away
      {1644, 500, true},   // anything else
      {1180, 503, false},  // while committing
      {1053, 503, false},  // the server ends
      {1317, 503, false},  // somebody interrupts it
  };
  const std::string image = png(1'000, 1);
  it.upload("troubled", image);
  for (const auto& [number, status, is_certain] : errors) {
    CAPTURE(number);
    read_until_cached(it.backend, "troubled", image);
    const std::size_t files = it.files().size();
    it.query(
        "CREATE TRIGGER fails BEFORE UPDATE ON images FOR EACH ROW SIGNAL SQLSTATE '45000' "
        "SET MYSQL_ERRNO = " +
        std::to_string(number) + ", MESSAGE_TEXT = 'an errno, to the letter'");
    const TimedReply put = timed(it.backend, "PUT", "/images/troubled", {"image/png", png(900, 2)});
    CHECK(put.reply.status == status);
    CHECK_FALSE(put.reply.body_has("to the letter"));
    CHECK(put.elapsed_ms < answer_ms_max());
    if (status == 503) check_refused(put);
    CHECK(it.files().size() == files + (is_certain ? 0 : 1));
    CHECK(it.read_outcome("troubled") == (is_certain ? "hit" : "miss"));
    CHECK(it.read("troubled") == image);
    it.query("DROP TRIGGER fails");
    it.upload("troubled", image);
    eventually("no file is left over", [&] { return it.files().size() == files; });
  }
}

DEPLOYED_TEST_CASE("a database that only lets itself be read refuses nothing but writes") {
  Deployment it(Where::kind, {.common = as_plain_user()});
  const std::string cached = png(1'000, 1), uncached = png(1'000, 2);
  it.upload("cached", cached);
  it.upload("uncached", uncached);
  read_until_cached(it.backend, "cached", cached);
  const std::size_t files = it.files().size();
  const Footprint before(it);
  {
    Longest refusal("a refusal by a database that is read only");
    const GlobalSetting setting("read_only", "1");
    for (const char* key : {"cached", "uncached", "new"}) {
      const TimedReply put =
          timed(it.backend, "PUT", std::string("/images/") + key, {"image/png", png(900, 3)});
      check_refused(put);
      refusal.add(put.elapsed_ms);
    }
    CHECK(it.files().size() == files);
    CHECK(it.read_outcome("cached") == "hit");
    CHECK(it.read("uncached") == uncached);
    for (const char* key : {"cached", "uncached"})
      check_refused(timed(it.backend, "DELETE", std::string("/images/") + key));
    check_refused(timed(it.backend, "POST", "/api/delete_all"));
    CHECK(it.read_outcome("cached") == "hit");  // bug: what did not happen emptied the cache
    CHECK(it.read("cached") == cached);
    CHECK(it.read("uncached") == uncached);
    CHECK(it.keys() == Keys{"cached", "uncached"});
    CHECK(it.files().size() == files);
    eventually("a row of statistics waits", [&] { return it.stat("stats_rows_queued") > 0; });
  }
  it.upload("cached", png(900, 4));  // at once
  CHECK(it.read("cached") == png(900, 4));
  eventually("no row of statistics waits", [&] { return it.stat("stats_rows_queued") == 0; });
  check_footprint(it, before);
}

DEPLOYED_TEST_CASE("a database that takes no more connections") {
  Deployment it(Where::kind, {.common = as_plain_user()});
  it.upload("cached", png(1'000, 1));
  it.upload("uncached", png(1'000, 2));
  read_until_cached(it.backend, "cached", png(1'000, 1));
  const Footprint before(it);
  const std::size_t lines_before = log_lines(it.backend_server());
  {
    const std::string open =
        it.query("SELECT COUNT(*) + 10 FROM information_schema.processlist").at(0).at(0);
    const GlobalSetting setting("max_connections", open);
    {
      SilentConnections others;
      others.add(4);
      // Ours still serve, though there are hardly any others.
      CHECK(it.read("uncached") == png(1'000, 2));
      it.upload("uncached", png(1'000, 3));
      end_connections_of_plain_user();
      others.add(40);
      check_refusals(it, "a refusal for too many connections");
    }
    check_recovery(it, "uncached", "too many connections");
  }
  CHECK(it.read("uncached") == png(1'000, 3));
  check_footprint(it, before);
  CHECK(log_lines(it.backend_server()) - lines_before < 25);
}

DEPLOYED_TEST_CASE("a password that was changed hurts from the next connection on") {
  Database& database = Database::shared();
  const ScratchDirectory directory;
  const std::string password_file = directory.path() + "/password";
  std::ofstream(password_file) << "first-secret\n";
  const auto change_password = [&](const std::string& to) {
    database.query("ALTER USER changing IDENTIFIED BY '" + to + "'");
  };
  database.query(
      "CREATE OR REPLACE USER changing IDENTIFIED BY 'first-secret'; "
      "GRANT ALL ON `test\\_%`.* TO changing");
  Server::Options options;
  options.database_user = "changing";
  options.flags = {"--db-password-file", password_file};
  Deployment it(Where::kind, {.common = options});
  it.upload("cached", png(1'000, 1));
  it.upload("uncached", png(1'000, 2));
  read_until_cached(it.backend, "cached", png(1'000, 1));
  const Footprint before(it);
  const std::size_t lines_before = log_lines(it.backend_server());

  change_password("second-secret");
  CHECK(it.read("uncached") == png(1'000, 2));  // the connection lives
  it.upload("uncached", png(1'000, 3));
  database.stop();
  database.start();
  check_refusals(it, "a refusal for a wrong password");
  CHECK(it.cache.get("/readyz").status == 503);
  const std::string log = it.backend_server().log();
  CHECK(log.find("--db-password-file") != log.npos);  // what to look at
  CHECK(log.find("secret") == log.npos);

  change_password("first-secret");
  check_recovery(it, "uncached", "a wrong password");
  CHECK(it.read("uncached") == png(1'000, 3));
  check_footprint(it, before);
  CHECK(log_lines(it.backend_server()) - lines_before < 25);
}

DEPLOYED_TEST_CASE("a database that takes short statements only") {
  constexpr std::size_t count = 40;  // to remove these together takes a longer statement
  Deployment it(Where::kind, {.common = as_plain_user()});
  Keys keys;
  while (keys.size() < count) {
    keys.push_back("short " + std::to_string(100 + keys.size()));
    it.upload(keys.back(), png(500, 1));
  }
  {
    const GlobalSetting packet("max_allowed_packet", "1024");
    const GlobalSetting buffer("net_buffer_length", "1024");  // which counts if it is more
    end_connections_of_plain_user();
    it.upload(keys[0], png(500, 2));
    check_refused(timed(it.backend, "POST", "/api/delete_all"));
    CHECK(it.keys() == keys);
    CHECK(it.read(keys[0]) == png(500, 2));
    for (std::size_t i = 1; i < count; ++i) CHECK(it.read(keys[i]) == png(500, 1));
  }
  end_connections_of_plain_user();
  CHECK(it.backend.post("/api/delete_all").status == 200);
  CHECK(it.keys().empty());
  eventually("the files are gone", [&] { return it.files().empty(); });
}

DEPLOYED_TEST_CASE("bug: a database that refuses us is no fault of the one who asks") {
  Deployment it(Where::kind, {.common = as_plain_user()});
  it.upload("cached", png(1'000, 1));
  it.upload("uncached", png(1'000, 2));
  read_until_cached(it.backend, "cached", png(1'000, 1));
  SUBCASE("by its name") {
    it.query("DROP DATABASE " + it.database());
    for (const char* target : {"/images/uncached", "/api/list_keys"}) {
      const Reply reply = it.backend.get(target);
      CHECK(reply.status >= 500);
      CHECK_FALSE(reply.body_has("test_"));
    }
    CHECK(it.read("cached") == png(1'000, 1));
    Database::shared().query("CREATE DATABASE " + it.database());
  }
  SUBCASE("by our rights") {
    Database::shared().query("REVOKE ALL ON `test\\_%`.* FROM plain");
    end_connections_of_plain_user();
    check_refused(timed(it.backend, "GET", "/images/uncached"));
    CHECK(it.read("cached") == png(1'000, 1));
    as_plain_user();
    check_recovery(it, "uncached", "rights that were taken away");
  }
}

// --- Something is between us --------------------------------------------------------------------

// At every point of the conversation, or the ones that a step leaves.
DEPLOYED_TEST_CASE("bug: a connection that ends or turns to noise in the middle of an upload") {
  constexpr std::size_t points = 12;
  Relay relay(Database::shared().socket());
  Server::Options options;
  options.database_socket = relay.socket();
  Deployment it(Where::kind, {.common = options});
  std::string image = png(1'000, 1);
  it.upload("disturbed", image);
  it.upload("disturbed", image);
  relay.heal();
  it.upload("disturbed", image);
  const std::size_t conversation = relay.server_bytes();
  REQUIRE(conversation > points);

  Longest answer("an answer on a database connection that ends or turns to noise");
  std::map<int, int> statuses;
  std::uint64_t version = 1;
  for (const bool is_noise : {false, true}) {
    for (std::size_t point = 0; point <= points; ++point) {
      const std::size_t bytes = conversation * point / points;
      CAPTURE(is_noise);
      CAPTURE(bytes);
      const std::string next = png(1'000, ++version);
      relay.spoil(is_noise ? Relay::garble_after(bytes) : Relay::cut_after(bytes));
      const TimedReply put = timed(it.backend, "PUT", "/images/disturbed", {"image/png", next});
      CHECK(put.elapsed_ms < answer_ms_max());
      answer.add(put.elapsed_ms);
      ++statuses[put.reply.status];
      if (put.reply.status != 200) check_refused(put);
      relay.heal();
      const Stopwatch watch;
      eventually("the database is there again",
                 [&] { return it.backend.get("/api/list_keys").status == 200; });
      CHECK(watch.elapsed_ms() < answer_ms_max());
      const std::string present = it.read("disturbed");
      CHECK((present == next || (present == image && put.reply.status != 200)));
      image = present;
    }
  }
  CHECK(statuses[503] > 0);
  it.upload("disturbed", image);
  CHECK(it.read("disturbed") == image);
  eventually("one file is left", [&] { return it.files().size() == 1; });
}

DEPLOYED_TEST_CASE("a network that swallows everything between us and the database") {
  Relay relay(Database::shared().socket());
  Server::Options options;
  options.database_socket = relay.socket();
  Deployment it(Where::kind, {.common = options});
  const std::string old_image = png(1'000, 1), new_image = png(1'000, 2);
  it.upload("cached", old_image);
  it.upload("uncached", old_image);
  read_until_cached(it.backend, "cached", old_image);
  CHECK(it.cache.get("/readyz").status == 200);
  const Footprint before(it);
  {
    Longest refusal("a refusal while the network swallows");
    relay.spoil(Relay::swallow());
    for (int i = 0; i < 4; ++i) {
      const TimedReply put = timed(it.backend, "PUT", "/images/uncached", {"image/png", new_image});
      check_refused(put);
      refusal.add(put.elapsed_ms);
      CHECK(it.read_outcome("cached") == "hit");
    }
    CHECK(it.backend.get("/readyz").status == 503);
    relay.heal();
  }
  check_recovery(it, "uncached", "a network that swallows");
  const std::string present = it.read("uncached");
  CHECK((present == old_image || present == new_image));
  it.upload("uncached", png(1'000, 3));
  CHECK(it.read("uncached") == png(1'000, 3));
  eventually("no file is left over", [&] { return it.files().size() == 2; });
  check_footprint(it, before);
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
