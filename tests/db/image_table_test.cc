#include "db/image_table.h"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/db/database_fixture.h"

using namespace imgcached;
using namespace imgcached::db;
using namespace imgcached::db::test;

namespace {

ImageRow row_of(std::string key, std::string location) {
  return {
      std::move(key),    std::move(location), "image/png", 1234, "0123456789abcdef0123456789abcdef",
      1'700'000'000'123, 1'700'000'000'456};
}

struct TableFixture : DatabaseFixture {
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
  // All of them begin in one turn of the loop; their outcomes.
  template <class T>
  std::vector<Result<T>> together(std::vector<Task<Result<T>>> tasks) {
    std::vector<std::optional<Result<T>>> outcomes(tasks.size());
    Gate gate;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      gate.spawn(keep_result(std::move(tasks[i]), outcomes[i]));
    }
    while (gate.running() > 0) uv_run(loop.raw(), UV_RUN_ONCE);
    std::vector<Result<T>> results;
    for (std::optional<Result<T>>& outcome : outcomes) results.push_back(std::move(*outcome));
    return results;
  }
  struct Replacement {
    std::string key;
    std::string old_location;
    std::string location;
  };
  std::vector<Result<bool>> replace_together(const std::vector<Replacement>& all) {
    std::vector<Task<Result<bool>>> tasks;
    for (const Replacement& one : all) {
      tasks.push_back(table.replace_if(one.key, one.old_location, row_of(one.key, one.location)));
    }
    return together(std::move(tasks));
  }
  std::vector<Result<bool>> insert_together(const std::vector<ImageLocation>& all) {
    std::vector<Task<Result<bool>>> tasks;
    for (const ImageLocation& one : all) {
      tasks.push_back(table.insert_if_absent(row_of(one.key, one.location)));
    }
    return together(std::move(tasks));
  }
  // As if somebody changed it at once: who looks for `location` finds another one.
  void change_again(const std::string& statement, const std::string& location) {
    Session other;
    other.must("CREATE TRIGGER " + settings.name + ".again_" + statement + " BEFORE " + statement +
               " ON " + settings.name +
               ".images FOR EACH ROW SET NEW.location = IF(NEW.location = '" + location +
               "', CONCAT(NEW.location, ' again'), NEW.location)");
  }
  std::string location(const std::string& key) {
    const std::optional<ImageRow> row = must(table.find(key));
    return row ? row->location : std::string();
  }
  std::uint64_t batches() { return table.change_batches().batches; }
  int files = 0;
};

// What came of changes: + done, - not done, or the first letter of the error.
std::string outcomes_of(const std::vector<Result<bool>>& results) {
  std::string text;
  for (const Result<bool>& result : results) {
    text += result ? (*result ? '+' : '-') : to_string(result.error().code)[0];
  }
  return text;
}

using Keys = std::vector<std::string>;

}  // namespace

TEST_CASE("an image's row is found as it was inserted") {
  TableFixture fixture;
  CHECK(!fixture.must(fixture.table.find("k")).has_value());
  REQUIRE(fixture.must(fixture.table.insert_if_absent(row_of("k", "aa/1"))));
  const std::optional<ImageRow> found = fixture.must(fixture.table.find("k"));
  REQUIRE(found.has_value());
  CHECK(found->key == "k");
  CHECK(found->location == "aa/1");
  CHECK(found->content_type == "image/png");
  CHECK(found->byte_size == 1234);
  CHECK(found->etag == "0123456789abcdef0123456789abcdef");
  CHECK(found->created_at_ms == 1'700'000'000'123);
  CHECK(found->updated_at_ms == 1'700'000'000'456);
  CHECK(fixture.must(fixture.table.count()) == 1);
}

TEST_CASE("only the first of two inserts of a key happens") {
  TableFixture fixture;
  CHECK(fixture.must(fixture.table.insert_if_absent(row_of("k", "1"))));
  CHECK(!fixture.must(fixture.table.insert_if_absent(row_of("k", "2"))));
  CHECK(fixture.must(fixture.table.find("k"))->location == "1");
}

