// The cache service, port 5001: the five calls as curl makes them, and the raw
// dialect that the backend speaks.
#include <doctest/doctest.h>

#include "http/base64.h"
#include "http/url.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

std::string put_body(std::string_view key, std::string_view bytes) {
  std::string body;
  http::JsonWriter(body).begin_object().key(key).string(http::base64::encode(bytes)).end_object();
  return body;
}

std::string key_body(std::string_view key) {
  std::string body;
  http::JsonWriter(body).begin_object().key("key").string(key).end_object();
  return body;
}

// A call with its JSON, by POST or by GET.
Reply call(HttpPeer& cache, std::string_view method, std::string_view path,
           std::string_view body = {}) {
  return cache.request(method, path, {}, body);
}

void put(Deployment& it, std::string_view key, std::string_view bytes) {
  const Reply reply = call(it.cache, "POST", "/put_into_memcache", put_body(key, bytes));
  REQUIRE_MESSAGE(reply.status == 200, reply.header("X-Reason"));
}

Reply get_raw(Deployment& it, std::string_view key) {
  http::Headers headers;
  headers.add("Accept", "application/octet-stream");
  return it.cache.request("GET", "/get_from_memcache?key=" + http::percent_encode(key), headers);
}

Reply put_raw(Deployment& it, std::string_view key, const std::string& lease,
              std::string_view bytes) {
  http::Headers headers;
  headers.add("X-Key", http::percent_encode(key));
  if (!lease.empty()) headers.add("X-Lease", lease);
  return it.cache.request("POST", "/put_into_memcache", headers, bytes);
}

// The configuration that the newest row asks for.
Reply refresh(Deployment& it, int capacity_mb, std::string_view method) {
  it.query("INSERT INTO cache_properties (max_capacity, replacement_method, created_at) VALUES (" +
           std::to_string(capacity_mb) + ", '" + std::string(method) + "', UTC_TIMESTAMP(3))");
  return it.cache.post("/refresh_configuration");
}

DEPLOYED_TEST_CASE("cache: the five calls answer by POST and by GET") {
  Deployment& it = Where::deployment();
  const std::string image = png(500, 1);
  for (const char* method : {"POST", "GET"}) {
    CAPTURE(method);
    const Reply missing = call(it.cache, method, "/get_from_memcache", key_body("five"));
    CHECK(missing.status == 404);
    CHECK(missing.body == "Key Not Found");

    const Reply stored = call(it.cache, method, "/put_into_memcache", put_body("five", image));
    CHECK(stored.status == 200);
    CHECK(stored.body == "\"OK\"");
    const Reply found = call(it.cache, method, "/get_from_memcache", key_body("five"));
    CHECK(found.status == 200);
    CHECK(found.body == http::base64::encode(image));

    const Reply invalidated = call(it.cache, method, "/invalidate_specific_key", key_body("five"));
    CHECK(invalidated.status == 200);
    CHECK(invalidated.body == "\"OK\"");
    CHECK(call(it.cache, method, "/get_from_memcache", key_body("five")).status == 404);
    CHECK(call(it.cache, method, "/invalidate_specific_key", key_body("five")).body == "\"OK\"");

    put(it, "five", image);
    const Reply cleared = call(it.cache, method, "/clear_cache");
    CHECK(cleared.status == 200);
    CHECK(cleared.body == "\"OK\"");
    CHECK(it.cached_keys().empty());

    const Reply refreshed = call(it.cache, method, "/refresh_configuration");
    CHECK(refreshed.status == 200);
    CHECK(refreshed.body == "\"OK\"");
  }
}

DEPLOYED_TEST_CASE("cache: the body is JSON whatever its Content-Type") {
  Deployment& it = Where::deployment();
  const std::string image = png(500, 2);
  for (const char* type : {"", "application/json", "text/plain",
                           "application/x-www-form-urlencoded", "multipart/form-data"}) {
    CAPTURE(type);
    CHECK(it.cache.post("/put_into_memcache", {type, put_body("typed", image)}).status == 200);
    CHECK(it.cache.post("/get_from_memcache", {type, key_body("typed")}).body ==
          http::base64::encode(image));
    CHECK(it.cache.post("/invalidate_specific_key", {type, key_body("typed")}).status == 200);
    CHECK(it.cached_keys().empty());
  }
}

