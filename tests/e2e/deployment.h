// Deployment: imgcached as it is used, in one process or in two, with one loop for the
// backend or several, and a client of each service.
//
//   DEPLOYED_TEST_CASE("an upload is listed") {
//     Deployment& it = Where::deployment();
//     it.upload("cat", png(1000, 1));
//     CHECK(it.keys() == Keys{"cat"});
//   }
//
// runs three times: the backend must not behave differently because the cache service
// is another process, or because a request comes to another of its loops. Starting
// servers is slow, so the test cases of a file share one deployment of each kind, begun
// by the first that asks; the file's last test case is END_OF_DEPLOYMENTS. Each test
// case uses keys of its own, and counts by differences.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/fixture.h"
#include "tests/e2e/http_peer.h"

namespace imgcached::e2e {

using Keys = std::vector<std::string>;

class Deployment {
 public:
  // The last in one process, too.
  enum class Kind { one_process, two_processes, several_loops };

  // Cheap to exceed, yet more than an upload's buffer: large ones are files
  // before they are whole.
  static constexpr std::size_t upload_bytes_max = 300 * 1024;

  struct Options {
    std::size_t image_bytes_max = upload_bytes_max;
    std::string durability = "none";
    std::optional<int> backend_loops = {};   // else as the kind has it
    std::vector<std::string> launcher = {};  // of the backend's process
    Server::Options common = {};             // of both processes
  };

  explicit Deployment(Kind kind) : Deployment(kind, Options()) {}
  Deployment(Kind kind, const Options& options);

  static Deployment& shared(Kind kind);
  // Ends the shared ones, which checks that they drain cleanly. Without it they
  // live as long as the test binary.
  static void end_shared();

  HttpPeer backend;  // port 5000, so to speak
  HttpPeer cache;    // port 5001

  Server& backend_server() { return backend_server_ ? *backend_server_ : *cache_server_; }
  Server& cache_server() { return *cache_server_; }
  // Ends and starts the processes, the cache service first.
  void restart();

  // By the JSON API; fail the test if that does.
  void upload(std::string_view key, std::string_view bytes);
  Keys keys(std::string_view prefix = {});
  // By a read of the raw image: its bytes.
  std::string read(std::string_view key);
  // The same read: `hit` or `miss`.
  std::string read_outcome(std::string_view key);
  void configure(std::string_view capacity_mb, std::string_view policy = "lru");

  // A figure of the cache service's /stats.
  std::int64_t stat(std::string_view name);
  // What is cached now, sorted.
  Keys cached_keys();
  // The images' files, those of unfinished uploads too.
  std::vector<std::string> files();
  const std::string& database() const { return cache_server_->database(); }
  Database::Rows query(const std::string& sql);

 private:
  Deployment(std::unique_ptr<Server> cache_server, Kind kind, const Options& options);

  std::unique_ptr<Server> cache_server_;  // both services in one process
  std::unique_ptr<Server> backend_server_;
};

// `/images/...` and its like: the prefix and the key, every odd byte escaped.
std::string path_of(std::string_view prefix, std::string_view key);

struct OneProcess {
  static constexpr auto kind = Deployment::Kind::one_process;
  static Deployment& deployment() { return Deployment::shared(kind); }
};
struct TwoProcesses {
  static constexpr auto kind = Deployment::Kind::two_processes;
  static Deployment& deployment() { return Deployment::shared(kind); }
};
struct SeveralLoops {
  static constexpr auto kind = Deployment::Kind::several_loops;
  static Deployment& deployment() { return Deployment::shared(kind); }
};

#define DEPLOYED_TEST_CASE(name) \
  TEST_CASE_TEMPLATE(name, Where, OneProcess, TwoProcesses, SeveralLoops)

#define END_OF_DEPLOYMENTS \
  TEST_CASE("the servers of this file drain cleanly") { Deployment::end_shared(); }

}  // namespace imgcached::e2e