TEST_CASE("two keys can't share a file") {
  TableFixture fixture;
  CHECK(fixture.must(fixture.table.insert_if_absent(row_of("a", "1"))));
  const Result<bool> shared = fixture.run(fixture.table.insert_if_absent(row_of("b", "1")));
  REQUIRE(!shared.ok());
  CHECK(shared.error().code == Errc::internal);
}

TEST_CASE("a row is replaced only while it is the one that was seen") {
  TableFixture fixture;
  fixture.must(fixture.table.insert_if_absent(row_of("k", "1")));
  ImageRow next = row_of("k", "2");
  next.content_type = "image/gif";
  next.byte_size = 99;
  next.etag = std::string(32, 'f');
  next.created_at_ms = 5;
  next.updated_at_ms = 4'000'000'000'000;  // after 2038
  CHECK(fixture.must(fixture.table.replace_if("k", "1", next)));
  next.location = "3";
  CHECK(!fixture.must(fixture.table.replace_if("k", "1", next)));
  CHECK(!fixture.must(fixture.table.replace_if("unknown", "1", next)));
  const std::optional<ImageRow> found = fixture.must(fixture.table.find("k"));
  CHECK(found->location == "2");
  CHECK(found->content_type == "image/gif");
  CHECK(found->byte_size == 99);
  CHECK(found->etag == std::string(32, 'f'));
  CHECK(found->created_at_ms == 1'700'000'000'123);
  CHECK(found->updated_at_ms == 4'000'000'000'000);
}

