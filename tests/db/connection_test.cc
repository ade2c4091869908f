#include "db/connection.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <limits>

#include "base/random.h"
#include "net/address.h"
#include "tests/db/database_fixture.h"

using namespace imgcached;
using namespace imgcached::db;
using namespace imgcached::db::test;

namespace {

using ConnectionPtr = std::unique_ptr<Connection>;

Error error_of_opening(Settings settings, std::uint64_t timeout_ms = 5000) {
  net::Loop loop;
  Result<ConnectionPtr> opened =
      run_task(loop, Connection::open(loop, std::move(settings), timeout_ms));
  REQUIRE(!opened.ok());
  loop.run();
  CHECK(loop.live_handles() == 0);
  return opened.error();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Value text(std::string value) { return value; }
Value integer(std::int64_t value) { return value; }

Task<std::uint64_t> sum_of_many(Connection& connection, std::uint64_t count) {
  const std::string sql = "SELECT ?";
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::vector<Value> parameters{i};
    Task<Result<QueryResult>> asking = connection.execute(sql, parameters, Kind::repeatable);
    Result<QueryResult> result = co_await std::move(asking);
    if (result) sum += unsigned_of(result->rows[0][0]);
  }
  co_return sum;
}

}  // namespace

TEST_CASE("a wrong password is recognisable and names the server") {
  Database& server = Database::shared();
  server.query("CREATE OR REPLACE USER stranger IDENTIFIED BY 'secret'");
  Settings settings = settings_of();
  settings.user = "stranger";
  settings.password = "guess";
  const Error error = error_of_opening(settings);
  CHECK(error.code == Errc::invalid_argument);
  CHECK_MESSAGE(contains(error.message, settings.socket), error.message);
  CHECK_MESSAGE(contains(error.message, "Access denied"), error.message);
}

TEST_CASE("the right password is let in, on a database that it may use only") {
  Database& server = Database::shared();
  Settings settings = settings_of(server.create());
  server.query("CREATE OR REPLACE USER friend IDENTIFIED BY 'secret'");
  settings.user = "friend";
  settings.password = "secret";
  CHECK(error_of_opening(settings).code == Errc::invalid_argument);

  server.query("GRANT ALL ON " + settings.name + ".* TO friend");
  net::Loop loop;
  CHECK(run_task(loop, Connection::open(loop, settings)).ok());
  loop.run();
}

TEST_CASE("a database that does not exist is a wrong setting") {
  Settings settings = settings_of();
  settings.name = "nobody_created_this";
  CHECK(error_of_opening(settings).code == Errc::invalid_argument);
}

TEST_CASE("no server at the socket is unavailable") {
  Settings settings;
  settings.socket = "/nonexistent/mariadb.sock";
  const Error error = error_of_opening(settings);
  CHECK(error.code == Errc::unavailable);
  CHECK_MESSAGE(contains(error.message, "/nonexistent/mariadb.sock"), error.message);
}

TEST_CASE("no server at the TCP port is unavailable") {
  Settings settings;
  settings.host = "127.0.0.1";
  settings.port = 1;
  CHECK(error_of_opening(settings).code == Errc::unavailable);
}

TEST_CASE("a host name nobody knows is unavailable") {
  Settings settings;
  settings.host = "no-such-host.invalid";
  CHECK(error_of_opening(settings).code == Errc::unavailable);
}

TEST_CASE("connecting to a frozen server ends in time") {
  Database& server = Database::shared();
  const Settings settings = settings_of(server.create());
  const Frozen frozen;
  const Stopwatch watch;
  CHECK(error_of_opening(settings, 200).code == Errc::unavailable);
  CHECK(watch.elapsed_ms() >= 190);
  CHECK(watch.elapsed_ms() < answer_ms_max());
}

TEST_CASE("a server that takes TCP connections and says nothing is given up in time") {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  net::SocketAddress address;
  socklen_t length = sizeof address.storage;
  address.storage.ss_family = AF_INET;
  REQUIRE(::bind(listener, address.raw(), sizeof(sockaddr_in)) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address.storage), &length);
  Settings settings;
  settings.host = "localhost";
  settings.port = address.address().port;
  const Stopwatch watch;
  CHECK(error_of_opening(settings, 200).code == Errc::unavailable);
  CHECK(watch.elapsed_ms() < answer_ms_max());
  ::close(listener);
}

