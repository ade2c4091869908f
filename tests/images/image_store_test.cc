// The image store on a real disk, a real database and the real cache, whose
// steps a decorator can hold or fail: so each interleaving that would serve or
// leave something wrong is driven, not hoped for.
#include "images/image_store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <deque>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "cache/cache_service.h"
#include "tests/db/database_fixture.h"
#include "tests/e2e/fixture.h"
#include "tests/images/quick_settling.h"
#include "tests/images/stored_files.h"
#include "tests/net/busy_threads.h"
#include "tests/net/run_task.h"

namespace imgcached::images {
namespace {

namespace fs = std::filesystem;
using imgcached::test::keep_result;
using imgcached::test::run_task;

std::string gif(std::string_view what) { return "GIF89a " + std::string(what); }

// Lets coroutines pass, or holds them until it is opened.
class Latch {
 public:
  void close() { closed_ = true; }
  void open() {
    closed_ = false;
    for (const std::coroutine_handle<> waiter : std::exchange(waiters_, {})) waiter.resume();
  }
  std::size_t held() const { return waiters_.size(); }

  bool await_ready() const noexcept { return !closed_; }
  void await_suspend(std::coroutine_handle<> waiter) { waiters_.push_back(waiter); }
  void await_resume() const noexcept {}

 private:
  bool closed_ = false;
  std::vector<std::coroutine_handle<>> waiters_;
};

// The cache service, one loop away from nobody.
class SteppedCache : public cache::CacheClient {
 public:
  struct Step {
    Latch before;        // the call is on its way
    Latch after;         // it has been carried out, its answer is on its way
    bool fails = false;  // it never arrives
    int calls = 0;
  };
  Step gets, puts, invalidations, clears;

  explicit SteppedCache(cache::CacheService& service) : service_(service) {}

  Task<Result<cache::Lookup>> get(std::string_view key) override {
    ++gets.calls;
    co_await gets.before;
    if (gets.fails) co_return lost();
    cache::Lookup found = service_.get(key);
    co_await gets.after;
    co_return found;
  }
  Task<Result<cache::PutOutcome>> put(std::string key, Blob blob, std::uint64_t lease) override {
    ++puts.calls;
    co_await puts.before;
    if (puts.fails) co_return lost();
    const cache::PutOutcome outcome = service_.put(key, std::move(blob), lease);
    co_await puts.after;
    co_return outcome;
  }
  Task<Result<void>> invalidate(std::string key) override {
    ++invalidations.calls;
    co_await invalidations.before;
    if (invalidations.fails) co_return lost();
    service_.invalidate(key);
    co_await invalidations.after;
    co_return Result<void>();
  }
  Task<Result<void>> clear() override {
    ++clears.calls;
    co_await clears.before;
    if (clears.fails) co_return lost();
    service_.clear();
    co_await clears.after;
    co_return Result<void>();
  }
  Task<Result<void>> refresh_configuration() override { return service_.refresh_configuration(); }
  Task<Result<std::vector<std::string>>> cached_of(std::vector<std::string> keys) override {
    co_return service_.cached_of(std::move(keys));
  }
  Task<Result<cache::Stats>> stats() override { co_return service_.stats(); }
  Task<Result<void>> ping() override { co_return Result<void>(); }

 private:
  static Error lost() { return Error{Errc::timed_out, "the cache is held by a test"}; }

  cache::CacheService& service_;
};

Task<Result<Stored>> upload(ImageStore& store, std::string key, std::string bytes) {
  BlobWriter writer = store.begin_upload();
  Result<void> written = co_await writer.write(bytes);
  if (!written) {
    co_await writer.discard();
    co_return std::move(written).error();
  }
  Result<Stored> stored = co_await store.put(std::move(key), writer);
  co_return stored;
}

Task<bool> to_the_end() { co_return true; }

// Says yes so often, and counts.
Task<bool> so_often(int& asked, int answers_max) { co_return ++asked <= answers_max; }

// Keeps warnings out of the log for as long as it lives.
struct Silence {
  Silence() { log::set_level(log::Level::error); }
  ~Silence() { log::set_level(log::Level::info); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
};

struct Rig {
  db::test::DatabaseFixture fixture;
  e2e::ScratchDirectory scratch;
  const std::string root = scratch.path() + "/images";
  BlobStore blobs = open();
  db::ImageTable table{fixture.pool};
  cache::CacheService service{fixture.loop, fixture.pool};
  SteppedCache cache{service};
  ImageStore store;
  Gate gate;

  explicit Rig(SettlingTimes times = quick_settling())
      : store(fixture.loop, blobs, table, cache, times) {}
  ~Rig() {
    run_task(fixture.loop, store.close());
    run_task(fixture.loop, service.close());
  }

  BlobStore open() {
    Result<BlobStore> opened = BlobStore::open(fixture.loop, {root, Durability::none});
    REQUIRE_MESSAGE(opened.ok(), opened.error().message);
    REQUIRE(opened->prepare().ok());
    return std::move(*opened);
  }

