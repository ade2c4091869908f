#include "db/image_table.h"

#include <doctest/doctest.h>

#include <map>

#include "base/random.h"
#include "tests/db/bench.h"

using namespace imgcached;
using namespace imgcached::db;
using namespace imgcached::db::test;

namespace {

ImageRow row_of(std::string key, std::string location) {
  return {
      std::move(key),    std::move(location), "image/png", 1234, "0123456789abcdef0123456789abcdef",
      1'700'000'000'123, 1'700'000'000'456};
}

struct TableBench : Bench {
  ImageTable table{pool};

  // The value of what must succeed.
  template <class T>
  T must(Task<Result<T>> task) {
    Result<T> result = run(std::move(task));
    REQUIRE_MESSAGE(result.ok(), result.error().message);
    return std::move(*result);
  }
  void insert(const std::string& key) {
    REQUIRE(must(table.insert_if_absent(row_of(key, "file of " + std::to_string(++files)))));
  }
  std::vector<std::string> keys(std::string prefix, std::string after, std::uint64_t limit) {
    std::vector<std::string> found;
    for (ImageSummary& image : must(table.list(std::move(prefix), std::move(after), limit))) {
      found.push_back(image.key);
    }
    return found;
  }
  int files = 0;
};

using Keys = std::vector<std::string>;

}  // namespace

TEST_CASE("an image's row is found as it was inserted") {
  TableBench bench;
  CHECK(!bench.must(bench.table.find("k")).has_value());
  REQUIRE(bench.must(bench.table.insert_if_absent(row_of("k", "aa/1"))));
  const std::optional<ImageRow> found = bench.must(bench.table.find("k"));
  REQUIRE(found.has_value());
  CHECK(found->key == "k");
  CHECK(found->location == "aa/1");
  CHECK(found->content_type == "image/png");
  CHECK(found->byte_size == 1234);
  CHECK(found->etag == "0123456789abcdef0123456789abcdef");
  CHECK(found->created_at_ms == 1'700'000'000'123);
  CHECK(found->updated_at_ms == 1'700'000'000'456);
  CHECK(bench.must(bench.table.count()) == 1);
}

TEST_CASE("only the first of two inserts of a key happens") {
  TableBench bench;
  CHECK(bench.must(bench.table.insert_if_absent(row_of("k", "1"))));
  CHECK(!bench.must(bench.table.insert_if_absent(row_of("k", "2"))));
  CHECK(bench.must(bench.table.find("k"))->location == "1");
}

TEST_CASE("two keys can't share a file") {
  TableBench bench;
  CHECK(bench.must(bench.table.insert_if_absent(row_of("a", "1"))));
  const Result<bool> shared = bench.run(bench.table.insert_if_absent(row_of("b", "1")));
  REQUIRE(!shared.ok());
  CHECK(shared.error().code == Errc::internal);
}

TEST_CASE("a row is replaced only while it is the one that was seen") {
  TableBench bench;
  bench.must(bench.table.insert_if_absent(row_of("k", "1")));
  ImageRow next = row_of("k", "2");
  next.content_type = "image/gif";
  next.byte_size = 99;
  next.etag = std::string(32, 'f');
  next.created_at_ms = 5;
  next.updated_at_ms = 4'000'000'000'000;  // after 2038
  CHECK(bench.must(bench.table.replace_if("k", "1", next)));
  next.location = "3";
  CHECK(!bench.must(bench.table.replace_if("k", "1", next)));
  CHECK(!bench.must(bench.table.replace_if("unknown", "1", next)));
  const std::optional<ImageRow> found = bench.must(bench.table.find("k"));
  CHECK(found->location == "2");
  CHECK(found->content_type == "image/gif");
  CHECK(found->byte_size == 99);
  CHECK(found->etag == std::string(32, 'f'));
  CHECK(found->created_at_ms == 1'700'000'000'123);
  CHECK(found->updated_at_ms == 4'000'000'000'000);
}