DEPLOYED_TEST_CASE("cache: by GET the key may stand in the query") {
  Deployment& it = Where::deployment();
  const std::string image = png(500, 3);
  put(it, "a key&more", image);
  CHECK(it.cache.get("/get_from_memcache?key=a%20key%26more").body == http::base64::encode(image));
  CHECK(it.cache.get("/get_from_memcache?key=a+key%26more").status == 200);
  CHECK(it.cache.get("/invalidate_specific_key?key=a%20key%26more").body == "\"OK\"");
  CHECK(it.cached_keys().empty());
}

DEPLOYED_TEST_CASE("cache: one put may carry several images, and stores none if one is bad") {
  Deployment& it = Where::deployment();
  CHECK(it.cache.post("/put_into_memcache", json_content(R"({"p1":"AAAA","p2":"!!!!"})")).status ==
        400);
  CHECK(it.cached_keys().empty());
  CHECK(it.cache.post("/put_into_memcache", json_content(R"({"p1":"AAAA","p2":"BBBB"})")).status ==
        200);
  CHECK(it.cached_keys() == Keys{"p1", "p2"});
  it.cache.post("/clear_cache");
}

DEPLOYED_TEST_CASE("cache: bad input is a 400 that says what is wrong") {
  Deployment& it = Where::deployment();
  for (const char* body :
       {"", "{", "[]", "\"key\"", "{}", R"({"k":"@@@@"})", R"({"k":"AAA"})", R"({"k":"AA AA"})",
        R"({"k":1})", R"({"k":""})", R"({"":"AAAA"})", R"({"a\u0000b":"AAAA"})",
        R"({"k":"AAAA"} x)", "{\"\xff\":\"AAAA\"}", R"({"k":{"nested":"AAAA"}})"}) {
    CAPTURE(body);
    const Reply reply = it.cache.post("/put_into_memcache", json_content(body));
    CHECK(reply.status == 400);
    CHECK(reply.body == "\"Bad Request\"");
    CHECK(reply.header("X-Reason").size() > 10);
  }
  for (const char* path : {"/get_from_memcache", "/invalidate_specific_key"}) {
    for (const char* body : {"", "{", "{}", R"({"keys":"k"})", R"({"key":""})"}) {
      CAPTURE(body);
      const Reply reply = it.cache.post(path, json_content(body));
      CHECK(reply.status == 400);
      CHECK(reply.body == "\"Bad Request\"");
      CHECK(reply.header("X-Reason").size() > 10);
    }
    CHECK(it.cache.get(path).status == 400);
  }
  CHECK(it.cached_keys().empty());
}

DEPLOYED_TEST_CASE("cache: other methods are a 405 with Allow, other paths a 404") {
  Deployment& it = Where::deployment();
  const Reply reply = it.cache.request("DELETE", "/clear_cache");
  CHECK(reply.status == 405);
  CHECK(reply.header("Allow").find("POST") != std::string::npos);
  CHECK(reply.header("Allow").find("GET") != std::string::npos);
  CHECK(reply.header("X-Reason").find("GET") != std::string::npos);
  const Reply missing = it.cache.get("/api/list_keys");
  CHECK(missing.status == 404);
  CHECK(missing.header("X-Reason").size() > 10);
}

DEPLOYED_TEST_CASE("cache: a value that is no string is refused for that") {
  Deployment& it = Where::deployment();
  for (const char* body : {R"({"a":1})", R"({"a":true})", R"({"a":"AAAA","b":1})"}) {
    const Reply reply = it.cache.post("/put_into_memcache", json_content(body));
    CHECK(reply.status == 400);
    CHECK(reply.header("X-Reason").find("must be a string") != std::string::npos);
  }
  CHECK(it.cached_keys().empty());
}

DEPLOYED_TEST_CASE("bug: HEAD clears the cache") {
  Deployment& it = Where::deployment();
  put(it, "head", png(500, 19));
  for (const char* path : {"/clear_cache", "/invalidate_specific_key?key=head",
                           "/put_into_memcache", "/refresh_configuration"}) {
    CAPTURE(path);
    const Reply reply = it.cache.request("HEAD", path);
    CHECK(reply.status == 405);
    CHECK(reply.header("Allow").find("HEAD") == std::string::npos);
  }
  CHECK(it.cached_keys() == Keys{"head"});
  CHECK(it.cache.request("HEAD", "/stats").status == 200);
  it.cache.post("/clear_cache");
}

DEPLOYED_TEST_CASE("bug: invalidate drops another key") {
  Deployment& it = Where::deployment();
  for (const char* key : {"k", "k1", "k11", "K"}) put(it, key, png(200, 4));
  it.cache.post("/invalidate_specific_key", json_content(key_body("k1")));
  CHECK(it.cached_keys() == Keys{"K", "k", "k11"});
  it.cache.post("/clear_cache");
}