  template <class T>
  T run(Task<T> task) {
    return fixture.run(std::move(task));
  }
  // Lets `task` run beside the test; its result comes into what is returned,
  // which must outlive it.
  template <class T>
  std::unique_ptr<std::optional<T>> start(Task<T> task) {
    auto result = std::make_unique<std::optional<T>>();
    gate.spawn(keep_result(std::move(task), *result));
    return result;
  }
  // Turns the loop until `reached` holds.
  template <class Condition>
  void until(Condition reached) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(e2e::patience_ms);
    while (!reached()) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      uv_run(fixture.loop.raw(), UV_RUN_NOWAIT);
    }
  }

  void must_upload(std::string key, std::string bytes) {
    const Result<Stored> stored = run(upload(store, std::move(key), std::move(bytes)));
    REQUIRE_MESSAGE(stored.ok(), stored.error().message);
  }
  // The image under the key, or the word for why there is none.
  std::string read(std::string key) { return text(run(store.get(std::move(key)))); }
  static std::string text(const Result<Image>& image) {
    return image ? std::string(image->bytes.view()) : std::string(to_string(image.error().code));
  }
  bool is_cached(std::string key) { return run(store.get(std::move(key))).value().cached; }

  std::set<std::string> files() const { return stored_files(root); }
  std::string location(std::string key) {
    const Result<std::optional<db::ImageRow>> row = run(table.find(std::move(key)));
    REQUIRE(row.ok());
    return *row ? (**row).location : "";
  }
  // Prepared statements that the server has carried out.
  std::uint64_t statements() {
    return std::stoull(query("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'").at(0).at(1));
  }
  e2e::Database::Rows query(const std::string& sql) {
    return e2e::Database::shared().query(sql, fixture.settings.name);
  }
  // The command of a client that says what it is told to, while the test goes on.
  std::vector<std::string> other_session(const std::string& sql) const {
    return {"mariadb",
            "--no-defaults",
            "--unbuffered",
            "--skip-column-names",
            "--socket=" + fixture.settings.socket,
            "--user=root",
            "--execute=" + sql,
            fixture.settings.name};
  }
};

// --- The plain way ------------------------------------------------------------------------------

TEST_CASE("an image is a miss, then a hit, and gone when it is removed") {
  Rig rig;
  const Result<Stored> stored = rig.run(upload(rig.store, "cat", gif("cat")));
  REQUIRE(stored.ok());
  CHECK(stored->created);
  CHECK(stored->content_type == "image/gif");
  CHECK(stored->digest == digest_of(gif("cat")));

  const Result<Image> first = rig.run(rig.store.get("cat"));
  REQUIRE(first.ok());
  CHECK_FALSE(first->cached);
  CHECK(first->bytes.view() == gif("cat"));
  CHECK(first->content_type() == "image/gif");
  const Result<Image> second = rig.run(rig.store.get("cat"));
  REQUIRE(second.ok());
  CHECK(second->cached);
  CHECK(second->bytes.view() == gif("cat"));

  CHECK(rig.run(rig.store.remove("cat")).ok());
  CHECK(rig.read("cat") == "not_found");
  CHECK(rig.files().empty());
  CHECK(rig.run(rig.store.remove("cat")).error().code == Errc::not_found);
}

TEST_CASE("an upload under the same key replaces the image and removes the old file") {
  Rig rig;
  rig.must_upload("cat", gif("old"));
  CHECK(rig.read("cat") == gif("old"));
  CHECK(rig.is_cached("cat"));
  const Result<Stored> stored = rig.run(upload(rig.store, "cat", "BM" + std::string(20, '\0')));
  REQUIRE(stored.ok());
  CHECK_FALSE(stored->created);
  CHECK(stored->content_type == "image/bmp");
  CHECK(rig.read("cat") == "BM" + std::string(20, '\0'));
  CHECK(rig.files() == std::set<std::string>{rig.location("cat")});
}

TEST_CASE("a refused upload leaves the old image and nothing else") {
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  CHECK(rig.run(upload(rig.store, "cat", "no image")).error().code == Errc::unsupported_type);
  CHECK(rig.run(upload(rig.store, "", gif("dog"))).error().code == Errc::invalid_argument);
  CHECK(rig.run(upload(rig.store, "a\nb", gif("dog"))).error().code == Errc::invalid_argument);
  CHECK(rig.read("cat") == gif("cat"));
  CHECK(rig.files().size() == 1);
}

TEST_CASE("an image larger than the cache is served, again and again") {
  Rig rig;
  rig.query(
      "INSERT INTO cache_properties (max_capacity, replacement_method, created_at) "
      "VALUES (0, 'Least Recently Used', NOW())");
  REQUIRE(rig.run(rig.service.refresh_configuration()).ok());
  rig.must_upload("cat", gif("cat"));
  for (int i = 0; i < 3; ++i) {
    CHECK(rig.read("cat") == gif("cat"));
    CHECK_FALSE(rig.is_cached("cat"));
  }
}

// --- Races of readers and writers ---------------------------------------------------------------

TEST_CASE("a slow reader can't bring the old image back into the cache") {
  Rig rig;
  rig.must_upload("cat", gif("old"));
  rig.cache.puts.before.close();
  const auto slow = rig.start(rig.store.get("cat"));
  rig.until([&] { return rig.cache.puts.before.held() == 1; });  // it has read the old file

  rig.must_upload("cat", gif("new"));
  rig.cache.puts.before.open();
  rig.until([&] { return slow->has_value(); });
  CHECK(Rig::text(**slow) == gif("old"));  // it asked before the upload was acknowledged
  CHECK(rig.service.stats().lease_rejections == 1);
  CHECK(rig.service.stats().curr_items == 0);

  CHECK(rig.read("cat") == gif("new"));
  CHECK(rig.is_cached("cat"));
  CHECK(rig.read("cat") == gif("new"));
}

TEST_CASE("an upload is not over before the cache has forgotten the old image") {
  Rig rig;
  rig.must_upload("cat", gif("old"));
  CHECK(rig.read("cat") == gif("old"));
  rig.cache.invalidations.before.close();
  const auto uploading = rig.start(upload(rig.store, "cat", gif("new")));
  rig.until([&] { return rig.cache.invalidations.before.held() == 1; });

  CHECK(rig.files().size() == 2);
  CHECK(rig.files().count(rig.location("cat")) == 1);  // the row first, the cache after it
  CHECK_FALSE(uploading->has_value());
  CHECK(rig.read("cat") == gif("old"));
  rig.cache.invalidations.before.open();
  rig.until([&] { return uploading->has_value(); });
  CHECK(rig.read("cat") == gif("new"));
  CHECK(rig.files().size() == 1);
}

TEST_CASE("a fill between commit and invalidation does not survive the invalidation") {
  Rig rig;
  rig.must_upload("cat", gif("old"));
  rig.cache.puts.before.close();
  const auto slow = rig.start(rig.store.get("cat"));
  rig.until([&] { return rig.cache.puts.before.held() == 1; });
  rig.cache.invalidations.before.close();
  const auto uploading = rig.start(upload(rig.store, "cat", gif("new")));
  rig.until([&] { return rig.cache.invalidations.before.held() == 1; });

  rig.cache.puts.before.open();
  rig.until([&] { return slow->has_value(); });
  CHECK(rig.service.stats().curr_items == 1);  // the old image, for a moment
  rig.cache.invalidations.before.open();
  rig.until([&] { return uploading->has_value(); });
  CHECK(rig.read("cat") == gif("new"));
}

TEST_CASE("a reader that comes after an upload does not join a fetch from before it") {
  Rig rig;
  rig.must_upload("cat", gif("old"));
  rig.cache.puts.before.close();
  const auto early = rig.start(rig.store.get("cat"));
  rig.until([&] { return rig.cache.puts.before.held() == 1; });
  rig.must_upload("cat", gif("new"));

  const auto late = rig.start(rig.store.get("cat"));
  rig.until([&] { return rig.cache.puts.before.held() == 2; });
  CHECK(rig.store.stats().shared_fetches == 0);
  rig.cache.puts.before.open();
  rig.until([&] { return early->has_value() && late->has_value(); });
  CHECK(Rig::text(**early) == gif("old"));
  CHECK(Rig::text(**late) == gif("new"));
  CHECK(rig.read("cat") == gif("new"));
}

TEST_CASE(
    "a reader whose miss was answered before an upload does not join a fetch from before it") {
  Rig rig;
  rig.must_upload("cat", gif("old"));
  rig.cache.puts.before.close();
  const auto leader = rig.start(rig.store.get("cat"));
  rig.until([&] { return rig.cache.puts.before.held() == 1; });
  rig.cache.gets.after.close();
  const auto late = rig.start(rig.store.get("cat"));  // holds the leader's lease
  rig.until([&] { return rig.cache.gets.after.held() == 1; });
  rig.must_upload("cat", gif("new"));

  rig.cache.gets.after.open();
  rig.cache.puts.before.open();
  rig.until([&] { return leader->has_value() && late->has_value(); });
  CHECK(Rig::text(**late) == gif("new"));
  CHECK(rig.read("cat") == gif("new"));
}

TEST_CASE("readers that miss together share one fetch") {
  constexpr std::size_t readers = 50;
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  rig.cache.puts.before.close();
  std::vector<std::unique_ptr<std::optional<Result<Image>>>> images;
  images.push_back(rig.start(rig.store.get("cat")));
  rig.until([&] { return rig.cache.puts.before.held() == 1; });
  // The others can't have read the file: there is none any more.
  fs::remove(rig.root + "/" + rig.location("cat"));
  while (images.size() < readers) images.push_back(rig.start(rig.store.get("cat")));
  CHECK(rig.store.stats().shared_fetches == readers - 1);

  rig.cache.puts.before.open();
  rig.until([&] {
    return std::all_of(images.begin(), images.end(), [](const auto& i) { return i->has_value(); });
  });
  for (const auto& image : images) CHECK(Rig::text(**image) == gif("cat"));
  CHECK(rig.cache.puts.calls == 1);
  CHECK(rig.store.stats().misses == readers);
}

TEST_CASE("readers share a failure as well, and the next one tries anew") {
  Rig rig;
  rig.cache.gets.fails = true;  // nobody has a lease
  std::unique_ptr<std::optional<Result<Image>>> first;
  std::unique_ptr<std::optional<Result<Image>>> second;
  {
    const db::test::Frozen frozen;  // so that the first still waits when the second comes
    first = rig.start(rig.store.get("cat"));
    second = rig.start(rig.store.get("cat"));
    CHECK(rig.store.stats().shared_fetches == 1);
  }
  rig.until([&] { return first->has_value() && second->has_value(); });
  CHECK(Rig::text(**first) == "not_found");
  CHECK(Rig::text(**second) == "not_found");
  rig.must_upload("cat", gif("cat"));
  CHECK(rig.read("cat") == gif("cat"));
}

TEST_CASE("a removal while a reader reads leaves nothing in the cache") {
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  rig.cache.puts.before.close();
  const auto reading = rig.start(rig.store.get("cat"));
  rig.until([&] { return rig.cache.puts.before.held() == 1; });
  CHECK(rig.run(rig.store.remove("cat")).ok());
  rig.cache.puts.before.open();
  rig.until([&] { return reading->has_value(); });
  CHECK(Rig::text(**reading) == gif("cat"));
  CHECK(rig.service.stats().curr_items == 0);
  CHECK(rig.read("cat") == "not_found");
}

TEST_CASE("a reader whose file goes between row and file looks at the row again") {
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  const std::string old_path = rig.root + "/" + rig.location("cat");
  test::BusyThreads threads(rig.fixture.loop);
  const std::size_t busy = rig.fixture.loop.live_jobs();
  const auto reading = rig.start(rig.store.get("cat"));
  rig.until([&] { return rig.fixture.loop.live_jobs() == busy + 1; });  // it has read the row

  std::string expected;
  SUBCASE("removed") {
    rig.query("DELETE FROM images");
    expected = "not_found";
  }
  SUBCASE("replaced") {
    fs::copy_file(old_path, rig.root + "/00/0000");
    rig.query("UPDATE images SET location = '00/0000'");
    expected = gif("cat");
  }
  fs::remove(old_path);
  threads.free();
  rig.until([&] { return reading->has_value() && !threads.any(); });
  CHECK(Rig::text(**reading) == expected);
}

TEST_CASE("uploads of one key at once leave one row and one file, of the same image") {
  constexpr int writers = 12;
  Rig rig;
  std::vector<std::unique_ptr<std::optional<Result<Stored>>>> uploads;
  for (int i = 0; i < writers; ++i) {
    uploads.push_back(rig.start(upload(rig.store, "cat", gif(std::to_string(i)))));
  }
  rig.until([&] {
    return std::all_of(uploads.begin(), uploads.end(),
                       [](const auto& u) { return u->has_value(); });
  });
  int created = 0;
  for (const auto& stored : uploads) {
    REQUIRE_MESSAGE((*stored)->ok(), (*stored)->error().message);
    created += (**stored)->created;
  }
  CHECK(created == 1);
  CHECK(rig.query("SELECT COUNT(*) FROM images") == e2e::Database::Rows{{"1"}});
  CHECK(rig.files() == std::set<std::string>{rig.location("cat")});
  CHECK(rig.read("cat").starts_with("GIF89a"));
  CHECK(rig.is_cached("cat"));
}

TEST_CASE("removing all takes what was there, and spares what is uploaded meanwhile") {
  Rig rig;
  for (const char* key : {"a", "b", "c"}) rig.must_upload(key, gif(key));
  CHECK(rig.read("b") == gif("b"));
  rig.cache.clears.before.close();
  const auto removing = rig.start(rig.store.remove_all(to_the_end));
  rig.until([&] { return rig.cache.clears.before.held() == 1; });
  rig.must_upload("b", gif("new b"));
  rig.must_upload("d", gif("d"));
  CHECK(rig.read("b") == gif("new b"));
  rig.cache.clears.before.open();
  rig.until([&] { return removing->has_value(); });
  CHECK((*removing)->ok());

  CHECK(rig.read("a") == "not_found");
  CHECK(rig.read("b") == gif("new b"));
  CHECK(rig.read("d") == gif("d"));
  CHECK(rig.files().size() == 2);
  const Result<Listing> listing = rig.run(rig.store.list("", "", 10));
  REQUIRE(listing.ok());
  CHECK(listing->images.size() == 2);
}

TEST_CASE("removing all takes more images than one statement does") {
  Rig rig;
  const std::size_t count = db::ImageTable::batch_max + 1;
  rig.query(
      "INSERT INTO images (`key`, location, content_type, byte_size, etag, created_at, "
      "updated_at) SELECT seq, CONCAT('00/', seq), 'image/gif', 1, '', NOW(), NOW() "
      "FROM seq_1_to_" +
      std::to_string(count));
  CHECK(rig.run(rig.store.remove_all(to_the_end)).ok());
  CHECK(rig.run(rig.store.list("", "", 1)).value().images.empty());
  CHECK(rig.store.stats().removals == count);
}

TEST_CASE("removing all stops between two statements when it is told to, and keeps what it did") {
  Rig rig;
  for (const char* key : {"a", "z"}) rig.must_upload(key, gif(key));
  rig.query(
      "INSERT INTO images (`key`, location, content_type, byte_size, etag, created_at, "
      "updated_at) SELECT CONCAT('b', seq), CONCAT('00/', seq), 'image/gif', 1, '', NOW(), NOW() "
      "FROM seq_1_to_" +
      std::to_string(2 * db::ImageTable::batch_max));
  CHECK(rig.read("a") == gif("a"));
  int asked = 0;
  const Result<void> removed = rig.run(rig.store.remove_all([&] { return so_often(asked, 1); }));
  REQUIRE_FALSE(removed.ok());
  CHECK(removed.error().code == Errc::closed);
  CHECK(asked == 2);
  CHECK(rig.run(rig.store.list("", "", 10)).value().images.size() == 2);
  CHECK(rig.read("a") == "not_found");
  CHECK(rig.read("z") == gif("z"));
}

// --- The cache does not hear us -----------------------------------------------------------------

TEST_CASE("without the cache, images are read from disk and uploaded all the same") {
  Rig rig;
  rig.cache.gets.fails = rig.cache.puts.fails = rig.cache.invalidations.fails = true;
  rig.must_upload("cat", gif("cat"));
  CHECK(rig.read("cat") == gif("cat"));
  rig.must_upload("cat", gif("new"));
  CHECK(rig.read("cat") == gif("new"));
}

TEST_CASE("a put that fails is not the reader's trouble") {
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  rig.cache.puts.fails = true;
  CHECK(rig.read("cat") == gif("cat"));
  CHECK(rig.store.stats().cache_errors == 1);
}

TEST_CASE("reads go around the cache until it has heard of a replacement") {
  Rig rig;
  rig.must_upload("cat", gif("old"));
  rig.must_upload("dog", gif("dog"));
  CHECK(rig.read("cat") == gif("old"));
  CHECK(rig.read("dog") == gif("dog"));
  rig.cache.invalidations.fails = true;
  rig.must_upload("cat", gif("new"));
  CHECK(rig.service.get("cat").hit);  // it still has the old one

  CHECK(rig.read("cat") == gif("new"));
  CHECK_FALSE(rig.is_cached("cat"));
  CHECK(rig.is_cached("dog"));
  // The attempts go on, and so does the bypass.
  const int calls = rig.cache.invalidations.calls;
  rig.until([&] { return rig.cache.invalidations.calls > calls + 1; });
  CHECK(rig.read("cat") == gif("new"));

  const std::uint64_t delivered = rig.service.stats().invalidations;
  rig.cache.invalidations.fails = false;
  rig.until([&] { return rig.service.stats().invalidations > delivered; });
  CHECK_FALSE(rig.service.get("cat").hit);
  rig.until([&] { return rig.is_cached("cat"); });
  CHECK(rig.read("cat") == gif("new"));
}

TEST_CASE("the delivery of one invalidation does not settle that of a later upload") {
  Rig rig;
  rig.must_upload("cat", gif("1"));
  rig.cache.invalidations.fails = true;
  rig.must_upload("cat", gif("2"));
  // The background delivers the invalidation of 2; its answer is on its way ...
  rig.cache.invalidations.after.close();
  rig.cache.invalidations.fails = false;
  rig.until([&] { return rig.cache.invalidations.after.held() == 1; });
  // ... while a reader caches 2, and 3 is uploaded, which the cache does not hear of.
  rig.service.put("cat", Blob::copy_of(gif("2")));
  rig.cache.invalidations.fails = true;
  rig.must_upload("cat", gif("3"));
  const int calls = rig.cache.invalidations.calls;
  rig.cache.invalidations.after.open();
  rig.until([&] { return rig.cache.invalidations.calls > calls; });

  CHECK(rig.service.get("cat").hit);
  CHECK(rig.read("cat") == gif("3"));
  rig.cache.invalidations.fails = false;
  rig.until([&] { return !rig.service.get("cat").hit; });
  rig.until([&] { return rig.is_cached("cat"); });
  CHECK(rig.read("cat") == gif("3"));
}

TEST_CASE("closing the store does not wait until every invalidation has been delivered") {
  Rig rig;
  rig.cache.invalidations.fails = true;
  for (const char* key : {"a", "b", "c"}) rig.must_upload(key, gif(key));
  rig.cache.invalidations.after.close();
  rig.cache.invalidations.fails = false;
  rig.until([&] { return rig.cache.invalidations.after.held() == 1; });
  const int calls = rig.cache.invalidations.calls;
  rig.gate.spawn(rig.store.close());
  rig.cache.invalidations.after.open();
  rig.until([&] { return rig.gate.running() == 0; });
  CHECK(rig.cache.invalidations.calls == calls);
}

TEST_CASE("beyond so many invalidations that are due, the whole cache is cleared instead") {
  const Silence silence;  // each of them is worth a warning
  Rig rig;
  for (const char* key : {"cat", "dog"}) rig.must_upload(key, gif(key));
  CHECK(rig.read("dog") == gif("dog"));
  rig.cache.invalidations.fails = rig.cache.clears.fails = true;
  // A removal of what is not there asks the cache to forget it, too.
  std::size_t due = 0;
  const auto remove_nothing = [&] {
    const std::string key = "nothing " + std::to_string(due++);
    CHECK(rig.run(rig.store.remove(key)).error().code == Errc::not_found);
  };
  while (due < ImageStore::undelivered_max) remove_nothing();
  CHECK(rig.is_cached("dog"));  // which has nothing due
  CHECK(rig.cache.clears.calls == 0);
  remove_nothing();
  CHECK_FALSE(rig.is_cached("dog"));  // since none is known any more
  rig.until([&] { return rig.cache.clears.calls > 0; });

  const int calls = rig.cache.invalidations.calls;
  rig.cache.invalidations.fails = rig.cache.clears.fails = false;
  rig.until([&] { return rig.service.stats().clears == 1; });
  rig.until([&] { return rig.is_cached("dog"); });
  CHECK(rig.cache.invalidations.calls == calls);  // the one clear has settled them all
}

TEST_CASE("when the cache can't be cleared, nothing is read from it until it is") {
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  rig.must_upload("dog", gif("dog"));
  CHECK(rig.read("cat") == gif("cat"));
  rig.cache.clears.fails = true;
  CHECK(rig.run(rig.store.remove_all(to_the_end)).ok());
  CHECK(rig.service.get("cat").hit);
  CHECK(rig.read("cat") == "not_found");
  rig.must_upload("dog", gif("new dog"));
  CHECK(rig.read("dog") == gif("new dog"));

  rig.cache.clears.fails = false;
  rig.until([&] { return rig.service.stats().clears == 1; });
  CHECK_FALSE(rig.service.get("cat").hit);
  rig.until([&] { return rig.is_cached("dog"); });
  CHECK(rig.read("cat") == "not_found");
}

// --- How many and how much ----------------------------------------------------------------------

TEST_CASE("the totals follow every write, and are those of the rows") {
  Rig rig;
  const auto check = [&](std::uint64_t images, std::uint64_t bytes) {
    CHECK(rig.store.totals().images == images);
    CHECK(rig.store.totals().bytes == bytes);
    CHECK(rig.query("SELECT COUNT(*), COALESCE(SUM(byte_size), 0) FROM images") ==
          e2e::Database::Rows{{std::to_string(images), std::to_string(bytes)}});
  };
  const std::uint64_t one = gif("").size();
  check(0, 0);
  rig.must_upload("a", gif("123"));
  check(1, one + 3);
  rig.must_upload("b", gif("1"));
  check(2, 2 * one + 4);
  rig.must_upload("a", gif("12345"));
  check(2, 2 * one + 6);
  rig.must_upload("a", gif("1"));
  check(2, 2 * one + 2);
  CHECK_FALSE(rig.run(upload(rig.store, "a", "no image")).ok());
  CHECK_FALSE(rig.run(rig.store.remove("nobody")).ok());
  check(2, 2 * one + 2);
  CHECK(rig.run(rig.store.remove("a")).ok());
  check(1, one + 1);
  rig.must_upload("c", gif(""));
  CHECK(rig.run(rig.store.remove_all(to_the_end)).ok());
  check(0, 0);
}

TEST_CASE("the totals are counted at start") {
  Rig rig;
  const Silence silence;
  rig.query(
      "INSERT INTO images (`key`, location, content_type, byte_size, etag, created_at, "
      "updated_at) SELECT seq, CONCAT('00/', seq), 'image/gif', 3, '', NOW(), NOW() "
      "FROM seq_1_to_2500");
  REQUIRE(rig.run(rig.store.recover(false)).ok());
  CHECK(rig.store.totals().images == 2500);
  CHECK(rig.store.totals().bytes == 7500);
}

TEST_CASE("the totals are counted anew when a write's outcome was unknown, while others write") {
  SettlingTimes times = quick_settling();
  times.late_commit_ms = 0;  // the lock on the row must do
  Rig rig(times);
  rig.must_upload("cat", gif("old"));
  rig.query("CREATE TRIGGER slow BEFORE UPDATE ON images FOR EACH ROW SET @slept = SLEEP(2.5)");
  CHECK(rig.run(upload(rig.store, "cat", gif("larger"))).error().code == Errc::uncertain);
  CHECK(rig.store.totals().bytes == gif("old").size());
  // One write is under way all the time.
  rig.cache.invalidations.before.close();
  const auto uploading = rig.start(upload(rig.store, "dog", gif("dog")));
  rig.until([&] { return rig.cache.invalidations.before.held() >= 1; });
  CHECK(rig.store.totals().images == 2);
  const std::uint64_t expected = gif("larger").size() + gif("dog").size();
  rig.until([&] { return rig.store.totals().bytes == expected; });
  CHECK(rig.store.totals().images == 2);
  CHECK_FALSE(uploading->has_value());
  rig.cache.invalidations.before.open();
  rig.until([&] { return uploading->has_value(); });
}

TEST_CASE("the totals are counted anew when they turn out to be wrong, and never fall below 0") {
  Rig rig;
  rig.must_upload("a", gif("a"));
  rig.query(
      "INSERT INTO images (`key`, location, content_type, byte_size, etag, created_at, "
      "updated_at) SELECT seq, CONCAT('00/', seq), 'image/gif', 1000, '', NOW(), NOW() "
      "FROM seq_1_to_3");
  CHECK(rig.run(rig.store.remove("1")).ok());
  CHECK(rig.store.totals().images <= 1);
  CHECK(rig.store.totals().bytes <= gif("a").size());
  rig.until([&] { return rig.store.totals().images == 3; });
  CHECK(rig.store.totals().bytes == 2000 + gif("a").size());
}

// --- The database does not answer ---------------------------------------------------------------

TEST_CASE("an upload that the database commits late finds its file") {
  SettlingTimes times = quick_settling();
  times.late_commit_ms = 0;  // the lock on the row must do
  Rig rig(times);
  rig.must_upload("cat", gif("old"));
  CHECK(rig.read("cat") == gif("old"));
  // Longer than we wait for an answer.
  rig.query("CREATE TRIGGER slow BEFORE UPDATE ON images FOR EACH ROW SET @slept = SLEEP(2.5)");
  const Result<Stored> stored = rig.run(upload(rig.store, "cat", gif("new")));
  REQUIRE_FALSE(stored.ok());
  CHECK(stored.error().code == Errc::uncertain);
  CHECK(rig.files().size() == 2);  // nobody can know which one the row will name
  CHECK(rig.store.has_open_writes());
  CHECK(rig.read("cat") == gif("old"));

  rig.until([&] { return rig.files().size() == 1; });
  CHECK(rig.files() == std::set<std::string>{rig.location("cat")});
  CHECK(rig.read("cat") == gif("new"));
  rig.until([&] { return rig.is_cached("cat"); });
  CHECK(rig.read("cat") == gif("new"));
}

TEST_CASE("the file of an upload that may still be committed stays, of one that was not goes") {
  SettlingTimes times = quick_settling();
  SUBCASE("it may") {}
  SUBCASE("it was not") { times.late_commit_ms = 100; }
  Rig rig(times);
  rig.must_upload("cat", gif("old"));
  rig.query("CREATE TRIGGER slow BEFORE UPDATE ON images FOR EACH ROW SET @slept = SLEEP(30)");
  const auto uploading = rig.start(upload(rig.store, "cat", gif("new")));
  const std::string ours =
      " FROM information_schema.processlist WHERE db = DATABASE() AND info "
      "LIKE '%SLEEP(30)%' AND id <> CONNECTION_ID()";
  rig.until([&] { return rig.query("SELECT COUNT(*)" + ours) == e2e::Database::Rows{{"1"}}; });
  rig.query("KILL " + rig.query("SELECT id" + ours).at(0).at(0));
  rig.until([&] { return uploading->has_value(); });
  CHECK((*uploading)->error().code == Errc::uncertain);
  CHECK(rig.read("cat") == gif("old"));

  if (times.late_commit_ms > 100) {
    // The row has been looked at, and still is the old one.
    const std::uint64_t looks = rig.statements();
    rig.until([&] { return rig.statements() > looks + 3; });
    CHECK(rig.files().size() == 2);
    CHECK_FALSE(rig.is_cached("cat"));
    return;
  }
  rig.until([&] { return rig.files().size() == 1; });
  CHECK(rig.read("cat") == gif("old"));
  rig.until([&] { return rig.is_cached("cat"); });
}

// A reader between the 503 and the late removal used to put the image back for good.
TEST_CASE("an image whose removal was carried out late is not served from the cache") {
  SettlingTimes times = quick_settling();
  times.late_commit_ms = 0;  // the lock on the row must do
  Rig rig(times);
  std::vector<std::string> keys{"cat"};
  SUBCASE("of one") {}
  SUBCASE("of all") { keys = {"cat", "dog"}; }
  for (const std::string& key : keys) {
    rig.must_upload(key, gif(key));
    CHECK(rig.read(key) == gif(key));
  }
  // Longer than we wait for an answer.
  rig.query("CREATE TRIGGER slow BEFORE DELETE ON images FOR EACH ROW SET @slept = SLEEP(2.5)");
  Task<Result<void>> removing =
      keys.size() == 1 ? rig.store.remove("cat") : rig.store.remove_all(to_the_end);
  CHECK(rig.run(std::move(removing)).error().code == Errc::uncertain);
  for (const std::string& key : keys) {
    CHECK(rig.read(key) == gif(key));  // it is still there ...
    CHECK_FALSE(rig.is_cached(key));   // ... and not cached again
  }
  rig.until([&] { return rig.location(keys.back()).empty(); });
  for (const std::string& key : keys) CHECK(rig.read(key) == "not_found");
  rig.until([&] { return rig.files().empty(); });
}

TEST_CASE("an image whose removal came to nothing is cached again, its file kept") {
  SettlingTimes times = quick_settling();
  SUBCASE("once it can't be carried out any more") { times.late_commit_ms = 100; }
  SUBCASE("but not before") {}
  Rig rig(times);
  rig.must_upload("cat", gif("cat"));
  rig.query("CREATE TRIGGER slow BEFORE DELETE ON images FOR EACH ROW SET @slept = SLEEP(30)");
  const auto removing = rig.start(rig.store.remove("cat"));
  const std::string ours =
      " FROM information_schema.processlist WHERE db = DATABASE() AND info "
      "LIKE '%SLEEP(30)%' AND id <> CONNECTION_ID()";
  rig.until([&] { return rig.query("SELECT COUNT(*)" + ours) == e2e::Database::Rows{{"1"}}; });
  rig.query("KILL " + rig.query("SELECT id" + ours).at(0).at(0));
  rig.until([&] { return removing->has_value(); });
  CHECK((*removing)->error().code == Errc::uncertain);

  if (times.late_commit_ms > 100) {
    // The row has been looked at, and still is there.
    const std::uint64_t looks = rig.statements();
    rig.until([&] { return rig.statements() > looks + 3; });
    CHECK_FALSE(rig.is_cached("cat"));
    CHECK_FALSE(rig.is_cached("cat"));
    return;
  }
  rig.until([&] { return rig.is_cached("cat"); });
  CHECK(rig.read("cat") == gif("cat"));
  CHECK(rig.files() == std::set<std::string>{rig.location("cat")});
}

TEST_CASE("a failed removal of all leaves the cache alone when nothing was removed") {
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  CHECK(rig.read("cat") == gif("cat"));
  {
    const db::test::Frozen frozen;
    CHECK(rig.run(rig.store.remove_all(to_the_end)).error().code == Errc::unavailable);
    CHECK(rig.is_cached("cat"));
  }
}

// --- Damage, and the start after a crash --------------------------------------------------------

TEST_CASE("a damaged or missing file is told as such, and never wrong bytes are served") {
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  const std::string path = rig.root + "/" + rig.location("cat");
  std::ofstream(path, std::ios::binary) << gif("dog");
  CHECK(rig.read("cat") == "data_lost");
  std::ofstream(path, std::ios::binary | std::ios::trunc) << "GIF";
  CHECK(rig.read("cat") == "data_lost");
  fs::remove(path);
  CHECK(rig.read("cat") == "data_lost");
  CHECK(rig.service.stats().cmd_set == 0);
  rig.must_upload("cat", gif("healed"));
  CHECK(rig.read("cat") == gif("healed"));
}

TEST_CASE("recovery removes the files that no row names, and only those") {
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  rig.must_upload("dog", gif("dog"));
  const std::set<std::string> named = rig.files();
  std::ofstream(rig.root + "/00/00000000000000000000000000000000") << gif("orphan");
  std::ofstream(rig.root + "/ff/ffffffffffffffffffffffffffffffff") << gif("orphan");
  fs::remove(rig.root + "/" + rig.location("dog"));
  CHECK(rig.run(rig.store.recover(false)).ok());
  CHECK(rig.files() == std::set<std::string>{rig.location("cat")});
  CHECK(rig.read("cat") == gif("cat"));
  CHECK(rig.read("dog") == "data_lost");  // its row is the user's to decide about
  CHECK(rig.service.stats().clears == 0);
}

TEST_CASE("recovery waits for the statements of a run that was killed") {
  Rig rig;
  rig.must_upload("cat", gif("old"));
  const std::string orphan = "00/00000000000000000000000000000000";
  std::ofstream(rig.root + "/" + orphan) << gif("new");
  e2e::Process killed_run(rig.other_session("BEGIN; UPDATE images SET location = '" + orphan +
                                            "'; SELECT 'updated'; SELECT SLEEP(1.5); COMMIT"),
                          rig.scratch.path() + "/errors");
  REQUIRE(killed_run.read_line() == "updated");
  CHECK(rig.run(rig.store.recover(false)).ok());
  CHECK(rig.files() == std::set<std::string>{orphan});
  CHECK(rig.location("cat") == orphan);
  CHECK(killed_run.wait() == 0);
}

TEST_CASE("a cache that outlived a crash is emptied before it is believed") {
  Rig rig;
  rig.must_upload("cat", gif("cat"));
  rig.service.put("cat", Blob::copy_of(gif("from before the crash")));
  SUBCASE("at once") {}
  SUBCASE("when it can be reached") { rig.cache.clears.fails = true; }
  CHECK(rig.run(rig.store.recover(true)).ok());
  CHECK(rig.read("cat") == gif("cat"));
  rig.cache.clears.fails = false;
  rig.until([&] { return rig.service.stats().clears == 1; });
  rig.until([&] { return rig.is_cached("cat"); });
  CHECK(rig.read("cat") == gif("cat"));
}

TEST_CASE("bug: a recovery that waits for the database goes on after the end was asked for") {
  Rig rig;
  const Silence silence;
  e2e::Process administrator(
      rig.other_session("LOCK TABLES images WRITE; SELECT CONNECTION_ID(); SELECT SLEEP(60)"),
      rig.scratch.path() + "/errors");
  const std::optional<std::string> session = administrator.read_line();
  REQUIRE(session.has_value());
  const auto recovered = rig.start(rig.store.recover(false));
  rig.until([&] {
    return !rig.query(
                   "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND "
                   "state = 'Waiting for table metadata lock'")
                .empty();
  });
  rig.run(rig.store.close());
  rig.until([&] { return recovered->has_value(); });
  CHECK((*recovered)->error().code == Errc::closed);
  rig.query("KILL " + *session);
}

TEST_CASE("recovery goes through with the cache out of reach and the table locked by somebody") {
  Rig rig;
  const Silence silence;
  e2e::Process administrator(
      rig.other_session("LOCK TABLES images WRITE; SELECT 'locked'; SELECT SLEEP(2.5)"),
      rig.scratch.path() + "/errors");
  REQUIRE(administrator.read_line() == "locked");
  rig.cache.clears.fails = true;
  CHECK(rig.run(rig.store.recover(true)).ok());
  rig.cache.clears.fails = false;
  rig.until([&] { return rig.service.stats().clears == 1; });
  CHECK(administrator.wait() == 0);
}

}  // namespace
}  // namespace imgcached::images
