// Uploads that are made durable together: the order of their steps, a crash at each of
// them, and the failures of one or all. What is asked of a single upload is asked of each
// in a batch, and what befalls one is told to that one only.
//
// A batch is made by holding an upload before its own sync: what comes meanwhile is the
// next batch, and how many wait, /metrics says.
//
// Where files are not synced together (see net/file_system.h) there is no batch to test;
// the tests say so.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/fault_points.h"
#include "tests/e2e/http_peer.h"
#include "tests/e2e/store_checks.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

constexpr std::size_t image_bytes = 20'000;
using Bytes = ExpectedImage::Bytes;

Bytes image(std::uint64_t seed) {
  return std::make_shared<const std::string>(png(image_bytes, seed));
}

// An upload that has been sent, and whose answer is read later.
class SentUpload {
 public:
  SentUpload(std::uint16_t port, std::string key, Bytes bytes)
      : key_(std::move(key)), bytes_(std::move(bytes)), peer_(std::make_unique<HttpPeer>(port)) {
    http::Headers headers;
    headers.add("Host", "test");
    headers.add("Content-Length", std::to_string(bytes_->size()));
    peer_->connection().send(request_head("PUT", "/images/" + key_, headers) + *bytes_);
  }
  const std::string& key() const { return key_; }
  const Bytes& bytes() const { return bytes_; }
  // 0: the connection ended without an answer.
  int status() {
    const std::optional<Reply> reply = peer_->receive();
    return reply ? reply->status : 0;
  }

 private:
  std::string key_;
  Bytes bytes_;
  std::unique_ptr<HttpPeer> peer_;
};

class BatchingStore {
 public:
  FaultPoints faults;
  Server server{{.launcher = faults.launcher()}};
  HttpPeer peer{server.backend_port()};

  bool has_batches() const {
    if (are_synced_together(server)) return true;
    MESSAGE("not tried, as files are synced one by one here");
    return false;
  }
  std::int64_t metric(const std::string& name) { return sample(peer.get("/metrics"), name); }

  // The uploads, sent while one of another key is held: they wait together for the next
  // batch, until that one is released.
  std::vector<SentUpload> wait_together(const std::vector<std::pair<std::string, Bytes>>& uploads) {
    faults.hold_at("before syncfs root");
    held_.emplace(server.backend_port(), "held", image(0));
    faults.await_held();
    std::vector<SentUpload> sent;
    for (const auto& [key, bytes] : uploads) {
      sent.emplace_back(server.backend_port(), key, bytes);
      const auto count = static_cast<std::int64_t>(sent.size());
      eventually("the upload waits", [&] { return metric("imgcached_uploads_waiting") == count; });
    }
    return sent;
  }
  // The answer of the one that was held.
  int release() {
    faults.release();
    const int status = held_->status();
    held_.reset();
    return status;
  }

 private:
  std::optional<SentUpload> held_;
};

std::string statuses_of(std::vector<SentUpload>& sent) {
  std::string text;
  for (SentUpload& upload : sent) text += std::to_string(upload.status()) + " ";
  return text;
}