DEPLOYED_TEST_CASE("cache: raw bytes by content negotiation, with a lease on a miss") {
  Deployment& it = Where::deployment();
  const std::string image = png(500, 5);
  const Reply miss = get_raw(it, "raw/\xc3\xa9");
  CHECK(miss.status == 404);
  CHECK(miss.body == "Key Not Found");
  const std::string lease = miss.header("X-Lease");
  REQUIRE_FALSE(lease.empty());

  const Reply stored = put_raw(it, "raw/\xc3\xa9", lease, image);
  CHECK(stored.status == 200);
  CHECK(stored.header("X-Outcome") == "stored");
  const Reply hit = get_raw(it, "raw/\xc3\xa9");
  CHECK(hit.status == 200);
  CHECK(hit.header("Content-Type") == "application/octet-stream");
  CHECK(hit.body == image);
  CHECK(it.cache.post("/get_from_memcache", json_content(key_body("raw/\xc3\xa9"))).body ==
        http::base64::encode(image));
  it.cache.post("/clear_cache");
}

TEST_CASE("bug: of two representations of one cached image none said Vary, and weights hid one") {
  Deployment& it = OneProcess::deployment();
  const std::string image = png(500, 5);
  it.cache.post("/put_into_memcache",
                json_content("{\"weighed\":\"" + http::base64::encode(image) + "\"}"));
  const auto get = [&](std::string_view key, std::string_view accept) {
    http::Headers headers;
    headers.add("Accept", accept);
    const Reply reply = it.cache.get("/get_from_memcache?key=" + std::string(key), headers);
    CHECK(reply.header("Vary") == "Accept");
    return reply;
  };
  CHECK(get("weighed", "application/octet-stream;q=0.5").body == image);
  for (const char* accept : {"*/*", "text/plain", "application/octet-stream;q=0"}) {
    CHECK(get("weighed", accept).body == http::base64::encode(image));
  }
  CHECK(get("no-such", "*/*").status == 404);
  it.cache.post("/clear_cache");
}

DEPLOYED_TEST_CASE("cache: a lease is good once, for its key, until an invalidation") {
  Deployment& it = Where::deployment();
  const std::string image = png(500, 6);
  const auto lease_of = [&](std::string_view key) { return get_raw(it, key).header("X-Lease"); };
  const auto refused = [&](std::string_view key, const std::string& lease) {
    const Reply reply = put_raw(it, key, lease, image);
    return reply.status == 409 && reply.header("X-Outcome") == "stale_lease" &&
           reply.header("X-Reason").size() > 10;
  };

  const std::string used = lease_of("lease-1");
  CHECK(put_raw(it, "lease-1", used, image).status == 200);
  const Reply again = put_raw(it, "lease-1", used, image);
  CHECK(again.status == 409);
  CHECK(again.header("X-Reason").find("it was used, is too old, or") != std::string::npos);
  it.cache.post("/invalidate_specific_key", json_content(key_body("lease-1")));
  CHECK(refused("lease-1", used));

  const std::string voided = lease_of("lease-2");
  it.cache.post("/invalidate_specific_key", json_content(key_body("lease-2")));
  CHECK(refused("lease-2", voided));

  const std::string cleared = lease_of("lease-3");
  it.cache.post("/clear_cache");
  CHECK(refused("lease-3", cleared));

  CHECK(refused("lease-5", lease_of("lease-4")));
  CHECK(refused("lease-6", "12345"));
  CHECK(put_raw(it, "lease-7", "", image).status == 400);
  CHECK(put_raw(it, "lease-7", "abc", image).status == 400);
  CHECK(it.cached_keys().empty());
  // A lease is granted again after each of these.
  CHECK(put_raw(it, "lease-2", lease_of("lease-2"), image).status == 200);
  it.cache.post("/clear_cache");
}

DEPLOYED_TEST_CASE("cache: /stats counts reads, hits, misses, puts and what they cost") {
  Deployment& it = Where::deployment();
  it.cache.post("/clear_cache");
  const std::int64_t gets = it.stat("cmd_get");
  const std::int64_t hits = it.stat("get_hits");
  const std::int64_t misses = it.stat("get_misses");
  const std::int64_t sets = it.stat("cmd_set");
  put(it, "counted", png(1000, 7));
  CHECK(it.stat("cmd_get") == gets);  // a put is no request
  for (int i = 0; i < 3; ++i) it.cache.get("/get_from_memcache?key=counted");
  it.cache.get("/get_from_memcache?key=not-there");
  CHECK(it.stat("cmd_get") == gets + 4);
  CHECK(it.stat("get_hits") == hits + 3);
  CHECK(it.stat("get_misses") == misses + 1);
  CHECK(it.stat("cmd_set") == sets + 1);
  CHECK(it.stat("curr_items") == 1);
  // Key, value and bookkeeping.
  CHECK(it.stat("bytes") > 1000 + 7);
  CHECK(it.stat("bytes") < 1000 + 7 + 300);
  it.cache.post("/clear_cache");
  CHECK(it.stat("curr_items") == 0);
  CHECK(it.stat("bytes") == 0);
  CHECK(it.stat("get_hits") == hits + 3);  // counts go on
}