TEST_CASE("the keys in front of a key come from the last one on, as many as are asked for") {
  TableFixture fixture;
  for (const char* key : {"a", "b1", "b2", "b3", "b\xc3\xa9", "c"}) fixture.insert(key);
  const auto keys = [&](std::string prefix, std::string before, std::uint64_t limit) {
    Keys found;
    for (ImageSummary& image :
         fixture.must(fixture.table.list_before(std::move(prefix), std::move(before), limit))) {
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
  TableFixture fixture;
  CHECK(fixture.must(fixture.table.recent(10)).empty());
  std::int64_t at = 1'700'000'000'000;
  for (const char* key : {"c", "a", "b"}) {
    ImageRow row = row_of(key, std::string("file of ") + key);
    row.updated_at_ms = ++at;
    fixture.must(fixture.table.insert_if_absent(std::move(row)));
  }
  ImageRow again = row_of("c", "new file of c");
  again.updated_at_ms = ++at;
  CHECK(fixture.must(fixture.table.replace_if("c", "file of c", std::move(again))));
  const auto recent = fixture.must(fixture.table.recent(2));
  REQUIRE(recent.size() == 2);
  CHECK(recent[0].key == "c");
  CHECK(recent[0].updated_at_ms == at);
  CHECK(recent[1].key == "b");
}

// What makes a page of a million keys as quick as one of fifty.
TEST_CASE("a page of keys, forwards, backwards or of the last uploads, reads only its own rows") {
  TableFixture fixture;
  Database& server = Database::shared();
  server.query(
      "INSERT INTO images (`key`, location, content_type, byte_size, etag, created_at, updated_at) "
      "SELECT CONCAT('k', LPAD(seq, 6, '0')), seq, 'image/png', 1, '', NOW(3), "
      "NOW(3) + INTERVAL seq SECOND FROM seq_1_to_5000",
      fixture.settings.name);
  server.query("ANALYZE TABLE images", fixture.settings.name);
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
    CHECK(fixture.must(std::move(page)).size() == limit);
    CHECK(rows_read() - before - of_question <= limit + 3);
  };
  check(fixture.table.list("", "k002500", limit));
  check(fixture.table.list("k003", "k0030", limit));
  check(fixture.table.list_before("", "k002500", limit));
  check(fixture.table.list_before("k", "", limit));
  check(fixture.table.recent(limit));
}

TEST_CASE("a settled read does not look past a change that is being made, a plain one does") {
  TableFixture fixture;
  fixture.must(fixture.table.insert_if_absent(row_of("k", "1")));
  Session writer;
  writer.must("SET autocommit = 0");
  writer.must("UPDATE " + fixture.settings.name + ".images SET location = '2' WHERE `key` = 'k'");
  CHECK(fixture.must(fixture.table.find("k"))->location == "1");
  CHECK(fixture.must(fixture.table.locations("", 10)).size() == 1);

  const auto settled = fixture.run(fixture.table.find("k", Read::settled));
  REQUIRE(!settled.ok());
  CHECK(settled.error().code == Errc::unavailable);
  CHECK(!fixture.run(fixture.table.locations("", 10, Read::settled)).ok());
  writer.must("COMMIT");
  CHECK(fixture.must(fixture.table.find("k", Read::settled))->location == "2");
  CHECK(fixture.must(fixture.table.locations("", 10, Read::settled))[0].location == "2");
}

TEST_CASE("a row is removed only while it is the one that was seen") {
  TableFixture fixture;
  fixture.must(fixture.table.insert_if_absent(row_of("k", "1")));
  CHECK(!fixture.must(fixture.table.remove_if("k", "2")));
  CHECK(fixture.must(fixture.table.remove_if("k", "1")));
  CHECK(!fixture.must(fixture.table.remove_if("k", "1")));
  CHECK(fixture.must(fixture.table.count()) == 0);
}

TEST_CASE("Cat and cat are two keys, and so is one with a space at its end") {
  TableFixture fixture;
  for (const char* key : {"Cat", "cat", "cat "}) fixture.insert(key);
  CHECK(fixture.must(fixture.table.count()) == 3);
  CHECK(fixture.must(fixture.table.find("cat "))->key == "cat ");
  CHECK(!fixture.must(fixture.table.find("CAT")).has_value());
}

TEST_CASE("SQL in a key is a key") {
  TableFixture fixture;
  const std::string key = "'; DROP TABLE images; -- ` \" \\";
  fixture.insert(key);
  CHECK(fixture.must(fixture.table.find(key))->key == key);
  CHECK(fixture.keys("';", "", 10) == Keys{key});
}

TEST_CASE("keys are listed in the order of their bytes, from prefix and after, up to the limit") {
  TableFixture fixture;
  for (const char* key : {"b", "a", "B", "ab", "a/1", "a%", "a_", "\u00e9", "az", "\U0001F600"}) {
    fixture.insert(key);
  }
  CHECK(fixture.keys("", "", 100) ==
        Keys{"B", "a", "a%", "a/1", "a_", "ab", "az", "b", "\u00e9", "\U0001F600"});
  CHECK(fixture.keys("a", "", 100) == Keys{"a", "a%", "a/1", "a_", "ab", "az"});
  CHECK(fixture.keys("a%", "", 100) == Keys{"a%"});
  CHECK(fixture.keys("a", "a/1", 2) == Keys{"a_", "ab"});
  CHECK(fixture.keys("b", "a", 100) == Keys{"b"});
  CHECK(fixture.keys("a", "b", 100) == Keys{});
  CHECK(fixture.keys("", "", 3) == Keys{"B", "a", "a%"});
  CHECK(fixture.keys("", "", 0) == Keys{});
}

TEST_CASE("a list shows what its images are") {
  TableFixture fixture;
  fixture.insert("k");
  const std::vector<ImageSummary> images = fixture.must(fixture.table.list("", "", 10));
  REQUIRE(images.size() == 1);
  CHECK(images[0].content_type == "image/png");
  CHECK(images[0].byte_size == 1234);
  CHECK(images[0].updated_at_ms == 1'700'000'000'456);
}

TEST_CASE("prefixes of any bytes list what a plain comparison would") {
  TableFixture fixture;
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
    if (model.emplace(key, true).second) fixture.insert(key);
  }
  for (int i = 0; i < 60; ++i) {
    const std::string prefix = some_text(3), after = some_text(4);
    Keys expected;
    for (const auto& [key, present] : model) {
      if (key.starts_with(prefix) && key > after) expected.push_back(key);
    }
    CHECK(fixture.keys(prefix, after, 1000) == expected);
  }
}

