#include "db/pool.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/db/database_fixture.h"
#include "tests/net/stream_pair.h"

using namespace imgcached;
using namespace imgcached::db;
using namespace imgcached::db::test;

namespace {

using Outcome = std::optional<Result<QueryResult>>;

// A pool that tests have time to get in the way of.
PoolLimits patient() {
  PoolLimits limits;
  limits.timeout_ms = 30'000;
  return limits;
}

// Takes connections where a server would be, ends each at once, and counts them.
class NoServer {
 public:
  NoServer() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(socket().copy(address.sun_path, sizeof address.sun_path - 1) == socket().size());
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 16) == 0);
    thread_ = std::thread([this] {
      for (int fd; (fd = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(fd)) ++attempts_;
    });
  }
  ~NoServer() {
    ::shutdown(listener_, SHUT_RDWR);  // which ends the accept
    thread_.join();
    ::close(listener_);
  }
  NoServer(const NoServer&) = delete;
  NoServer& operator=(const NoServer&) = delete;

  std::string socket() const { return directory_.path() + "/socket"; }
  long attempts() const { return attempts_; }

 private:
  e2e::ScratchDirectory directory_;
  const int listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::atomic<long> attempts_ = 0;
  std::thread thread_;
};

void turn_until_done(net::Loop& loop, const Gate& gate) {
  while (gate.running() > 0) uv_run(loop.raw(), UV_RUN_ONCE);
}

Errc code_of(const Result<QueryResult>& result) {
  REQUIRE(!result.ok());
  return result.error().code;
}

Task<void> ask_again_and_again(Pool& pool, std::uint64_t count, std::uint64_t& right) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::vector<Value> parameters{i};
    Task<Result<QueryResult>> asking = pool.execute("SELECT ?", std::move(parameters));
    Result<QueryResult> result = co_await std::move(asking);
    if (result && unsigned_of(result->rows[0][0]) == i) ++right;
  }
}

// Asks until it gets an answer, at most for limit_ms, as a client does that was
// told to try again. The time it took.
Task<std::uint64_t> ask_until_answered(net::Loop& loop, Pool& pool, std::uint64_t limit_ms) {
  const std::uint64_t begin_ms = loop.now_ms();
  net::Timer timer(loop);
  for (;;) {
    Task<Result<void>> asking = pool.ping();
    const Result<void> answer = co_await std::move(asking);
    if (answer || loop.now_ms() - begin_ms >= limit_ms) break;
    co_await timer.wait(10);
  }
  co_return loop.now_ms() - begin_ms;
}

}  // namespace

TEST_CASE("connections are opened on demand and used again") {
  DatabaseFixture fixture;
  CHECK(fixture.pool.connections() == 0);
  for (int i = 0; i < 10; ++i) REQUIRE(fixture.run(fixture.pool.execute("SELECT 1")).ok());
  CHECK(fixture.pool.connections() == 1);
}

TEST_CASE("statements that run together share the connections and get their own answers") {
  PoolLimits limits;
  limits.connections_max = 4;
  DatabaseFixture fixture(limits);
  Gate gate;
  std::uint64_t right = 0;
  for (int i = 0; i < 40; ++i) gate.spawn(ask_again_and_again(fixture.pool, 50, right));
  turn_until_done(fixture.loop, gate);
  CHECK(right == 40 * 50);
  // The last may still be on its way, when the others were quick.
  imgcached::test::run_until(fixture.loop, [&] { return fixture.pool.connections() >= 4; });
  CHECK(fixture.pool.connections() == 4);
  CHECK(fixture.pool.waiters() == 0);
}

TEST_CASE("two loops on two threads have a pool each") {
  const Settings settings = settings_of(Database::shared().create());
  std::uint64_t right[2] = {0, 0};
  const auto work = [&settings](std::uint64_t& count) {
    net::Loop loop;
    Pool pool(loop, settings);
    Gate gate;
    for (int i = 0; i < 10; ++i) gate.spawn(ask_again_and_again(pool, 50, count));
    turn_until_done(loop, gate);
    run_task(loop, pool.close());
    loop.run();
  };
  std::thread other(work, std::ref(right[1]));
  work(right[0]);
  other.join();
  CHECK(right[0] == 500);
  CHECK(right[1] == 500);
}