DEPLOYED_TEST_CASE("bug: a second put leaks or ignores the size of the first") {
  Deployment& it = Where::deployment();
  it.cache.post("/clear_cache");
  put(it, "sized", png(1000, 8));
  const std::int64_t bytes = it.stat("bytes");
  put(it, "sized", png(3000, 8));
  CHECK(it.stat("bytes") == bytes + 2000);
  put(it, "sized", png(500, 8));
  CHECK(it.stat("bytes") == bytes - 500);
  CHECK(it.stat("curr_items") == 1);
  it.cache.post("/invalidate_specific_key", json_content(key_body("sized")));
  CHECK(it.stat("bytes") == 0);
}

DEPLOYED_TEST_CASE("cache: /keys pages through what is cached") {
  Deployment& it = Where::deployment();
  for (const char* key : {"page-3", "page-1", "page-2"}) put(it, key, png(200, 9));
  const Reply first = it.cache.get("/keys?limit=2");
  const http::JsonDocument document = json(first);
  const auto entries = document.root().find("keys")->elements();
  REQUIRE(entries->size() == 2);
  CHECK(entries->at(0).find("key")->string() == "page-1");
  CHECK(entries->at(0).find("value_bytes")->integer() == 200);
  CHECK(entries->at(0).find("charge_bytes")->integer().value() > 200);
  CHECK(document.root().find("next")->string() == "page-2");
  const Reply second = it.cache.get("/keys?limit=2&after=page-2");
  CHECK(second.body_has("page-3"));
  CHECK_FALSE(second.body_has("page-2"));
  CHECK_FALSE(second.body_has("next"));
  // As list_keys takes it.
  for (const char* limit : {"", "10000", "10001", "99999999999999999999"}) {
    const Reply all = it.cache.get(std::string("/keys?limit=") + limit);
    CHECK(all.status == 200);
    CHECK(all.body_has("page-3"));
  }
  for (const char* limit : {"0", "-1", "x"}) {
    const Reply refused = it.cache.get(std::string("/keys?limit=") + limit);
    CHECK(refused.status == 400);
    CHECK(refused.header("X-Reason").find("limit") != std::string::npos);
  }
  it.cache.post("/clear_cache");
}

DEPLOYED_TEST_CASE("cache: of some keys it says which are cached, without counting a request") {
  Deployment& it = Where::deployment();
  const std::string odd = "\"odd\" \\ \xf0\x9f\x90\xb1";
  for (const std::string& key : {std::string("asked-1"), odd}) put(it, key, png(200, 9));
  const auto gets = it.stat("cmd_get");
  std::string body;
  http::JsonWriter writer(body);
  writer.begin_object().key("keys").begin_array();
  for (const std::string& key : {odd, std::string("asked-2"), std::string("asked-1")})
    writer.string(key);
  writer.end_array().end_object();
  const Reply reply = it.cache.post("/keys", json_content(body));
  CHECK(reply.status == 200);
  std::string expected;
  http::JsonWriter(expected).begin_object().key("keys").begin_array().string(odd).string("asked-1");
  CHECK(reply.body == expected + "]}");
  CHECK(it.stat("cmd_get") == gets);
  CHECK(it.cache.post("/keys", json_content(R"({"keys":[]})")).body == R"({"keys":[]})");

  std::string many = R"({"keys":["a")";
  for (int i = 0; i < 1000; ++i) many += R"(,"a")";
  CHECK(it.cache.post("/keys", json_content(many + "]}")).status == 413);
  for (const char* bad : {"", "{", "[]", "{}", R"({"keys":"a"})", R"({"keys":[1]})",
                          R"({"keys":[""]})", R"({"keys":["a\u0000"]})"}) {
    CAPTURE(bad);
    const Reply refused = it.cache.post("/keys", json_content(bad));
    CHECK(refused.status == 400);
    CHECK_FALSE(refused.header("X-Reason").empty());
  }
  it.cache.post("/clear_cache");
}

