// A directory and a database that do not belong together are not touched.
#include <doctest/doctest.h>

#include <signal.h>

#include <filesystem>
#include <memory>

#include "tests/e2e/fixture.h"
#include "tests/e2e/http_peer.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

std::size_t image_count(const std::string& directory) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && name != "lock" && name != "identity") ++count;
  }
  return count;
}

std::vector<std::string> flags(const std::string& images, const std::string& database) {
  return {"--images",  images,        "--db-socket",    Database::shared().socket(),
          "--db-user", "root",        "--db-name",      database,
          "--listen",  "127.0.0.1:0", "--cache-listen", "127.0.0.1:0"};
}

TEST_CASE("bug: the sweep at start with a mistyped --db-name removed every image") {
  Server server;
  HttpPeer peer(server.backend_port());
  const std::string image = png(4000, 1);
  REQUIRE(peer.request("PUT", "/images/kept", {}, image).status == 201);
  REQUIRE(server.terminate() == 0);

  const Outcome outcome =
      run_imgcached(flags(server.images_directory(), Database::shared().create()));
  CHECK(outcome.status == 2);
  CHECK(outcome.errors.find("--db-name") != std::string::npos);
  CHECK(image_count(server.images_directory()) == 1);

  // Nor is a database made for images that are of another one.
  const Outcome unknown = run_imgcached(flags(server.images_directory(), "stroe"));
  CHECK(unknown.status == 2);
  CHECK(unknown.errors.find("--db-name: ") != std::string::npos);
  CHECK(Database::shared().query("SHOW DATABASES LIKE 'stroe'").empty());

  server.restart();
  CHECK(HttpPeer(server.backend_port()).get("/images/kept").body == image);
}

TEST_CASE("a database with images refuses a new directory, and one of another store") {
  Server server;
  Server other;
  HttpPeer peer(server.backend_port());
  REQUIRE(peer.request("PUT", "/images/kept", {}, png(4000, 1)).status == 201);
  REQUIRE(server.terminate() == 0);
  REQUIRE(other.terminate() == 0);

  const ScratchDirectory empty;
  for (const std::string& path : {empty.path(), empty.path() + "/new/images"}) {
    const Outcome outcome = run_imgcached(flags(path, server.database()));
    CHECK(outcome.status == 2);
    CHECK(outcome.errors.find("no image was touched") != std::string::npos);
    CHECK(std::filesystem::is_empty(empty.path()));
  }
  CHECK(run_imgcached(flags(other.images_directory(), server.database())).status == 2);
  server.restart();
  CHECK(HttpPeer(server.backend_port()).get("/images/kept").status == 200);
  other.restart();
}

TEST_CASE("bug: an empty directory that had met two databases was taken for either's") {
  Server server;
  const std::string mistyped = Database::shared().create();
  // While the directory is empty both names do; the last one has it.
  REQUIRE(server.terminate() == 0);
  const auto start = [&](const std::string& database) {
    std::vector<std::string> command = flags(server.images_directory(), database);
    command.insert(command.begin(), program_path());
    return std::make_unique<Process>(command, server.log_path());
  };
  {
    const auto process = start(mistyped);
    REQUIRE(process->read_line().has_value());
    process->signal(SIGTERM);
    CHECK(process->wait() == 0);
  }
  const Outcome former = run_imgcached(flags(server.images_directory(), server.database()));
  CHECK(former.status == 2);
  CHECK(former.errors.find("two stores; a new database goes with an empty directory") !=
        std::string::npos);
  // A third has it from now on, and with an image in it nobody else gets it.
  const std::string third = Database::shared().create();
  {
    const auto process = start(third);
    const std::string ready = process->read_line().value_or("");
    const std::size_t port = ready.find("backend=127.0.0.1:");
    REQUIRE(port != std::string::npos);
    HttpPeer peer(static_cast<std::uint16_t>(std::stoi(ready.substr(port + 18))));
    CHECK(peer.request("PUT", "/images/kept", {}, png(4000, 1)).status == 201);
    peer.disconnect();
    process->signal(SIGTERM);
    CHECK(process->wait() == 0);
  }
  for (const std::string& other : {mistyped, server.database()}) {
    CHECK(run_imgcached(flags(server.images_directory(), other)).status == 2);
  }
  CHECK(image_count(server.images_directory()) == 1);
  const auto process = start(third);
  CHECK(process->read_line().has_value());
  process->signal(SIGTERM);
  CHECK(process->wait() == 0);
}

TEST_CASE("bug: two backends with a directory each shared an empty database") {
  Server first;
  const ScratchDirectory other;
  const Outcome second = run_imgcached(flags(other.path() + "/images", first.database()));
  CHECK(second.status == 2);
  CHECK(second.errors.find("--images and --db-name do not belong together: the database is "
                           "another directory's") != std::string::npos);
  CHECK(std::filesystem::is_empty(other.path()));
  // The first keeps it, also through a crash.
  HttpPeer peer(first.backend_port());
  CHECK(peer.request("PUT", "/images/kept", {}, png(4000, 1)).status == 201);
  peer.disconnect();
  first.kill9();
  first.restart();
  CHECK(peer.get("/images/kept").status == 200);
}

// Whoever is first: the others find that out, however close they are.
TEST_CASE("of several first starts on one database one has it") {
  const std::string database = Database::shared().create();
  const ScratchDirectory scratch;
  std::vector<std::unique_ptr<Process>> backends;
  for (int i = 0; i < 4; ++i) {
    const std::string name = scratch.path() + "/" + std::to_string(i);
    std::vector<std::string> command = flags(name, database);
    command.insert(command.begin(), program_path());
    backends.push_back(std::make_unique<Process>(command, name + ".log"));
  }
  int ready = 0;
  for (const auto& backend : backends) {
    if (!backend->read_line()) {
      CHECK(backend->wait() == 2);
      continue;
    }
    ++ready;
    backend->signal(SIGTERM);
    CHECK(backend->wait() == 0);
  }
  CHECK(ready == 1);
}

}  // namespace
}  // namespace imgcached::e2e