TEST_CASE("the line for a connection has an end, and nobody stands in it for long") {
  PoolLimits limits;
  limits.connections_max = 1;
  limits.waiters_max = 2;
  limits.wait_timeout_ms = 100;
  DatabaseFixture fixture(limits);
  Gate gate;
  Outcome slow, first, second, third;
  gate.spawn(keep_result(fixture.pool.execute("SELECT SLEEP(0.5)"), slow));
  while (fixture.pool.connections() == 0) uv_run(fixture.loop.raw(), UV_RUN_ONCE);
  gate.spawn(keep_result(fixture.pool.execute("SELECT 1"), first));
  gate.spawn(keep_result(fixture.pool.execute("SELECT 1"), second));
  gate.spawn(keep_result(fixture.pool.execute("SELECT 1"), third));
  REQUIRE(third.has_value());  // at once
  CHECK(code_of(*third) == Errc::unavailable);
  CHECK(fixture.pool.waiters() == 2);
  turn_until_done(fixture.loop, gate);
  CHECK(code_of(*first) == Errc::unavailable);
  CHECK(code_of(*second) == Errc::unavailable);
  CHECK(slow->ok());
  CHECK(fixture.run(fixture.pool.ping()).ok());
}

TEST_CASE("who waits gets the connection when it is free, in the order of coming") {
  PoolLimits limits;
  limits.connections_max = 1;
  DatabaseFixture fixture(limits);
  REQUIRE(
      fixture.run(fixture.pool.execute("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT)"))
          .ok());
  Gate gate;
  std::vector<Outcome> outcomes(20);
  for (std::int64_t i = 0; i < 20; ++i) {
    std::vector<Value> parameters{i};
    gate.spawn(keep_result(fixture.pool.execute("INSERT INTO t (n) VALUES (?)", parameters),
                           outcomes[static_cast<std::size_t>(i)]));
  }
  turn_until_done(fixture.loop, gate);
  const Result<QueryResult> rows = fixture.run(fixture.pool.execute("SELECT n FROM t ORDER BY id"));
  REQUIRE(rows->rows.size() == 20);
  for (std::int64_t i = 0; i < 20; ++i) CHECK(integer_of(rows->rows[i][0]) == i);
}

TEST_CASE("a restart of the server between two statements goes unnoticed") {
  DatabaseFixture fixture;
  Database& server = Database::shared();
  REQUIRE(fixture.run(fixture.pool.execute("CREATE TABLE t (n INT)")).ok());
  // A write that is prepared already: sent to a dead connection, it would be lost.
  const std::string sql = "INSERT INTO t VALUES (1)";
  REQUIRE(fixture.run(fixture.pool.execute(sql)).ok());
  server.stop();
  server.start();
  CHECK(fixture.run(fixture.pool.execute(sql)).ok());
  server.kill();
  server.start();
  CHECK(fixture.run(fixture.pool.execute(sql)).ok());
  CHECK(fixture.run(fixture.pool.execute("SELECT n FROM t"))->rows.size() == 3);
  CHECK(fixture.pool.connections() == 1);
}

TEST_CASE("without a server statements fail at once, and few of them try to connect") {
  const NoServer server;
  net::Loop loop;
  Settings settings = settings_of();
  settings.socket = server.socket();
  Pool pool(loop, settings);
  const Stopwatch watch;
  for (int i = 0; i < 1000; ++i) {
    const Result<QueryResult> result = run_task(loop, pool.execute("SELECT 1"));
    REQUIRE(code_of(result) == Errc::unavailable);
    REQUIRE(result.error().message.find(settings.socket) == std::string::npos);
  }
  const long pauses = watch.elapsed_ms() / static_cast<long>(Pool::backoff_min_ms);
  CHECK(server.attempts() >= 1);
  CHECK(server.attempts() <= 1 + pauses);
  CHECK(server.attempts() < 1000);
  CHECK(pool.connections() == 0);
  run_task(loop, pool.close());
  loop.run();
}