TEST_CASE("a walk over the table in batches meets every row once, and can remove them") {
  TableFixture fixture;
  for (int i = 0; i < 25; ++i) fixture.insert("key " + std::to_string(i));
  std::size_t met = 0;
  std::string after;
  for (;;) {
    std::vector<ImageLocation> batch = fixture.must(fixture.table.locations(after, 10));
    if (batch.empty()) break;
    met += batch.size();
    after = batch.back().key;
    batch.push_back({"key 0", "not its location"});
    const std::size_t real = batch.size() - 1;
    CHECK(fixture.must(fixture.table.remove_batch(std::move(batch))) == real);
  }
  CHECK(met == 25);
  CHECK(fixture.must(fixture.table.count()) == 0);
  CHECK(fixture.must(fixture.table.remove_batch({})) == 0);
}

TEST_CASE("a whole batch of the longest keys can be removed at once") {
  TableFixture fixture;
  std::vector<ImageLocation> batch;
  for (std::size_t i = 0; i < ImageTable::batch_max; ++i) {
    std::string key = std::to_string(i);
    key.resize(255, '\xff');
    batch.push_back({key, std::to_string(i)});
    if (i % 100 == 0) fixture.must(fixture.table.insert_if_absent(row_of(key, std::to_string(i))));
  }
  CHECK(fixture.must(fixture.table.remove_batch(std::move(batch))) == 5);
}

// --- Batches ------------------------------------------------------------------------------------

TEST_CASE("changes that come together are one statement, and each is done") {
  TableFixture fixture;
  CHECK(outcomes_of(fixture.insert_together({{"a", "1"}, {"b", "2"}, {"c", "3"}})) == "+++");
  CHECK(fixture.batches() == 1);
  CHECK(outcomes_of(fixture.replace_together(
            {{"c", "3", "6"}, {"a", "1", "4"}, {"b", "2", "5"}})) == "+++");
  CHECK(fixture.batches() == 2);
  CHECK(fixture.table.change_batches().items == 6);
  CHECK(fixture.location("a") == "4");
  CHECK(fixture.location("b") == "5");
  CHECK(fixture.location("c") == "6");
}

TEST_CASE("each row of a batch gets its own values") {
  TableFixture fixture;
  std::vector<Task<Result<bool>>> tasks;
  for (int i = 0; i < 5; ++i) fixture.insert(std::to_string(i));
  for (int i = 0; i < 5; ++i) {
    ImageRow next = row_of(std::to_string(i), "new " + std::to_string(i));
    next.content_type = "image/" + std::to_string(i);
    next.byte_size = 100 + static_cast<std::uint64_t>(i);
    next.etag = std::string(32, static_cast<char>('a' + i));
    next.updated_at_ms = 4'000'000'000'000 + i;
    tasks.push_back(fixture.table.replace_if(next.key, "file of " + std::to_string(i + 1), next));
  }
  CHECK(outcomes_of(fixture.together(std::move(tasks))) == "+++++");
  for (int i = 0; i < 5; ++i) {
    const std::optional<ImageRow> found = fixture.must(fixture.table.find(std::to_string(i)));
    REQUIRE(found.has_value());
    CHECK(found->location == "new " + std::to_string(i));
    CHECK(found->content_type == "image/" + std::to_string(i));
    CHECK(found->byte_size == 100 + static_cast<std::uint64_t>(i));
    CHECK(found->etag == std::string(32, static_cast<char>('a' + i)));
    CHECK(found->created_at_ms == 1'700'000'000'123);
    CHECK(found->updated_at_ms == 4'000'000'000'000 + i);
  }
}

TEST_CASE("of a batch each is told what became of it, and the first of one key wins") {
  TableFixture fixture;
  CHECK(outcomes_of(fixture.insert_together(
            {{"a", "1"}, {"b", "2"}, {"a", "3"}, {"a", "4"}, {"c", "5"}})) == "++--+");
  CHECK(fixture.batches() == 1);
  CHECK(fixture.location("a") == "1");
  CHECK(outcomes_of(fixture.insert_together({{"a", "6"}, {"d", "7"}})) == "-+");
  CHECK(fixture.location("a") == "1");

  CHECK(outcomes_of(fixture.replace_together({{"a", "1", "11"},
                                              {"a", "1", "12"},
                                              {"b", "not its", "13"},
                                              {"absent", "5", "14"},
                                              {"c", "5", "15"}})) == "+---+");
  CHECK(fixture.location("a") == "11");
  CHECK(fixture.location("b") == "2");
  CHECK(fixture.location("c") == "15");
  CHECK(!fixture.must(fixture.table.find("absent")).has_value());
}