TEST_CASE("the keys in front of a key come from the last one on, as many as are asked for") {
  TableBench bench;
  for (const char* key : {"a", "b1", "b2", "b3", "b\xc3\xa9", "c"}) bench.insert(key);
  const auto keys = [&](std::string prefix, std::string before, std::uint64_t limit) {
    Keys found;
    for (ImageSummary& image :
         bench.must(bench.table.list_before(std::move(prefix), std::move(before), limit))) {
      found.push_back(image.key);
    }
    return found;
  };
  CHECK(keys("", "b2", 10) == Keys{"b1", "a"});
  CHECK(keys("", "b2", 1) == Keys{"b1"});
  CHECK(keys("b", "b3", 10) == Keys{"b2", "b1"});
  CHECK(keys("", "", 2) == Keys{"c", "b\xc3\xa9"});
  CHECK(keys("b", "", 2) == Keys{"b\xc3\xa9", "b3"});
  CHECK(keys("b", "zzz", 1) == Keys{"b\xc3\xa9"});
  CHECK(keys("b", "a", 10).empty());
  CHECK(keys("x", "", 10).empty());
  CHECK(keys("\xff", "", 10).empty());
}

TEST_CASE("the images that were uploaded last come the newest first") {
  TableBench bench;
  CHECK(bench.must(bench.table.recent(10)).empty());
  std::int64_t at = 1'700'000'000'000;
  for (const char* key : {"c", "a", "b"}) {
    ImageRow row = row_of(key, std::string("file of ") + key);
    row.updated_at_ms = ++at;
    bench.must(bench.table.insert_if_absent(std::move(row)));
  }
  ImageRow again = row_of("c", "new file of c");
  again.updated_at_ms = ++at;
  CHECK(bench.must(bench.table.replace_if("c", "file of c", std::move(again))));
  const auto recent = bench.must(bench.table.recent(2));
  REQUIRE(recent.size() == 2);
  CHECK(recent[0].key == "c");
  CHECK(recent[0].updated_at_ms == at);
  CHECK(recent[1].key == "b");
}

// What makes a page of a million keys as quick as one of fifty.
TEST_CASE("a page of keys, forwards, backwards or of the last uploads, reads only its own rows") {
  TableBench bench;
  Database& server = Database::shared();
  server.query(
      "INSERT INTO images (`key`, location, content_type, byte_size, etag, created_at, updated_at) "
      "SELECT CONCAT('k', LPAD(seq, 6, '0')), seq, 'image/png', 1, '', NOW(3), "
      "NOW(3) + INTERVAL seq SECOND FROM seq_1_to_5000",
      bench.settings.name);
  server.query("ANALYZE TABLE images", bench.settings.name);
  // Of all tables, those of the question itself included.
  const auto rows_read = [&] {
    return std::stoull(server
                           .query("SELECT SUM(variable_value) FROM information_schema.global_status"
                                  " WHERE variable_name LIKE 'HANDLER_READ%'")
                           .at(0)
                           .at(0));
  };
  rows_read();
  const std::uint64_t at_first = rows_read();
  const std::uint64_t of_question = rows_read() - at_first;
  constexpr std::uint64_t limit = 50;
  const auto check = [&](Task<Result<std::vector<ImageSummary>>> page) {
    const std::uint64_t before = rows_read();
    CHECK(bench.must(std::move(page)).size() == limit);
    CHECK(rows_read() - before - of_question <= limit + 3);
  };
  check(bench.table.list("", "k002500", limit));
  check(bench.table.list("k003", "k0030", limit));
  check(bench.table.list_before("", "k002500", limit));
  check(bench.table.list_before("k", "", limit));
  check(bench.table.recent(limit));
}

TEST_CASE("a settled read does not look past a change that is being made, a plain one does") {
  TableBench bench;
  bench.must(bench.table.insert_if_absent(row_of("k", "1")));
  Session writer;
  writer.must("SET autocommit = 0");
  writer.must("UPDATE " + bench.settings.name + ".images SET location = '2' WHERE `key` = 'k'");
  CHECK(bench.must(bench.table.find("k"))->location == "1");
  CHECK(bench.must(bench.table.locations("", 10)).size() == 1);

  const auto settled = bench.run(bench.table.find("k", Read::settled));
  REQUIRE(!settled.ok());
  CHECK(settled.error().code == Errc::unavailable);
  CHECK(!bench.run(bench.table.locations("", 10, Read::settled)).ok());
  writer.must("COMMIT");
  CHECK(bench.must(bench.table.find("k", Read::settled))->location == "2");
  CHECK(bench.must(bench.table.locations("", 10, Read::settled))[0].location == "2");
}

TEST_CASE("a row is removed only while it is the one that was seen") {
  TableBench bench;
  bench.must(bench.table.insert_if_absent(row_of("k", "1")));
  CHECK(!bench.must(bench.table.remove_if("k", "2")));
  CHECK(bench.must(bench.table.remove_if("k", "1")));
  CHECK(!bench.must(bench.table.remove_if("k", "1")));
  CHECK(bench.must(bench.table.count()) == 0);
}