TEST_CASE("the pool finds the server again by itself, soon after it is back") {
  DatabaseFixture fixture;
  Database& server = Database::shared();
  REQUIRE(fixture.run(fixture.pool.ping()).ok());
  server.kill();
  // The pause between two attempts grows to its longest: 100 + 200 + 400 + 800 + 1000 ms.
  CHECK(fixture.run(ask_until_answered(fixture.loop, fixture.pool, 1600)) >= 1600);
  server.start();
  CHECK(fixture.run(ask_until_answered(fixture.loop, fixture.pool, 10'000)) <=
        Pool::backoff_max_ms + 500);
}

TEST_CASE("statements to a frozen server fail within two seconds, however many") {
  DatabaseFixture fixture;
  REQUIRE(fixture.run(fixture.pool.ping()).ok());
  {
    const Frozen frozen;
    const Stopwatch watch;
    Gate gate;
    std::vector<Outcome> outcomes(100);
    for (Outcome& outcome : outcomes) {
      gate.spawn(keep_result(fixture.pool.execute("SELECT 1", {}, Kind::repeatable), outcome));
    }
    turn_until_done(fixture.loop, gate);
    CHECK(watch.elapsed_ms() < answer_ms_max());
    for (const Outcome& outcome : outcomes) CHECK(code_of(*outcome) == Errc::unavailable);
  }
  CHECK(fixture.run(ask_until_answered(fixture.loop, fixture.pool, 10'000)) < 10'000);
}

TEST_CASE("after a failed attempt to connect, statements do not wait for another one") {
  DatabaseFixture fixture;
  {
    const Frozen frozen;
    CHECK(!fixture.run(fixture.pool.ping()).ok());
    Gate gate;
    std::optional<Result<void>> answer;
    gate.spawn(keep_result(fixture.pool.ping(), answer));
    REQUIRE(answer.has_value());  // at once
    CHECK(!answer->ok());
  }
  CHECK(fixture.run(ask_until_answered(fixture.loop, fixture.pool, 10'000)) < 10'000);
}

TEST_CASE("a write whose answer is lost is uncertain, and is not sent again") {
  DatabaseFixture fixture(patient());
  Database& server = Database::shared();
  REQUIRE(fixture.run(fixture.pool.execute("CREATE TABLE t (n INT)")).ok());
  const std::string sql = "INSERT INTO t SELECT SLEEP(?)";
  REQUIRE(fixture.run(fixture.pool.execute(sql, {0.0})).ok());  // is prepared now
  Gate gate;
  Outcome outcome;
  gate.spawn(keep_result(fixture.pool.execute(sql, {20.0}), outcome));
  server.kill();
  server.start();
  turn_until_done(fixture.loop, gate);
  CHECK(code_of(*outcome) == Errc::uncertain);
  CHECK(fixture.run(fixture.pool.execute("SELECT * FROM t"))->rows.size() == 1);
}

TEST_CASE("a repeatable statement whose answer is lost is sent once more") {
  DatabaseFixture fixture(patient());
  const Result<QueryResult> id = fixture.run(fixture.pool.execute("SELECT CONNECTION_ID()"));
  const std::string victim = std::to_string(integer_of(id->rows[0][0]));
  const std::string sql =
      "SELECT CONNECTION_ID(), IF(CONNECTION_ID() = " + victim + ", SLEEP(20), 0)";
  Gate gate;
  Outcome outcome;
  gate.spawn(keep_result(fixture.pool.execute(sql, {}, Kind::repeatable), outcome));
  // Prepared and executing, or the pool would repeat whatever its kind.
  const std::string executing =
      "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Execute' AND id = ";
  while (!outcome && Database::shared().query(executing + victim)[0][0] != "1") {
    uv_run(fixture.loop.raw(), UV_RUN_NOWAIT);
  }
  Database::shared().query("KILL CONNECTION " + victim);
  turn_until_done(fixture.loop, gate);
  REQUIRE_MESSAGE(outcome->ok(), outcome->error().message);
  CHECK(std::to_string(integer_of((*outcome)->rows[0][0])) != victim);
}

TEST_CASE("the victim of a deadlock is carried out after all") {
  DatabaseFixture fixture(patient());
  REQUIRE(fixture.run(fixture.pool.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT)")).ok());
  REQUIRE(fixture.run(fixture.pool.execute("INSERT INTO t VALUES (1, 0), (2, 0)")).ok());
  // The other session holds row 2 and has changed more, so that ours is chosen.
  Session other;
  const std::string table = fixture.settings.name + ".t";
  other.must("SET autocommit = 0");
  other.must("INSERT INTO " + table + " SELECT seq, 0 FROM " + other.settings.name +
             ".seq_100_to_500");
  other.must("UPDATE " + table + " SET n = 10 WHERE id = 2");
  Gate gate;
  Outcome outcome;
  gate.spawn(keep_result(
      fixture.pool.execute("UPDATE t SET n = n + 1 WHERE id IN (1, 2) ORDER BY id"), outcome));
  // It has row 1, and waits or will wait for row 2, once a third one can't have row 1.
  Session third;
  const std::string row_1 = "SELECT id FROM " + table + " WHERE id = 1 FOR UPDATE SKIP LOCKED";
  while (!outcome && !third.must(row_1).rows.empty()) uv_run(fixture.loop.raw(), UV_RUN_NOWAIT);
  other.must("UPDATE " + table + " SET n = 10 WHERE id = 1");  // closes the circle
  other.must("COMMIT");
  turn_until_done(fixture.loop, gate);
  REQUIRE_MESSAGE(outcome->ok(), outcome->error().message);
  const Result<QueryResult> rows =
      fixture.run(fixture.pool.execute("SELECT n FROM t WHERE id < 3 ORDER BY id"));
  CHECK(integer_of(rows->rows[0][0]) == 11);
  CHECK(integer_of(rows->rows[1][0]) == 11);
}

TEST_CASE("a refused password is the pool's trouble, not the asker's") {
  net::Loop loop;
  Settings settings = settings_of();
  settings.user = "nobody";
  settings.password = "wrong";
  Pool pool(loop, settings);
  CHECK(run_task(loop, pool.ping()).error().code == Errc::unavailable);
  run_task(loop, pool.close());
  loop.run();
}

TEST_CASE("bug: the words of the server about a statement that it refuses reach clients") {
  DatabaseFixture fixture;
  const Result<QueryResult> refused = fixture.run(fixture.pool.execute("SELECT secret FROM safe"));
  CHECK(code_of(refused) == Errc::internal);
  CHECK(refused.error().message == "the database refused a statement; the log says why");
  CHECK(fixture.pool.connections() == 1);  // which is as good as before
}

TEST_CASE("a closed pool refuses statements") {
  net::Loop loop;
  Pool pool(loop, settings_of());
  REQUIRE(run_task(loop, pool.ping()).ok());
  run_task(loop, pool.close());
  CHECK(run_task(loop, pool.ping()).error().code == Errc::unavailable);
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("when the server takes no more connections, those there are serve everybody") {
  PoolLimits limits;
  limits.connections_max = 4;
  DatabaseFixture fixture(limits);
  Database& server = Database::shared();
  REQUIRE(fixture.run(fixture.pool.ping()).ok());
  server.query("CREATE OR REPLACE USER lonely IDENTIFIED BY ''");
  server.query("GRANT ALL ON *.* TO lonely WITH MAX_USER_CONNECTIONS 1");
  Settings settings = fixture.settings;
  settings.user = "lonely";
  Pool pool(fixture.loop, settings, limits);
  Gate gate;
  std::uint64_t right = 0;
  REQUIRE(fixture.run(pool.ping()).ok());
  for (int i = 0; i < 20; ++i) gate.spawn(ask_again_and_again(pool, 20, right));
  turn_until_done(fixture.loop, gate);
  CHECK(right == 400);
  CHECK(pool.connections() == 1);
  fixture.run(pool.close());
}
