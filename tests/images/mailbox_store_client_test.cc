// The way of another loop to the store. Both loops are turned by the test, so that it
// decides whose turn it is; tests/e2e/backend_loops_test.cc has threads.
#include "images/mailbox_store_client.h"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "cache/cache_service.h"
#include "cache/local_cache_client.h"
#include "tests/db/database_fixture.h"
#include "tests/e2e/fixture.h"
#include "tests/images/quick_settling.h"

namespace imgcached::images {
namespace {

namespace fs = std::filesystem;
using imgcached::test::keep_result;
using imgcached::test::run_task;

std::string picture(const std::string& text) { return "GIF89a" + text; }

// The store's way to the cache, which can be deaf to invalidations.
class HalfDeaf : public cache::LocalCacheClient {
 public:
  using LocalCacheClient::LocalCacheClient;

  Task<Result<void>> invalidate(std::string key) override {
    if (is_deaf) co_return Error{Errc::timed_out, "the cache does not hear"};
    Task<Result<void>> hearing = LocalCacheClient::invalidate(std::move(key));
    Result<void> heard = co_await std::move(hearing);
    co_return heard;
  }

  bool is_deaf = false;
};

struct TwoLoops {
  TwoLoops() { REQUIRE(blobs.prepare().ok()); }
  ~TwoLoops() {
    here.close();
    loop.run();
    run_task(fixture.loop, store.close());
    run_task(fixture.loop, service.close());
    there.close();
  }

  BlobStore open() {
    Result<BlobStore> opened = BlobStore::open(fixture.loop, {root, Durability::none});
    REQUIRE(opened.ok());
    return std::move(*opened);
  }

  void turn_both_until(const std::function<bool()>& reached) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(e2e::patience_ms);
    while (!reached()) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      uv_run(fixture.loop.raw(), UV_RUN_NOWAIT);
      uv_run(loop.raw(), UV_RUN_NOWAIT);
    }
  }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    gate.spawn(keep_result(std::move(task), result));
    turn_both_until([&] { return result.has_value(); });
    return std::move(*result);
  }
  // What ends although the store's loop stands still.
  template <class T>
  T run_here(Task<T> task) {
    return run_task(loop, std::move(task));
  }

  Task<Result<Stored>> upload(std::string key, std::string bytes) {
    BlobWriter writer = client.begin_upload();
    Result<void> written = co_await writer.write(bytes);
    CHECK(written.ok());
    Result<Stored> stored = co_await client.put(std::move(key), writer, nullptr);
    co_return stored;
  }
  std::string read(std::string key) {
    const Result<Image> image = run(client.get(std::move(key)));
    return image ? std::string(image->bytes.view()) : std::string(to_string(image.error().code));
  }
  std::ptrdiff_t unfinished_files() const {
    return std::distance(fs::directory_iterator(root + "/tmp"), fs::directory_iterator());
  }

  // The store's.
  db::test::DatabaseFixture fixture;
  e2e::ScratchDirectory scratch;
  const std::string root = scratch.path() + "/images";
  BlobStore blobs = open();
  db::ImageTable table{fixture.pool};
  cache::CacheService service{fixture.loop, fixture.pool};
  net::Mailbox there{fixture.loop};
  Gate there_gate;
  HalfDeaf store_cache{service, there, there_gate, there};
  ImageStore store{fixture.loop, blobs, table, store_cache, quick_settling()};
  // The caller's.
  net::Loop loop;
  net::Mailbox here{loop};
  Gate here_gate;
  cache::LocalCacheClient cache{service, there, there_gate, here};
  MailboxStoreClient client{store, {there, there_gate}, {here, here_gate}, loop, cache};
  Gate gate;
};

TEST_CASE("another loop: a hit needs no turn of the store's loop") {
  TwoLoops two;
  REQUIRE(two.run(two.upload("cat", picture("cat"))).ok());
  CHECK_FALSE(two.run(two.client.get("cat"))->cached);
  const Result<Image> hit = two.run_here(two.client.get("cat"));
  REQUIRE(hit.ok());
  CHECK(hit->cached);
  CHECK(hit->bytes.view() == picture("cat"));
  CHECK(two.store.stats().hits == 1);
  CHECK(two.store.stats().misses == 1);
  CHECK(two.run_here(two.client.get("")).error().code == Errc::invalid_argument);
}

Task<bool> once(int& asked) { co_return ++asked == 1; }