TEST_CASE("a change that must not happen does not happen by the right of another one") {
  TableFixture fixture;
  REQUIRE(outcomes_of(fixture.insert_together({{"k", "1"}, {"other", "2"}})) == "++");
  CHECK(outcomes_of(fixture.replace_together(
            {{"k", "0", "stale"}, {"k", "1", "right"}, {"other", "1", "foreign"}})) == "-+-");
  CHECK(fixture.location("k") == "right");
  CHECK(fixture.location("other") == "2");
}

TEST_CASE("a change that knows what another of its batch is to make finds it not made yet") {
  TableFixture fixture;
  REQUIRE(outcomes_of(fixture.insert_together({{"k", "1"}})) == "+");
  CHECK(outcomes_of(fixture.replace_together({{"k", "1", "2"}, {"k", "2", "3"}})) == "+-");
  CHECK(fixture.location("k") == "2");
}

TEST_CASE("batches do what one change after the other would, with random keys") {
  TableFixture fixture;
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  std::map<std::string, std::string> model;
  std::vector<std::string> used = {"none"};
  for (int round = 0; round < 60; ++round) {
    const bool inserts = random.below(3) == 0;
    // Nobody knows a location before the change that made it has been answered.
    const std::uint64_t known = used.size();
    std::vector<TableFixture::Replacement> replacements;
    std::vector<ImageLocation> insertions;
    std::map<std::string, std::string> next = model;
    std::string expected;
    for (std::uint64_t left = 1 + random.below(9); left > 0; --left) {
      const std::string key(1, static_cast<char>('a' + random.below(6)));
      const std::string location = std::to_string(used.size());
      used.push_back(location);
      if (inserts) {
        insertions.push_back({key, location});
        expected += next.emplace(key, location).second ? '+' : '-';
        continue;
      }
      const bool knows = random.below(3) != 0 && model.contains(key);
      const std::string old = knows ? model[key] : used[random.below(known)];
      replacements.push_back({key, old, location});
      const auto row = next.find(key);
      const bool is_its = row != next.end() && row->second == old;
      if (is_its) row->second = location;
      expected += is_its ? '+' : '-';
    }
    model = next;
    CHECK(outcomes_of(inserts ? fixture.insert_together(insertions)
                              : fixture.replace_together(replacements)) == expected);
    for (const auto& [key, location] : model) CHECK(fixture.location(key) == location);
  }
  CHECK(fixture.must(fixture.table.count()) == model.size());
}

TEST_CASE("finds that come together each find their own") {
  TableFixture fixture;
  for (const char* key : {"a", "b", "c"}) fixture.insert(key);
  std::vector<Task<Result<std::optional<ImageRow>>>> tasks;
  for (const char* key : {"c", "absent", "a", "c", "b"}) tasks.push_back(fixture.table.find(key));
  std::string found;
  for (const auto& result : fixture.together(std::move(tasks))) {
    REQUIRE(result.ok());
    found += *result ? (**result).key + "@" + (**result).location + " " : "none ";
  }
  CHECK(found == "c@file of 3 none a@file of 1 c@file of 3 b@file of 2 ");
}

TEST_CASE("a batch has 64 at most") {
  TableFixture fixture;
  std::vector<ImageLocation> images;
  for (int i = 0; i < 130; ++i) images.push_back({std::to_string(i), "of " + std::to_string(i)});
  CHECK(outcomes_of(fixture.insert_together(images)) == std::string(130, '+'));
  CHECK(fixture.batches() == 3);
  CHECK(fixture.must(fixture.table.count()) == 130);
}

