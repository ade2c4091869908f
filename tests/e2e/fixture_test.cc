// The fixture itself: a test that stands on it is worth what it is worth.
#include "tests/e2e/fixture.h"

#include <doctest/doctest.h>
#include <signal.h>

namespace imgcached::e2e {
namespace {

TEST_CASE("bug: make start fails when VAR has a space in it") {
  const ScratchDirectory scratch;
  Process make({"make", "-C", IMGCACHED_SOURCE_DIRECTORY, "-n", "start", "VAR=/a b"},
               scratch.path() + "/errors");
  CHECK(make.read_all().find("/imgcached \"/a b\"\n") != std::string::npos);
  CHECK(make.wait() == 0);

  // The scripts take it as well, down to the database's own.
  const std::string var = scratch.path() + "/a b";
  const auto run = [&](const char* verb) {
    const std::vector<std::string> listen{"IMGCACHED_LISTEN=127.0.0.1:0",
                                          "IMGCACHED_CACHE_LISTEN=127.0.0.1:0"};
    Process process({"env", listen[0], listen[1], IMGCACHED_SOURCE_DIRECTORY "/tools/run", verb,
                     program_path(), var},
                    scratch.path() + "/errors");
    return process.wait();
  };
  CHECK(run("start") == 0);
  CHECK(run("stop") == 0);
}

TEST_CASE("bug: make without a target built nothing") {
  const ScratchDirectory scratch;
  Process make({"env", "-u", "MAKEFLAGS", "make", "-C", IMGCACHED_SOURCE_DIRECTORY, "-pnq"},
               scratch.path() + "/errors");
  CHECK(make.read_all().find("\n.DEFAULT_GOAL := all\n") != std::string::npos);
  make.wait();  // it says whether there is something to build
}

TEST_CASE("a database keeps what was committed through a stop and a crash") {
  Database database;
  const std::string name = database.create();
  database.query("CREATE TABLE t (text VARCHAR(255))", name);
  const std::string socket = database.socket();

  database.query("INSERT INTO t VALUES ('before\tthe \\\\ stop\n')", name);
  database.stop();
  database.start();
  database.query("INSERT INTO t VALUES (NULL)", name);
  database.kill();
  database.start();

  CHECK(database.query("SELECT * FROM t ORDER BY text IS NULL", name) ==
        Database::Rows{{"before\tthe \\ stop\n"}, {"NULL"}});
  CHECK(database.socket() == socket);
}

TEST_CASE("each created database is a fresh one") {
  Database& database = Database::shared();
  const std::string name = database.create();
  CHECK(name != database.create());
  CHECK(database.query("SHOW TABLES", name).empty());
}

TEST_CASE("a frozen database answers again when it is thawed") {
  Database& database = Database::shared();
  database.freeze();
  database.thaw();
  CHECK(database.query("SELECT 1 + 1") == Database::Rows{{"2"}});
}

TEST_CASE("a process is read, signalled and waited for") {
  const ScratchDirectory scratch;
  Process process({"sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do :; done"},
                  scratch.path() + "/errors");
  CHECK(process.read_line() == "ready");
  process.signal(SIGTERM);
  CHECK(process.read_all() == "bye\n");
  CHECK(process.wait() == 3);
}

TEST_CASE("a process that a signal ends is reported as a shell does") {
  const ScratchDirectory scratch;
  Process process({"sleep", "1000"}, scratch.path() + "/errors");
  process.signal(SIGTERM);
  CHECK(process.wait() == 128 + SIGTERM);
}

}  // namespace
}  // namespace imgcached::e2e