TEST_CASE("bug: of a host with several addresses only the first is tried") {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  net::SocketAddress second;
  socklen_t length = sizeof second.storage;
  second.storage.ss_family = AF_INET;
  REQUIRE(::bind(listener, second.raw(), sizeof(sockaddr_in)) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&second.storage), &length);
  net::Loop loop;
  Settings settings;
  settings.host = "two.example";
  const Result<std::vector<net::SocketAddress>> nobody =
      run_task(loop, net::resolve(loop, {"127.0.0.1", 1}));
  std::vector<net::SocketAddress> addresses{nobody->front(), second};
  const Result<ConnectionPtr> opened =
      run_task(loop, Connection::open(loop, settings, std::move(addresses), 200));
  REQUIRE_FALSE(opened.ok());  // the second takes the connection and says nothing
  CHECK(opened.error().code == Errc::unavailable);
  const int reached = ::accept(listener, nullptr, nullptr);
  CHECK(reached >= 0);
  ::close(reached);
  ::close(listener);
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a session speaks utf8mb4, lives in UTC and is strict") {
  Session session;
  const QueryResult result = session.must(
      "SELECT @@character_set_client, @@time_zone, @@sql_mode LIKE '%STRICT_ALL_TABLES%'");
  CHECK(result.rows[0][0] == text("utf8mb4"));
  CHECK(result.rows[0][1] == text("+00:00"));
  CHECK(integer_of(result.rows[0][2]) == 1);
}

TEST_CASE("values of every type come back as they went in") {
  Session session;
  session.must(
      "CREATE TABLE t (a BIGINT, b BIGINT UNSIGNED, c DOUBLE, d LONGBLOB, e TINYINT, f FLOAT,"
      " g DECIMAL(10,2), h DATETIME(3))");
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  const QueryResult inserted =
      session.must("INSERT INTO t VALUES (?,?,?,?,?,?,?,?)",
                   {least, most, 0.1, text(std::string("\0\xff'\"\\`;--", 9)), integer(-5), 1.5,
                    text("-12.50"), text("2026-02-03 04:05:06.789")});
  CHECK(inserted.affected_rows == 1);
  const QueryResult result = session.must("SELECT * FROM t");
  REQUIRE(result.rows.size() == 1);
  const Row expected{least,
                     most,
                     0.1,
                     text(std::string("\0\xff'\"\\`;--", 9)),
                     integer(-5),
                     1.5,
                     text("-12.50"),
                     text("2026-02-03 04:05:06.789")};
  CHECK((result.rows[0] == expected));
}

TEST_CASE("NULL is neither nothing nor empty") {
  Session session;
  session.must("CREATE TABLE t (a BIGINT, b VARCHAR(9))");
  session.must("INSERT INTO t VALUES (?, ?), (0, '')", {Value(), Value()});
  const QueryResult result = session.must("SELECT a, b FROM t ORDER BY a");
  CHECK((result.rows[0] == Row{Value(), Value()}));
  CHECK((result.rows[1] == Row{integer(0), text("")}));
}

TEST_CASE("keys are bytes: all of them, 255 long, of either case, with trailing spaces") {
  Session session;
  session.must("CREATE TABLE t (k VARBINARY(255) PRIMARY KEY)");
  std::string all;
  for (int c = 0; c < 255; ++c) all += static_cast<char>(c);
  std::vector<std::string> keys = {all,
                                   std::string(255, '\xff'),
                                   "Cat",
                                   "cat",
                                   "cat ",
                                   "cat  ",
                                   "'; DROP TABLE t; -- ",
                                   std::string("a\0b", 3),
                                   "caf\u00e9",
                                   "cafe",
                                   "\U0001F600",
                                   "%",
                                   "_",
                                   "\\"};
  for (const std::string& key : keys) session.must("INSERT INTO t VALUES (?)", {key});
  for (const std::string& key : keys) {
    const QueryResult result = session.must("SELECT k FROM t WHERE k = ?", {key});
    REQUIRE(result.rows.size() == 1);
    CHECK(result.rows[0][0] == text(key));
  }
  CHECK(integer_of(session.must("SELECT COUNT(*) FROM t").rows[0][0]) ==
        static_cast<std::int64_t>(keys.size()));
}