TEST_CASE("a locked row refuses its own change, the others of the batch are done") {
  TableFixture fixture;
  REQUIRE(outcomes_of(fixture.insert_together({{"a", "1"}, {"b", "2"}, {"c", "3"}})) == "+++");
  Session writer;
  writer.must("SET autocommit = 0");
  writer.must("UPDATE " + fixture.settings.name + ".images SET byte_size = 1 WHERE `key` = 'b'");
  CHECK(outcomes_of(fixture.replace_together(
            {{"a", "1", "4"}, {"b", "2", "5"}, {"c", "3", "6"}})) == "+u+");
  CHECK(fixture.location("a") == "4");
  CHECK(fixture.location("c") == "6");
  const Stopwatch alone;
  const std::vector<Result<bool>> refused = fixture.replace_together({{"b", "2", "7"}});
  REQUIRE(!refused[0].ok());
  CHECK(refused[0].error().code == Errc::unavailable);  // not in doubt
  CHECK(alone.elapsed_ms() < answer_ms_max());
  writer.must("COMMIT");
  CHECK(fixture.location("b") == "2");
  CHECK(outcomes_of(fixture.replace_together({{"b", "2", "8"}})) == "+");
}

TEST_CASE("a key that somebody else is inserting refuses its own insert, the others are done") {
  TableFixture fixture;
  Session writer;
  writer.must("SET autocommit = 0");
  writer.must("INSERT INTO " + fixture.settings.name +
              ".images VALUES ('b', '1', 'image/png', 1, '', NOW(), NOW())");
  CHECK(outcomes_of(fixture.insert_together({{"a", "2"}, {"b", "3"}, {"c", "4"}})) == "+u+");
  writer.must("COMMIT");
  CHECK(outcomes_of(fixture.insert_together({{"b", "5"}, {"d", "6"}})) == "-+");
}

TEST_CASE("a row that the server refuses does not refuse the others of its batch") {
  TableFixture fixture;
  const std::string too_long(300, 'x');
  CHECK(outcomes_of(fixture.insert_together({{"a", "1"}, {"b", too_long}, {"c", "3"}})) == "+i+");
  CHECK(outcomes_of(fixture.replace_together({{"a", "1", too_long}, {"c", "3", "4"}})) == "i+");
  CHECK(fixture.location("a") == "1");
  CHECK(fixture.location("c") == "4");
}

TEST_CASE("when the database does not answer a batch, each of it is in doubt") {
  TableFixture fixture;
  REQUIRE(outcomes_of(fixture.insert_together({{"a", "1"}, {"b", "2"}})) == "++");
  REQUIRE(outcomes_of(fixture.replace_together({{"a", "1", "3"}, {"b", "2", "4"}})) == "++");
  const Stopwatch watch;
  std::vector<Result<bool>> results;
  {
    const Frozen frozen;
    results = fixture.replace_together({{"a", "3", "5"}, {"b", "4", "6"}});
  }
  for (const Result<bool>& result : results) {
    REQUIRE(!result.ok());
    CHECK(result.error().code == Errc::uncertain);
  }
  CHECK(watch.elapsed_ms() < answer_ms_max());
}

TEST_CASE("what is changed again before it can be told is in doubt, and only that") {
  TableFixture fixture;
  REQUIRE(outcomes_of(fixture.insert_together({{"a", "1"}})) == "+");
  fixture.change_again("INSERT", "3");
  const std::vector<Result<bool>> results =
      fixture.insert_together({{"a", "2"}, {"b", "3"}, {"c", "4"}});
  CHECK(outcomes_of(results) == "uu+");
  for (std::size_t i : {0u, 1u}) CHECK(results[i].error().code == Errc::uncertain);
}

TEST_CASE("of several changes of one key none is in doubt, though it is changed again") {
  TableFixture fixture;
  fixture.change_again("INSERT", "1");
  CHECK(outcomes_of(fixture.insert_together({{"a", "1"}, {"a", "2"}, {"a", "3"}})) == "+--");
  fixture.change_again("UPDATE", "4");
  CHECK(outcomes_of(fixture.replace_together(
            {{"a", "1 again", "4"}, {"a", "1 again", "5"}, {"a", "1 again", "6"}})) == "+--");
  CHECK(fixture.location("a") == "4 again");
}
