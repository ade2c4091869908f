// The cache's properties at work: what the user sets holds, at once and after a
// restart; and the statistics that are kept of it.
#include <doctest/doctest.h>

#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

constexpr std::int64_t mb = 1'048'576;
constexpr std::size_t large_images = 4u << 20;

Database::Rows properties(Deployment& it) {
  return it.query("SELECT max_capacity, replacement_method FROM cache_properties ORDER BY id");
}

DEPLOYED_TEST_CASE("bug: the configuration does not survive a restart") {
  Deployment& it = Where::deployment();  // nobody has configured it yet
  CHECK(it.stat("capacity_bytes") == 100 * mb);
  it.configure("3", "Random Replacement");
  CHECK(it.stat("capacity_bytes") == 3 * mb);
  it.restart();
  CHECK(it.stat("capacity_bytes") == 3 * mb);
  CHECK(it.cache.get("/stats").body_has(R"("replacement":"Random Replacement")"));
  CHECK(it.backend.get("/cache_properties").body_has(R"(value="3")"));
}

DEPLOYED_TEST_CASE("configuration: every change adds a row, and the newest is in force") {
  Deployment& it = Where::deployment();
  it.query("DELETE FROM cache_properties");
  it.configure("5", "lru");
  it.configure("6", "RR");
  it.configure("5", "Least Recently Used");
  CHECK(properties(it) == Database::Rows{{"5", "Least Recently Used"},
                                         {"6", "Random Replacement"},
                                         {"5", "Least Recently Used"}});
  CHECK(it.stat("capacity_bytes") == 5 * mb);
}

DEPLOYED_TEST_CASE("bug: lowering the capacity evicts nothing") {
  Deployment& it = Where::deployment();
  it.configure("100");
  for (int i = 0; i < 8; ++i) {
    it.upload("low-" + std::to_string(i), png(250'000, 1));
    it.read("low-" + std::to_string(i));
  }
  CHECK(it.stat("curr_items") == 8);
  it.configure("1");
  CHECK(it.stat("bytes") <= mb);
  CHECK(it.cached_keys() == Keys{"low-4", "low-5", "low-6", "low-7"});
  CHECK(it.read_outcome("low-0") == "miss");
}

DEPLOYED_TEST_CASE("bug: capacity 0 is refused") {
  Deployment& it = Where::deployment();
  const std::string image = png(1000, 2);
  it.upload("zero", image);
  it.read("zero");
  it.configure("0");
  CHECK(it.stat("capacity_bytes") == 0);
  CHECK(it.cached_keys().empty());
  for (int i = 0; i < 3; ++i) {
    const Reply reply = it.backend.get("/images/zero");
    CHECK(reply.header("X-Cache") == "miss");
    CHECK(reply.body == image);
  }
  CHECK(it.backend.post("/api/key/zero").status == 200);
  const Reply page = it.backend.get("/image?key_value=zero");
  CHECK(page.body_has(">miss<"));
  CHECK(page.body_has("not given to the cache, since caching is off"));
  CHECK(it.cached_keys().empty());
  CHECK(it.cache.get("/get_from_memcache?key=zero").body == "Key Not Found");
  CHECK(it.cache.post("/put_into_memcache", json_content(R"({"zero":"AAAA"})")).status == 200);
  CHECK(it.cached_keys().empty());
  it.configure("100");
  CHECK(it.read_outcome("zero") == "miss");
  CHECK(it.read_outcome("zero") == "hit");
}

DEPLOYED_TEST_CASE("bug: an image larger than the cache is not served") {
  Deployment it(Where::kind, {.image_bytes_max = large_images});
  it.configure("1");
  const std::string image = png(3'000'000, 3);
  it.upload("small", png(1000, 4));
  it.read("small");
  it.upload("large", image);
  for (int i = 0; i < 2; ++i) {
    const Reply reply = it.backend.get("/images/large");
    CHECK(reply.header("X-Cache") == "miss");
    CHECK(reply.body == image);
    CHECK(it.backend.post("/api/key/large").status == 200);
  }
  const Reply page = it.backend.get("/image?key_value=large");
  CHECK(page.body_has("is larger than the cache can hold"));
  CHECK_FALSE(page.body_has("given to the cache"));
  CHECK(it.cached_keys() == Keys{"small"});
}

DEPLOYED_TEST_CASE("bug: only reads by pages count in the statistics") {
  Deployment& it = Where::deployment();
  const auto counted = [&](const char* way, auto read) {
    CAPTURE(way);
    it.upload("counted", png(1000, 5));
    const std::int64_t gets = it.stat("cmd_get");
    const std::int64_t hits = it.stat("get_hits");
    const std::int64_t misses = it.stat("get_misses");
    for (int i = 0; i < 3; ++i) CHECK(read().status == 200);
    CHECK(it.stat("cmd_get") - gets == 3);
    CHECK(it.stat("get_hits") - hits == 2);
    CHECK(it.stat("get_misses") - misses == 1);
  };
  counted("page", [&] { return it.backend.get("/image?key_value=counted"); });
  counted("form", [&] { return it.backend.post("/image", urlencoded({{"key", "counted"}})); });
  counted("API", [&] { return it.backend.post("/api/key/counted"); });
  counted("raw", [&] { return it.backend.get("/images/counted"); });
}

DEPLOYED_TEST_CASE("statistics: other calls than reads count as no request") {
  Deployment& it = Where::deployment();
  const std::int64_t gets = it.stat("cmd_get");
  it.upload("uncounted", png(1000, 6));
  for (const char* path : {"/", "/image", "/upload_image", "/keys_list", "/cache_properties",
                           "/cache_stats", "/api/stats", "/api/list_keys", "/readyz"}) {
    CHECK(it.backend.get(path).status == 200);
  }
  it.backend.post("/api/delete/uncounted");
  CHECK(it.stat("cmd_get") == gets);
}

// One server's rows tell it all; waiting costs the 5 s interval once.
TEST_CASE("statistics: a row every five seconds, and a last one at the end") {
  Deployment it(Deployment::Kind::one_process);
  const std::int64_t written = it.stat("stats_rows_written");
  it.upload("row", png(1000, 7));
  it.read("row");
  it.read("row");
  it.read("row");
  eventually("a row of statistics", [&] { return it.stat("stats_rows_written") > written; });
  const auto newest = [&] {
    return it.query(
        "SELECT cache_size, key_count, request_count, hit_count, miss_count, "
        "created_at > UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE "
        "FROM cache_stats ORDER BY id DESC LIMIT 1");
  };
  const std::string bytes = std::to_string(it.stat("bytes"));
  CHECK(newest() == Database::Rows{{bytes, "1", "3", "2", "1", "1"}});

  // What the statistics page draws of it.
  const Reply stats = it.backend.get("/api/stats");
  CHECK(stats.body_has("\"items\":1"));
  CHECK(stats.body_has("\"bytes\":" + bytes));
  CHECK(it.backend.get("/cache_stats").body_has("<table>"));

  it.read("row");
  it.backend.disconnect();
  it.cache.disconnect();
  CHECK(it.cache_server().terminate() == 0);
  CHECK(newest() == Database::Rows{{bytes, "1", "4", "3", "1", "1"}});
  it.cache_server().restart();
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