TEST_CASE("Cat and cat are two keys, and so is one with a space at its end") {
  TableBench bench;
  for (const char* key : {"Cat", "cat", "cat "}) bench.insert(key);
  CHECK(bench.must(bench.table.count()) == 3);
  CHECK(bench.must(bench.table.find("cat "))->key == "cat ");
  CHECK(!bench.must(bench.table.find("CAT")).has_value());
}

TEST_CASE("SQL in a key is a key") {
  TableBench bench;
  const std::string key = "'; DROP TABLE images; -- ` \" \\";
  bench.insert(key);
  CHECK(bench.must(bench.table.find(key))->key == key);
  CHECK(bench.keys("';", "", 10) == Keys{key});
}

TEST_CASE("keys are listed in the order of their bytes, from prefix and after, up to the limit") {
  TableBench bench;
  for (const char* key : {"b", "a", "B", "ab", "a/1", "a%", "a_", "\u00e9", "az", "\U0001F600"}) {
    bench.insert(key);
  }
  CHECK(bench.keys("", "", 100) ==
        Keys{"B", "a", "a%", "a/1", "a_", "ab", "az", "b", "\u00e9", "\U0001F600"});
  CHECK(bench.keys("a", "", 100) == Keys{"a", "a%", "a/1", "a_", "ab", "az"});
  CHECK(bench.keys("a%", "", 100) == Keys{"a%"});
  CHECK(bench.keys("a", "a/1", 2) == Keys{"a_", "ab"});
  CHECK(bench.keys("b", "a", 100) == Keys{"b"});
  CHECK(bench.keys("a", "b", 100) == Keys{});
  CHECK(bench.keys("", "", 3) == Keys{"B", "a", "a%"});
  CHECK(bench.keys("", "", 0) == Keys{});
}

TEST_CASE("a list shows what its images are") {
  TableBench bench;
  bench.insert("k");
  const std::vector<ImageSummary> images = bench.must(bench.table.list("", "", 10));
  REQUIRE(images.size() == 1);
  CHECK(images[0].content_type == "image/png");
  CHECK(images[0].byte_size == 1234);
  CHECK(images[0].updated_at_ms == 1'700'000'000'456);
}

TEST_CASE("prefixes of any bytes list what a plain comparison would") {
  TableBench bench;
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  const std::string alphabet("\0a\xfe\xff", 4);
  const auto some_text = [&](std::uint64_t longest) {
    std::string made;
    for (std::uint64_t left = random.below(longest + 1); left > 0; --left) {
      made += alphabet[random.below(alphabet.size())];
    }
    return made;
  };
  std::map<std::string, bool> model;
  for (int i = 0; i < 60; ++i) {
    const std::string key = "\xff" + some_text(4);
    if (model.emplace(key, true).second) bench.insert(key);
  }
  for (int i = 0; i < 60; ++i) {
    const std::string prefix = some_text(3), after = some_text(4);
    Keys expected;
    for (const auto& [key, present] : model) {
      if (key.starts_with(prefix) && key > after) expected.push_back(key);
    }
    CHECK(bench.keys(prefix, after, 1000) == expected);
  }
}

TEST_CASE("a walk over the table in batches meets every row once, and can remove them") {
  TableBench bench;
  for (int i = 0; i < 25; ++i) bench.insert("key " + std::to_string(i));
  std::size_t met = 0;
  std::string after;
  for (;;) {
    std::vector<ImageLocation> batch = bench.must(bench.table.locations(after, 10));
    if (batch.empty()) break;
    met += batch.size();
    after = batch.back().key;
    batch.push_back({"key 0", "not its location"});
    const std::size_t real = batch.size() - 1;
    CHECK(bench.must(bench.table.remove_batch(std::move(batch))) == real);
  }
  CHECK(met == 25);
  CHECK(bench.must(bench.table.count()) == 0);
  CHECK(bench.must(bench.table.remove_batch({})) == 0);
}

TEST_CASE("a whole batch of the longest keys can be removed at once") {
  TableBench bench;
  std::vector<ImageLocation> batch;
  for (std::size_t i = 0; i < ImageTable::batch_max; ++i) {
    std::string key = std::to_string(i);
    key.resize(255, '\xff');
    batch.push_back({key, std::to_string(i)});
    if (i % 100 == 0) bench.must(bench.table.insert_if_absent(row_of(key, std::to_string(i))));
  }
  CHECK(bench.must(bench.table.remove_batch(std::move(batch))) == 5);
}
