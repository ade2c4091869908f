// A crash at every step of an upload, of a removal and of a start: before and after
// each system call and each statement, the server kills itself there and is started
// again. What was acknowledged must be there, byte for byte; what was not is the
// old image or the new one, whole; files and rows agree; and nothing that the
// cache service kept alive is older than its row.
//
// The steps are not listed here: the n-th run dies at its n-th fault point,
// until one comes through. That one's recording has to show the order of the
// steps that durability rests on.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/deployment.h"
#include "tests/e2e/fault_points.h"
#include "tests/e2e/store_checks.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

using Points = std::vector<std::string>;
using Bytes = ExpectedImage::Bytes;

constexpr std::size_t small_bytes = 20'000;
constexpr std::size_t large_bytes = 290'000;  // more than two buffers: a file before it is whole

Bytes image(std::size_t bytes, std::uint64_t seed) {
  return std::make_shared<const std::string>(png(bytes, seed));
}

// A request and what it makes of the keys.
struct Change {
  std::string method;
  std::string target;
  std::map<std::string, Bytes> outcome;

  static Change upload(const std::string& key, Bytes bytes) {
    return {"PUT", path_of("/images/", key), {{key, std::move(bytes)}}};
  }
  static Change removal(const std::string& key) {
    return {"DELETE", path_of("/images/", key), {{key, nullptr}}};
  }
  std::string body() const { return method == "PUT" ? *outcome.begin()->second : std::string(); }
};

// A store that crashes, and what is known to be in it.
class CrashingStore {
 public:
  explicit CrashingStore(Deployment::Kind kind)
      : deployment_(kind, {.durability = "strict", .launcher = faults_.launcher()}) {}

  const ExpectedImage& at(const std::string& key) { return keys_[key]; }
  bool syncs_together() { return are_synced_together(deployment_.backend_server()); }

  // Without a crash.
  void apply(const Change& change) {
    attempt(change);
    settle(change,
           deployment_.backend.try_request(change.method, change.target, {}, change.body()));
  }

  // The points that were passed if it came through; else none, and the crash
  // did no harm.
  Points crash_at(std::uint32_t point, const Change& change) {
    warm_cache();
    attempt(change);
    faults_.kill_at(point);
    const auto reply =
        deployment_.backend.try_request(change.method, change.target, {}, change.body());
    if (reply) await_last_point(point);
    if (reply || !faults_.has_killed()) settle(change, reply);
    if (!faults_.has_killed()) {
      faults_.stop();
      check();
      return faults_.points();
    }
    restart();
    const std::string place = faults_.points().back();
    CAPTURE(place);
    check();
    return {};
  }

  // At that point (0: none) of a start that has something to sweep. The points that were
  // passed if it came through; else none, and the next start did what was left to do.
  // Two starts do not pass the same number: the statements of the background, such as
  // those of the statistics, come before or after it is ready.
  Points crash_start_at(std::uint32_t point) {
    Server& server = deployment_.backend_server();
    deployment_.backend.disconnect();
    server.kill9();
    for (const char* left : {"/tmp/unfinished", "/00/orphan"})
      std::ofstream(server.images_directory() + left) << png(small_bytes, 0);
    faults_.kill_at(point);
    const bool has_started = server.try_restart();
    faults_.stop();
    const bool has_killed = faults_.has_killed();
    CHECK((has_started || has_killed));
    const Points points = has_killed ? Points() : faults_.points();
    if (has_started && has_killed) server.kill9();  // it died right after; reaps it
    if (has_killed) server.restart();
    check();
    return points;
  }

 private:
  void attempt(const Change& change) {
    for (const auto& [key, bytes] : change.outcome) keys_[key].attempted = bytes;
  }
  void settle(const Change& change, const std::optional<Reply>& reply) {
    REQUIRE(reply.has_value());
    REQUIRE_MESSAGE(reply->status / 100 == 2, reply->body);
    for (const auto& [key, bytes] : change.outcome) keys_[key].settle(bytes);
  }
  // So that whatever is in it is the older image once the change is made.
  void warm_cache() {
    for (const auto& [key, expected] : keys_) {
      if (expected.acknowledged) check_image(deployment_.backend, key, *expected.acknowledged);
    }
  }
  // It lies behind the answer, and may be the one that kills.
  void await_last_point(std::uint32_t killing) {
    eventually("the server passes its last point", [&] {
      const Points points = faults_.points();
      if (points.size() >= killing) return faults_.has_killed();
      return points.back() == "after send answer";
    });
  }
  void restart() {
    faults_.stop();
    deployment_.backend.disconnect();
    deployment_.backend_server().kill9();  // is dead; reaps it
    deployment_.backend_server().restart();
  }
  void check() {
    HttpPeer& backend = deployment_.backend;
    for (auto& [key, expected] : keys_) check_and_settle(backend, key, expected);
    const auto present = std::count_if(keys_.begin(), keys_.end(), [](const auto& entry) {
      return entry.second.acknowledged != nullptr;
    });
    CHECK(check_rows_are_served(deployment_.backend_server(), backend) ==
          static_cast<std::size_t>(present));
  }

  FaultPoints faults_;
  Deployment deployment_;
  std::map<std::string, ExpectedImage> keys_;
};

// Crashes at each point of the change that `prepare(n)` makes for the n-th run.
// The points of the run that came through.
template <class Prepare>
Points crash_everywhere(CrashingStore& store, Prepare prepare) {
  for (std::uint32_t run = 1;; ++run) {
    CAPTURE(run);
    Points points = store.crash_at(run, prepare(run));
    if (points.empty()) continue;
    return points;
  }
}