TEST_CASE("uploads that come while one is made durable are made durable together") {
  BatchingStore store;
  if (!store.has_batches()) return;
  REQUIRE(put(store.peer, "b", *image(9)) == 201);
  const std::int64_t batches = store.metric("imgcached_file_batches_total");
  const std::int64_t uploads = store.metric("imgcached_file_batch_uploads_total");
  std::vector<SentUpload> sent =
      store.wait_together({{"a", image(1)}, {"b", image(2)}, {"c", image(3)}, {"d", image(4)}});
  store.faults.record();
  CHECK(store.release() == 201);
  CHECK(statuses_of(sent) == "201 200 201 201 ");
  eventually("the last answer has passed its point", [&] {
    const auto points = store.faults.points();
    return std::count(points.begin(), points.end(), "after send answer") >= 5;
  });
  store.faults.stop();
  CHECK(store.metric("imgcached_file_batches_total") - batches == 2);
  CHECK(store.metric("imgcached_file_batch_uploads_total") - uploads == 5);

  // After the held one's sync, which is the first.
  std::vector<std::string> points = store.faults.points();
  points.erase(points.begin(), std::find(points.begin(), points.end(), "after syncfs root"));
  const auto synced = std::find(points.begin(), points.end(), "before syncfs root");
  REQUIRE(synced != points.end());
  for (const char* step : {"after write tmp", "after close tmp", "after rename image"}) {
    CAPTURE(step);
    CHECK(std::count(points.begin(), synced, step) == 4);
    CHECK(std::count(synced, points.end(), step) == 0);
  }
  const std::vector<std::string> then(synced, points.end());
  for (const char* step : {"before syncfs root", "before UPDATE images"})
    CHECK(std::count(then.begin(), then.end(), step) == 1);
  CHECK(is_in_order(then, {"before syncfs root", "after syncfs root", "before INSERT images",
                           "after INSERT images", "before send answer"}));
  CHECK(is_in_order(then, {"after syncfs root", "before UPDATE images", "after UPDATE images",
                           "before unlink image", "before send answer"}));
  for (const SentUpload& upload : sent) check_image(store.peer, upload.key(), *upload.bytes());
  check_files_match_rows(store.server);
}

TEST_CASE("of uploads of one key in one batch the last that is stored stays, and no other file") {
  BatchingStore store;
  if (!store.has_batches()) return;
  for (int round = 0; round < 3; ++round) {
    std::vector<SentUpload> sent =
        store.wait_together({{"cat", image(1)}, {"cat", image(2)}, {"cat", image(3)}});
    CHECK(store.release() / 100 == 2);
    int created = 0;
    for (SentUpload& upload : sent) {
      const int status = upload.status();
      CHECK(status / 100 == 2);
      if (status == 201) ++created;
    }
    CHECK(created == (round == 0 ? 1 : 0));
    const std::string present = store.peer.get("/images/cat").body;
    CHECK(std::any_of(sent.begin(), sent.end(),
                      [&](const SentUpload& upload) { return *upload.bytes() == present; }));
    check_files_match_rows(store.server);
    CHECK(files_of(store.server).size() == 2);  // and that of the held one
  }
}

TEST_CASE("a crash at any step of a batch leaves of each the old image or the new one") {
  BatchingStore store;
  if (!store.has_batches()) return;
  std::map<std::string, ExpectedImage> keys;
  bool has_come_through = false;
  for (std::uint32_t run = 1; !has_come_through; ++run) {
    CAPTURE(run);
    // One of them is new in each run.
    if (keys["new"].acknowledged) {
      CHECK(store.peer.request("DELETE", "/images/new").status == 204);
      keys["new"].settle(nullptr);
    }
    std::vector<SentUpload> sent = store.wait_together(
        {{"a", image(3 * run)}, {"new", image(3 * run + 1)}, {"b", image(3 * run + 2)}});
    for (const SentUpload& upload : sent) keys[upload.key()].attempted = upload.bytes();
    keys["held"].attempted = image(0);
    store.faults.kill_at(run);
    const int held_status = store.release();
    if (held_status != 0) keys["held"].settle(image(0));
    CHECK((held_status == 0 || held_status / 100 == 2));
    for (SentUpload& upload : sent) {
      const int status = upload.status();
      CHECK((status == 0 || status / 100 == 2));
      if (status != 0) keys[upload.key()].settle(upload.bytes());
    }
    store.faults.stop();
    has_come_through = !store.faults.has_killed();
    const std::string place = store.faults.points().back();
    CAPTURE(place);
    if (!has_come_through) {
      store.peer.disconnect();
      store.server.kill9();  // is dead; reaps it
      store.server.restart();
    }
    for (auto& [key, expected] : keys) check_and_settle(store.peer, key, expected);
    check_rows_are_served(store.server, store.peer);
    check_files_match_rows(store.server);
  }
}