DEPLOYED_TEST_CASE("cache: refresh takes the newest row, and keeps what it can when it can't") {
  Deployment it(Where::kind);
  CHECK(it.stat("capacity_bytes") == 100 * 1'048'576);  // the default, without a row
  CHECK(refresh(it, 7, "Random Replacement").body == "\"OK\"");
  CHECK(it.stat("capacity_bytes") == 7 * 1'048'576);
  CHECK(it.cache.get("/stats").body_has(R"("replacement":"Random Replacement")"));
  put(it, "kept", png(500, 10));

  const auto check_refused = [&](const Reply& reply) {
    CHECK(reply.status == 503);
    CHECK(reply.body == "\"Service Unavailable\"");
    CHECK_FALSE(reply.header("Retry-After").empty());
    CHECK(it.stat("capacity_bytes") == 7 * 1'048'576);
    CHECK(it.cached_keys() == Keys{"kept"});
  };
  it.query("RENAME TABLE cache_properties TO elsewhere");
  const Reply unreadable = it.cache.post("/refresh_configuration");
  check_refused(unreadable);
  CHECK(unreadable.header("X-Reason") == "the database refused a statement; the log says why");
  CHECK(it.cache_server().log().find("cache_properties' doesn't exist") != std::string::npos);
  it.query("RENAME TABLE elsewhere TO cache_properties");
  const Reply refused = refresh(it, 9, "First In First Out");
  check_refused(refused);
  // The row, what is wrong with it, and what to do.
  const std::string id = it.query("SELECT MAX(id) FROM cache_properties").at(0).at(0);
  CHECK(refused.header("X-Reason").find("row " + id + " of cache_properties") != std::string::npos);
  CHECK(refused.header("X-Reason").find("WHERE id = " + id) != std::string::npos);
  const Reply page = it.backend.get("/cache_properties");
  CHECK(page.status == 200);
  CHECK(page.body_has("Row " + id + " of cache_properties"));
  CHECK(page.body_has("is not in force"));
  CHECK(refresh(it, 9, "Least Recently Used").status == 200);
  CHECK(it.stat("capacity_bytes") == 9 * 1'048'576);
  CHECK_FALSE(it.backend.get("/cache_properties").body_has("is not in force"));
  CHECK(it.cached_keys() == Keys{"kept"});
}

DEPLOYED_TEST_CASE("cache: an image that can never fit is a 413 and evicts nothing") {
  Deployment it(Where::kind, {.image_bytes_max = 4u << 20});
  refresh(it, 1, "Least Recently Used");
  put(it, "small", png(500, 11));
  const Reply reply =
      call(it.cache, "POST", "/put_into_memcache", put_body("large", png(1'100'000, 12)));
  CHECK(reply.status == 413);
  CHECK(reply.header("X-Outcome") == "too_large");
  CHECK(it.cached_keys() == Keys{"small"});
  // Nor does what the service would never take in.
  CHECK(call(it.cache, "POST", "/put_into_memcache", put_body("huge", png(5u << 20, 13))).status ==
        413);
}

DEPLOYED_TEST_CASE("bug: LRU evicts the newest, and sizes go astray when it evicts") {
  Deployment& it = Where::deployment();
  it.cache.post("/clear_cache");
  refresh(it, 1, "Least Recently Used");
  const std::int64_t evictions = it.stat("evictions");
  for (const char* key : {"a", "b", "c"}) put(it, key, png(300'000, 14));
  it.cache.get("/get_from_memcache?key=a");
  put(it, "d", png(300'000, 15));
  CHECK(it.cached_keys() == Keys{"a", "c", "d"});
  CHECK(it.stat("evictions") == evictions + 1);
  const std::int64_t bytes = it.stat("bytes");
  put(it, "e", png(200, 16));
  put(it, "e", png(250'000, 17));  // a second put that makes others go
  CHECK(it.cached_keys() == Keys{"a", "d", "e"});
  CHECK(it.stat("bytes") == bytes - 50'000);
  CHECK(it.stat("bytes") <= it.stat("capacity_bytes"));
}

DEPLOYED_TEST_CASE("cache: Random Replacement stays within its capacity") {
  Deployment& it = Where::deployment();
  it.cache.post("/clear_cache");
  refresh(it, 1, "Random Replacement");
  const std::int64_t evictions = it.stat("evictions");
  for (int i = 0; i < 40; ++i) put(it, "random-" + std::to_string(i), png(100'000, 18));
  CHECK(it.stat("curr_items") == 10);
  CHECK(it.stat("evictions") == evictions + 30);
  CHECK(it.stat("bytes") <= it.stat("capacity_bytes"));
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