// The order that the safety of a write rests on.
void check_order(const Points& points, const Points& wanted) {
  const std::string passed = fmt::format("{}", fmt::join(points, ", "));
  CAPTURE(passed);
  CHECK(is_in_order(points, wanted));
}

// In two processes, what goes to the cache service stands between the statement
// and the file.
Points with_invalidation(Points points, Deployment::Kind kind) {
  if (kind != Deployment::Kind::two_processes) return points;
  const auto statement = std::find_if(points.begin(), points.end(), [](const std::string& point) {
    return point.starts_with("after ") && point.ends_with(" images");
  });
  points.insert(statement + 1, {"before send invalidation", "after send invalidation"});
  return points;
}

// Of a small file where those are synced together, of a file by itself otherwise.
Points durable_file(bool is_synced_together) {
  Points points = {"before open tmp", "before write tmp"};
  if (!is_synced_together)
    points.insert(points.end(), {"before fdatasync tmp", "after fdatasync tmp"});
  points.insert(points.end(), {"before rename image", "after rename image"});
  if (is_synced_together) {
    points.insert(points.end(), {"before syncfs root", "after syncfs root"});
  } else {
    points.insert(points.end(), {"before fsync directory", "after fsync directory"});
  }
  return points;
}

DEPLOYED_TEST_CASE("a crash at any step of a first upload leaves none or the whole image") {
  CrashingStore store(Where::kind);
  for (const std::size_t bytes : {small_bytes, large_bytes}) {
    CAPTURE(bytes);
    const Points points = crash_everywhere(store, [&](std::uint32_t run) {
      if (store.at("cat").acknowledged) store.apply(Change::removal("cat"));
      return Change::upload("cat", image(bytes, run));
    });
    Points wanted = durable_file(bytes == small_bytes && store.syncs_together());
    wanted.insert(wanted.end(), {"before INSERT images", "sent INSERT images",
                                 "after INSERT images", "before send answer"});
    check_order(points, with_invalidation(wanted, Where::kind));
    const auto writes = std::count(points.begin(), points.end(), "after write tmp");
    CHECK((writes > 1) == (bytes == large_bytes));
  }
}

DEPLOYED_TEST_CASE("a crash at any step of a replacement leaves the old image or the new one") {
  CrashingStore store(Where::kind);
  store.apply(Change::upload("cat", image(large_bytes, 0)));
  const Points points = crash_everywhere(
      store, [](std::uint32_t run) { return Change::upload("cat", image(small_bytes, run)); });
  Points wanted = durable_file(store.syncs_together());
  wanted.insert(wanted.end(), {"before UPDATE images", "sent UPDATE images", "after UPDATE images",
                               "before unlink image", "after unlink image", "before send answer"});
  check_order(points, with_invalidation(wanted, Where::kind));
}

DEPLOYED_TEST_CASE("a crash at any step of a removal leaves the image or nothing") {
  CrashingStore store(Where::kind);
  const Points points = crash_everywhere(store, [&](std::uint32_t run) {
    if (!store.at("cat").acknowledged) {
      store.apply(Change::upload("cat", image(small_bytes, run)));
    }
    return Change::removal("cat");
  });
  check_order(points, with_invalidation(
                          {"before DELETE images", "sent DELETE images", "after DELETE images",
                           "before unlink image", "after unlink image", "before send answer"},
                          Where::kind));
}

DEPLOYED_TEST_CASE(
    "a crash at any step of the removal of all leaves of each the image or nothing") {
  CrashingStore store(Where::kind);
  const Points points = crash_everywhere(store, [&](std::uint32_t run) {
    Change change{"POST", "/api/delete_all", {}};
    for (const std::string key : {"a", "b", "c"}) {
      if (!store.at(key).acknowledged) {
        store.apply(Change::upload(key, image(small_bytes, run)));
      }
      change.outcome[key] = nullptr;
    }
    return change;
  });
  Points wanted = {"before DELETE images", "sent DELETE images", "after DELETE images"};
  for (int i = 0; i < 3; ++i)
    wanted.insert(wanted.end(), {"before unlink image", "after unlink image"});
  if (Where::kind == Deployment::Kind::two_processes)
    wanted.emplace_back("after send invalidation");
  wanted.emplace_back("before send answer");
  check_order(points, wanted);
}

// The numbers of the points, but of those with the same name only the first and the last:
// a start makes and reads each of 256 directories.
std::set<std::uint32_t> ends_of_runs(const Points& points) {
  std::map<std::string, std::pair<std::uint32_t, std::uint32_t>> ends;
  for (std::uint32_t number = 1; number <= points.size(); ++number) {
    ends.try_emplace(points[number - 1], number, number).first->second.second = number;
  }
  std::set<std::uint32_t> numbers;
  for (const auto& [name, end] : ends) numbers.insert({end.first, end.second});
  return numbers;
}

DEPLOYED_TEST_CASE("a crash at any step of a start leaves what there was, for the next to sweep") {
  CrashingStore store(Where::kind);
  for (const std::string key : {"a", "b"}) store.apply(Change::upload(key, image(small_bytes, 1)));
  const Points points = store.crash_start_at(0);
  check_order(points, {"before fsync root", "after fsync root", "before unlink tmp",
                       "after unlink tmp", "before unlink image", "after unlink image"});
  for (const std::uint32_t number : ends_of_runs(points)) {
    CAPTURE(number);
    CHECK(store.crash_start_at(number).size() < number);  // none, or it had fewer
  }
}

}  // namespace
}  // namespace imgcached::e2e