TEST_CASE("when the sync of a batch fails nobody is acknowledged and nothing is left") {
  BatchingStore store;
  if (!store.has_batches()) return;
  REQUIRE(put(store.peer, "a", *image(1)) == 201);
  REQUIRE(put(store.peer, "held", *image(0)) == 201);
  for (const int error : {EIO, ENOSPC, EDQUOT}) {
    for (const bool is_carried_out : {false, true}) {
      CAPTURE(error);
      CAPTURE(is_carried_out);
      std::vector<SentUpload> sent =
          store.wait_together({{"a", image(2)}, {"b", image(3)}, {"c", image(4)}});
      // The first of them is the held one's, the second may be the last that tells.
      store.faults.fail({{.operation = "syncfs",
                          .error = error,
                          .is_carried_out = is_carried_out,
                          .skip = 1,
                          .times = 1}});
      CHECK(store.release() == 200);
      CHECK(statuses_of(sent) == (error == EIO ? "503 503 503 " : "507 507 507 "));
      CHECK(store.faults.strikes() == 1);
      store.faults.heal();
      check_image(store.peer, "a", *image(1));
      for (const char* key : {"/images/b", "/images/c"}) CHECK(store.peer.get(key).status == 404);
      check_files_match_rows(store.server);
    }
  }
  CHECK(put(store.peer, "b", *image(5)) == 201);
}

TEST_CASE("when one file of a batch fails the others are stored") {
  BatchingStore store;
  if (!store.has_batches()) return;
  std::uint64_t seed = 0;
  const std::pair<const char*, const char*> operations[] = {
      {"open", "tmp"}, {"write", "tmp"}, {"close", "tmp"}, {"rename", "image"}};
  for (const auto& [operation, file] : operations) {
    for (const std::uint32_t which : {0u, 1u, 2u}) {
      CAPTURE(operation);
      CAPTURE(which);
      std::vector<SentUpload> sent =
          store.wait_together({{"a", image(++seed)}, {"b", image(++seed)}, {"c", image(++seed)}});
      store.faults.fail(
          {{.operation = operation, .file = file, .error = ENOSPC, .skip = which, .times = 1}});
      CHECK(store.release() / 100 == 2);
      for (std::size_t i = 0; i < sent.size(); ++i) {
        const int status = sent[i].status();
        CHECK((i == which ? status == 507 : status / 100 == 2));
        if (i != which) check_image(store.peer, sent[i].key(), *sent[i].bytes());
      }
      CHECK(store.faults.strikes() == 1);
      store.faults.heal();
      check_files_match_rows(store.server);
    }
  }
}

TEST_CASE("a batch whose statement has no answer is in doubt, each of it, until it is settled") {
  BatchingStore store;
  if (!store.has_batches()) return;
  REQUIRE(put(store.peer, "held", *image(0)) == 201);
  std::vector<SentUpload> sent =
      store.wait_together({{"a", image(1)}, {"b", image(2)}, {"c", image(3)}});
  store.faults.hold_at("before INSERT images");  // the held one is replaced, so it is the batch's
  store.faults.await_held();
  Database::shared().kill();
  CHECK(store.release() / 100 != 4);
  CHECK(statuses_of(sent) == "503 503 503 ");
  Database::shared().start();
  eventually("what was in doubt is settled",
             [&] { return store.metric("imgcached_unsettled_writes") == 0; });
  for (const SentUpload& upload : sent) {
    const Reply present = store.peer.get("/images/" + upload.key());
    CHECK((present.status == 404 || present.body == *upload.bytes()));
  }
  check_rows_are_served(store.server, store.peer);
  eventually("files and rows agree", [&] {
    return files_of(store.server).size() ==
           static_cast<std::size_t>(
               std::stoi(Database::shared()
                             .query("SELECT COUNT(*) FROM images", store.server.database())
                             .at(0)
                             .at(0)));
  });
}

}  // namespace
}  // namespace imgcached::e2e