TEST_CASE("ten thousand rows arrive whole and in order") {
  Session session;
  const std::string seed_text(300, 'x');
  const QueryResult result =
      session.must("SELECT seq, CONCAT(?, seq) FROM seq_1_to_10000 ORDER BY seq", {seed_text});
  REQUIRE(result.rows.size() == 10'000);
  bool all_equal = true;
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    all_equal = all_equal && unsigned_of(result.rows[i][0]) == i + 1 &&
                result.rows[i][1] == text(seed_text + std::to_string(i + 1));
  }
  CHECK(all_equal);
}

TEST_CASE("a value larger than every buffer on the way goes and comes") {
  Session session;
  Random random(7);
  std::string large(6'000'000, '\0');
  for (char& byte : large) byte = static_cast<char>(random.next());
  CHECK(session.must("SELECT ?", {large}).rows[0][0] == text(large));
}

TEST_CASE("ten thousand queries in a row leave the stack as it was") {
  Session session;
  CHECK(run_task(session.loop, sum_of_many(*session.connection, 10'000)) == 49'995'000);
}

TEST_CASE("an error in a statement is told in the server's words and breaks nothing") {
  Session session;
  for (const std::string sql : {"SELECT nonsense", "SELEC 1", "INSERT INTO missing VALUES (1)"}) {
    const Result<QueryResult> result = session.execute(sql);
    REQUIRE(!result.ok());
    CHECK(result.error().code == Errc::internal);
    CHECK(!session.connection->broken());
  }
  CHECK_MESSAGE(contains(session.execute("SELECT nonsense").error().message, "nonsense"),
                "the message names what was wrong");
  session.must("CREATE TABLE t (a VARCHAR(3))");
  CHECK(session.execute("INSERT INTO t VALUES ('long')").error().code == Errc::internal);
  CHECK(integer_of(session.must("SELECT 1").rows[0][0]) == 1);
}

TEST_CASE("an existing primary key is an error, or no row, as the statement's kind says") {
  Session session;
  session.must("CREATE TABLE t (k VARBINARY(255) PRIMARY KEY, u INT UNIQUE)");
  const std::string sql = "INSERT INTO t VALUES (?, ?)";
  CHECK(session.must(sql, {text("a"), integer(1)}, Kind::insert_new).affected_rows == 1);
  CHECK(session.must(sql, {text("a"), integer(2)}, Kind::insert_new).affected_rows == 0);
  CHECK(session.execute(sql, {text("a"), integer(2)}).error().code == Errc::internal);
  // Another unique key is another matter.
  CHECK(session.execute(sql, {text("b"), integer(1)}, Kind::insert_new).error().code ==
        Errc::internal);
  CHECK(integer_of(session.must("SELECT COUNT(*) FROM t").rows[0][0]) == 1);
}

TEST_CASE("prepared statements are kept, and only so many") {
  Session session;
  const auto prepared = [&] {
    const QueryResult result = session.must("SHOW SESSION STATUS LIKE 'Com_stmt_prepare'");
    return std::stoull(std::get<std::string>(result.rows[0][1]));
  };
  prepared();
  const auto before = prepared();
  for (int i = 0; i < 5; ++i) session.must("SELECT 1");
  CHECK(prepared() == before + 1);

  for (std::size_t i = 0; i < 3 * Connection::statements_max; ++i) {
    session.must("SELECT " + std::to_string(1000 + i));
  }
  const QueryResult open = session.must("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'");
  CHECK(std::stoull(std::get<std::string>(open.rows[0][1])) <= Connection::statements_max + 1);
  CHECK(integer_of(session.must("SELECT 1000").rows[0][0]) == 1000);
}

TEST_CASE("a statement that takes too long ends in time and breaks the connection") {
  Session session;
  const Stopwatch watch;
  const Result<QueryResult> result = session.execute("SELECT SLEEP(30)", {}, Kind::write, 100);
  REQUIRE(!result.ok());
  CHECK(result.error().code == Errc::unavailable);
  CHECK(watch.elapsed_ms() < answer_ms_max());
  CHECK(session.connection->broken());
  CHECK(session.connection->may_have_executed());
}

TEST_CASE("a statement to a frozen server ends in time, and so does closing") {
  Session session;
  session.must("SELECT 1");
  const Frozen frozen;
  {
    const Stopwatch watch;
    const Result<QueryResult> cached = session.execute("SELECT 1", {}, Kind::write, 100);
    CHECK(cached.error().code == Errc::unavailable);
    session.connection.reset();
    CHECK(watch.elapsed_ms() < answer_ms_max());
  }
}

TEST_CASE("preparing at a frozen server ends in time, and is known not to have executed") {
  Session session;
  const Frozen frozen;
  const Result<QueryResult> fresh = session.execute("SELECT 2", {}, Kind::write, 100);
  CHECK(fresh.error().code == Errc::unavailable);
  CHECK(!session.connection->may_have_executed());
}

TEST_CASE("an idle connection to a frozen server closes without waiting") {
  Session session;
  session.must("SELECT 1");
  const Frozen frozen;
  const Stopwatch watch;
  session.connection.reset();
  CHECK(watch.elapsed_ms() < answer_ms_max());
}

TEST_CASE("a server that is killed under a statement makes it unavailable") {
  Session session;
  const std::string sql = "SELECT SLEEP(30)";
  const std::vector<Value> none;
  Gate gate;
  std::optional<Result<QueryResult>> result;
  gate.spawn(keep_result(session.connection->execute(sql, none, Kind::write, 20'000), result));
  uv_run(session.loop.raw(), UV_RUN_NOWAIT);
  Database::shared().kill();
  while (gate.running() > 0) uv_run(session.loop.raw(), UV_RUN_ONCE);
  Database::shared().start();
  CHECK(result->error().code == Errc::unavailable);
  CHECK(session.connection->broken());
}

TEST_CASE("an idle connection knows whether its server is still there") {
  Session session;
  session.must("SELECT 1");
  CHECK(session.connection->alive_when_idle());
  Database::shared().stop();
  CHECK(!session.connection->alive_when_idle());
  Database::shared().start();
}

TEST_CASE("a row that another session has locked is unavailable after a second") {
  Session owner;
  owner.must("CREATE TABLE t (a INT PRIMARY KEY, b INT)");
  owner.must("INSERT INTO t VALUES (1, 1)");
  owner.must("SET autocommit = 0");
  owner.must("UPDATE t SET b = 2");
  Session other;
  const Result<QueryResult> result =
      other.execute("UPDATE " + owner.settings.name + ".t SET b = 3");
  CHECK(result.error().code == Errc::unavailable);
  CHECK(!other.connection->broken());
}

TEST_CASE("a server that only lets itself be read is unavailable to who writes") {
  Database& server = Database::shared();
  Settings settings = settings_of(server.create());
  server.query("CREATE TABLE t (a INT)", settings.name);
  server.query("CREATE OR REPLACE USER writer IDENTIFIED BY ''");
  server.query("GRANT ALL ON " + settings.name + ".* TO writer");
  server.query("SET GLOBAL read_only = 1");
  settings.user = "writer";
  {
    net::Loop loop;
    Result<ConnectionPtr> opened = run_task(loop, Connection::open(loop, settings));
    REQUIRE(opened.ok());
    const std::string sql = "INSERT INTO t VALUES (1)";
    const std::vector<Value> none;
    CHECK(run_task(loop, (*opened)->execute(sql, none)).error().code == Errc::unavailable);
    opened->reset();
    loop.run();
  }
  server.query("SET GLOBAL read_only = 0");
}
