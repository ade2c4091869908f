// The totals on a real table, which is written while they are counted.
#include "images/image_totals.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/random.h"
#include "tests/db/database_fixture.h"
#include "tests/net/stream_pair.h"

namespace imgcached::images {
namespace {

struct TotalsRig {
  static constexpr std::uint64_t page_rows = 3;

  db::test::DatabaseFixture fixture;
  db::ImageTable table{fixture.pool};
  bool is_in_doubt = false;
  int times_asked = 0;
  ImageTotals totals{fixture.loop, table,
                     [this] {
                       ++times_asked;
                       return is_in_doubt;
                     },
                     1, page_rows};
  std::uint64_t locations = 0;
  bool is_writing = true;
  Gate gate;

  ~TotalsRig() { fixture.run(totals.close()); }

  template <class Condition>
  void until(Condition reached) {
    test::run_until(fixture.loop, std::move(reached));
  }

  db::ImageRow row(std::string key, std::uint64_t bytes) {
    return {std::move(key),       std::to_string(++locations), "image/gif",      bytes,
            std::string(32, '0'), 1'700'000'000'000,           1'700'000'000'000};
  }
  void insert(const std::string& key, std::uint64_t bytes) {
    const Result<bool> inserted = fixture.run(table.insert_if_absent(row(key, bytes)));
    REQUIRE((inserted.ok() && *inserted));
  }
  Task<void> remove_many() {
    co_await totals.admission();
    ImageTotals::Write write(totals, std::nullopt);
    const Result<std::vector<db::ImageLocation>> batch = co_await table.locations("", 2);
    CHECK(batch.ok());
    if (!batch.ok()) co_return;
    Totals removed;
    for (const db::ImageLocation& image : *batch) {
      removed = {removed.images + 1, removed.bytes + image.byte_size};
    }
    const Result<std::uint64_t> count = co_await table.remove_batch(*batch);
    CHECK(count.ok());
    if (count.ok() && *count == batch->size()) {
      write.changed({}, removed);
    } else {
      totals.doubt();  // some of them were replaced meanwhile
    }
  }
  // Some write of some key, one after the other.
  Task<void> write_on(std::uint64_t seed) {
    Random random(seed);
    while (is_writing) {
      if (random.below(30) == 0) {
        co_await remove_many();
        continue;
      }
      const std::string key(1, static_cast<char>('a' + random.below(12)));
      const Result<std::optional<db::ImageRow>> found = co_await table.find(key);
      CHECK(found.ok());
      if (!found.ok()) co_return;
      const std::uint64_t bytes = 1 + random.below(1000);
      co_await totals.admission();
      ImageTotals::Write write(totals, key);
      Result<bool> done = false;
      if (!*found) {
        done = co_await table.insert_if_absent(row(key, bytes));
        if (done.ok() && *done) write.changed({1, bytes}, {});
      } else if (random.below(3) == 0) {
        done = co_await table.remove_if(key, (**found).location);
        if (done.ok() && *done) write.changed({}, {1, (**found).byte_size});
      } else {
        done = co_await table.replace_if(key, (**found).location, row(key, bytes));
        if (done.ok() && *done) write.changed({1, bytes}, {1, (**found).byte_size});
      }
      CHECK((done.ok() || done.error().code == Errc::uncertain));
      // Of several in a batch that are changed again at once nobody can say.
      if (!done.ok()) totals.doubt();
    }
  }

  e2e::Database::Rows query(const std::string& sql) {
    return e2e::Database::shared().query(sql, fixture.settings.name);
  }
  std::uint64_t statements() {
    return std::stoull(query("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'").at(0).at(1));
  }
  void check_totals() {
    const e2e::Database::Rows sum =
        query("SELECT COUNT(*), COALESCE(SUM(byte_size), 0) FROM images");
    CHECK(std::to_string(totals.now().images) == sum.at(0).at(0));
    CHECK(std::to_string(totals.now().bytes) == sum.at(0).at(1));
  }
};

TEST_CASE("totals are counted page by page") {
  TotalsRig rig;
  // Pages of 3: none, one that is not full, one that is, more.
  for (const char* key : {"", "a", "b", "c", "d", "e", "f", "g"}) {
    if (*key) rig.insert(key, 10);
    rig.totals.doubt();
    rig.until([&] { return !rig.totals.is_counting(); });
    rig.check_totals();
  }
  CHECK(rig.totals.now().images == 7);
  CHECK(rig.totals.now().bytes == 70);
}

TEST_CASE("a recount comes to its end while images are written, and is right") {
  constexpr int writers = 5;
  constexpr int rounds = 40;
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  TotalsRig rig;
  for (int round = 0; round < rounds; ++round) {
    CAPTURE(round);
    rig.is_writing = true;
    for (std::uint64_t i = 0; i < writers; ++i) rig.gate.spawn(rig.write_on(seed + i));
    rig.totals.set({1'000, 1'000'000});
    rig.totals.doubt();
    rig.until([&] { return !rig.totals.is_counting(); });
    rig.is_writing = false;
    rig.until([&] { return rig.gate.running() == 0 && !rig.totals.is_counting(); });
    rig.check_totals();
  }
}

TEST_CASE("a write that does not end holds up others for a moment, not the whole recount") {
  TotalsRig rig;
  rig.insert("a", 10);
  auto endless = std::make_unique<ImageTotals::Write>(rig.totals, "a");
  rig.totals.doubt();
  bool is_held = false, is_admitted = false;
  const auto other = [&]() -> Task<void> {
    co_await rig.totals.admission();
    is_admitted = true;
  };
  rig.until([&] {
    is_admitted = false;
    rig.gate.spawn(other());
    is_held = !is_admitted;
    return is_held;
  });
  rig.until([&] { return is_admitted; });
  CHECK(rig.totals.is_counting());
  endless.reset();
  rig.until([&] { return !rig.totals.is_counting(); });
  rig.check_totals();
}

TEST_CASE("a recount waits for the end of a removal of many") {
  TotalsRig rig;
  rig.insert("a", 10);
  auto removal = std::make_unique<ImageTotals::Write>(rig.totals, std::nullopt);
  rig.totals.doubt();
  const std::uint64_t before = rig.statements();
  rig.until([&] { return rig.statements() >= before + 3; });
  CHECK(rig.totals.is_counting());
  removal.reset();
  rig.until([&] { return !rig.totals.is_counting(); });
  rig.check_totals();
}

TEST_CASE("a recount waits until no write is in doubt") {
  TotalsRig rig;
  rig.insert("a", 10);
  rig.is_in_doubt = true;
  rig.totals.doubt();
  const std::uint64_t before = rig.statements();
  rig.until([&] { return rig.times_asked >= 3; });
  CHECK(rig.statements() == before);
  CHECK(rig.totals.now().images == 0);
  rig.is_in_doubt = false;
  rig.until([&] { return !rig.totals.is_counting(); });
  rig.check_totals();
}

TEST_CASE("totals never fall below 0, and are counted anew then") {
  TotalsRig rig;
  rig.insert("a", 10);
  {
    ImageTotals::Write write(rig.totals, "b");
    write.changed({}, {2, 1'000});
  }
  CHECK(rig.totals.now().images == 0);
  CHECK(rig.totals.now().bytes == 0);
  CHECK(rig.totals.is_counting());
  rig.until([&] { return !rig.totals.is_counting(); });
  rig.check_totals();
}

}  // namespace
}  // namespace imgcached::images