TEST_CASE("another loop: every call comes to the same as on the store's") {
  TwoLoops two;
  const Result<Stored> stored = two.run(two.upload("a", picture("a")));
  REQUIRE(stored.ok());
  CHECK(stored->created);
  CHECK_FALSE(two.run(two.upload("a", picture("b")))->created);
  const std::string large = picture(std::string(BlobWriter::buffer_bytes + 1, 'x'));
  REQUIRE(two.run(two.upload("c", large)).ok());
  CHECK(two.read("a") == picture("b"));
  CHECK(two.read("c") == large);
  CHECK(two.unfinished_files() == 0);
  CHECK(two.run(two.upload("d", "no image")).error().code == Errc::unsupported_type);

  const Precondition never = [](std::optional<std::string_view> digest) { return !digest; };
  CHECK(two.run(two.client.check("a", never)).error().code == Errc::precondition_failed);
  CHECK(two.run(two.client.remove("a", never)).error().code == Errc::precondition_failed);
  CHECK(two.run(two.client.check("x", never)).ok());

  const Result<Listing> first = two.run(two.client.list("", "", 1));
  REQUIRE(first.ok());
  CHECK(first->images.at(0).key == "a");
  CHECK(first->more);
  const Result<Listing> last = two.run(two.client.list_before("", "", 1));
  REQUIRE(last.ok());
  CHECK(last->images.at(0).key == "c");
  CHECK(last->more);
  CHECK(two.run(two.client.recent(5))->size() == 2);
  CHECK(two.run(two.client.describe("c")).value()->byte_size == large.size());
  CHECK_FALSE(two.run(two.client.describe("x")).value().has_value());
  const Result<StoreFigures> figures = two.run(two.client.figures());
  REQUIRE(figures.ok());
  CHECK(figures->totals.images == 2);
  CHECK(figures->counted.uploads == 3);
  CHECK(two.run(two.client.probe()).ok());

  CHECK(two.run(two.client.remove("a", nullptr)).ok());
  CHECK(two.read("a") == "not_found");
  int asked = 0;
  // The second step finds nothing more.
  CHECK(two.run(two.client.remove_all([&] { return once(asked); })).ok());
  CHECK(asked == 1);
  CHECK(two.read("c") == "not_found");
}

TEST_CASE("another loop: a key whose write stayed open is read around the cache, others are not") {
  TwoLoops two;
  for (const char* key : {"cat", "dog"}) {
    REQUIRE(two.run(two.upload(key, picture(key))).ok());
    CHECK(two.read(key) == picture(key));
  }
  CHECK_FALSE(two.store.has_open_writes());
  two.store_cache.is_deaf = true;
  REQUIRE(two.run(two.upload("cat", picture("new"))).ok());
  CHECK(two.store.has_open_writes());
  CHECK(two.service.get("cat").blob.view() == picture("cat"));  // what must not be served
  const Result<Image> read = two.run(two.client.get("cat"));
  REQUIRE(read.ok());
  CHECK(read->bytes.view() == picture("new"));
  CHECK_FALSE(read->cached);
  CHECK(two.run(two.client.get("dog"))->cached);

  two.store_cache.is_deaf = false;
  two.turn_both_until([&] { return !two.store.has_open_writes(); });
  CHECK(two.read("cat") == picture("new"));
  CHECK(two.run_here(two.client.get("cat"))->cached);
}

// Takes all places of a mailbox, for as long as it lives.
class Crowded {
 public:
  explicit Crowded(net::Mailbox& mailbox) : mailbox_(mailbox) {
    while (mailbox_.enter_call()) ++calls_;
  }
  ~Crowded() {
    for (; calls_ > 0; --calls_) mailbox_.leave_call();
  }
  Crowded(const Crowded&) = delete;
  Crowded& operator=(const Crowded&) = delete;

 private:
  net::Mailbox& mailbox_;
  int calls_ = 0;
};

TEST_CASE(
    "another loop: beyond the bound of the store's mailbox a call is refused, and leaves nothing") {
  TwoLoops two;
  REQUIRE(two.run(two.upload("cat", picture("cat"))).ok());
  {
    const Crowded crowded(two.there);
    CHECK(two.read("cat") == "unavailable");
    const std::string large = picture(std::string(BlobWriter::buffer_bytes + 1, 'x'));
    CHECK(two.run(two.upload("large", large)).error().code == Errc::unavailable);
    CHECK(two.unfinished_files() == 0);
    CHECK(two.run(two.client.figures()).error().code == Errc::unavailable);
  }
  CHECK(two.read("cat") == picture("cat"));
  {
    // Who can't be asked whether he still wants it is taken to.
    const Crowded crowded(two.here);
    int asked = 0;
    CHECK(two.run(two.client.remove_all([&] { return once(asked); })).ok());
    CHECK(asked == 0);
  }
  CHECK(two.read("cat") == "not_found");
}

}  // namespace
}  // namespace imgcached::images
