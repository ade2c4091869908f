// Keys: any text of 1 to 255 bytes is one, and nothing but a key, everywhere.
#include <doctest/doctest.h>

#include <filesystem>

#include "http/json.h"
#include "http/url.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

namespace fs = std::filesystem;

std::string as_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&apos;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

std::string as_json(std::string_view text) {
  std::string json;
  http::JsonWriter(json).string(text);
  return json;
}

// Through every door there is: put in by one, looked at by all, deleted.
void check_round_trip(Deployment& it, const std::string& key, std::uint64_t seed) {
  CAPTURE(key);
  const std::string image = png(300, seed);
  const std::string quoted = as_json(key);
  const std::string escaped = http::percent_encode(key);

  const Reply uploaded =
      it.backend.post("/api/upload", Multipart().field("key", key).file("file", image));
  CHECK(uploaded.body == R"({"success":"true","key":)" + quoted + "}");

  CHECK(it.backend.post("/api/list_keys").body == R"({"success":"true","keys":[)" + quoted + "]}");
  CHECK(it.backend.post("/api/list_keys", urlencoded({{"prefix", key}})).body ==
        R"({"success":"true","keys":[)" + quoted + "]}");

  CHECK(it.backend.get("/images/" + escaped).body == image);
  CHECK(it.backend.get("/images/" + http::percent_encode_path(key)).body == image);
  CHECK(it.backend.get("/images?key=" + escaped).header("X-Cache") == "hit");
  CHECK(it.cached_keys() == Keys{key});

  const Reply got = it.backend.post("/api/key/" + escaped);
  CHECK(got.body.starts_with(R"({"success":"true","key":)" + quoted + R"(,"content":")"));

  for (const Reply& page : {it.backend.get("/image?key_value=" + escaped),
                            it.backend.post("/image", urlencoded({{"key_value", key}})),
                            it.backend.post("/image", Multipart().field("key", key))}) {
    CHECK(page.status == 200);
    CHECK(page.body_has(as_html(key)));
    CHECK(page.body_has(">hit<"));
  }
  CHECK(it.backend.get("/keys_list").body_has("/image?key_value=" + escaped));

  CHECK(it.backend.post("/api/delete/" + escaped).status == 200);
  CHECK(it.keys().empty());
  CHECK(it.backend.get("/images/" + escaped).status == 404);
}

DEPLOYED_TEST_CASE("bug: a key with odd characters does not come round") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  std::uint64_t seed = 0;
  for (const char* key : {"a key with spaces",
                          " leading and trailing ",
                          "50%",
                          "%2F",
                          "a%2Fb",
                          "a%00b",
                          "what?key=x",
                          "fragment#1",
                          "a+b&c=d;e",
                          "\"double\" 'single' `back`",
                          "back\\slash",
                          "C:\\cat.png",
                          "\xf0\x9f\x90\xb1\xf0\x9f\x91\x8d",
                          "\xe7\x8c\xab",
                          "e\xcc\x81",
                          "\xc3\xa9",
                          "a/b",
                          "a//b",
                          "/",
                          "//",
                          "/etc/passwd",
                          "..",
                          ".",
                          "../../etc/passwd",
                          "a/../b",
                          "{}[]",
                          "null",
                          "0",
                          "*",
                          "tmp",
                          "lock",
                          "<script>alert(1)</script>",
                          "{{key}}",
                          "{{{content}}}",
                          "'; DROP TABLE images; --",
                          "\" OR \"\"=\"",
                          "%'; DELETE FROM images WHERE '%'='"}) {
    check_round_trip(it, key, ++seed);
  }
  // What a web framework would have made of some of them.
  CHECK(it.query("SHOW TABLES LIKE 'images'").size() == 1);
  CHECK(it.files().empty());
}

DEPLOYED_TEST_CASE("bug: a key becomes a path") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  const std::string outside = it.backend_server().images_directory() + "/../outside";
  const std::string image = png(300, 1);
  for (const std::string& key : {std::string("../outside"), outside, std::string("a/b"),
                                 std::string("../../../../../../../../etc/imgcached-outside")}) {
    it.upload(key, image);
    CHECK(it.read(key) == image);
  }
  CHECK_FALSE(fs::exists(outside));
  CHECK_FALSE(fs::exists("/etc/imgcached-outside"));
  // Where they are was made up by the server.
  CHECK(it.files().size() == 4);
  for (const auto& row : it.query("SELECT location FROM images")) {
    const std::string& location = row.at(0);
    CHECK(location.find("..") == std::string::npos);
    CHECK(location.find("outside") == std::string::npos);
    CHECK(fs::file_size(it.backend_server().images_directory() + "/" + location) == 300);
  }
  it.backend.post("/api/delete_all");
  CHECK(it.files().empty());
}

DEPLOYED_TEST_CASE("keys: a path that is not escaped means the same, dots and slashes included") {
  Deployment& it = Where::deployment();
  const std::string image = png(300, 2);
  it.upload("../../etc/passwd", image);
  CHECK(it.backend.get("/images/../../etc/passwd").body == image);
  it.upload("/etc/passwd", png(301, 3));
  CHECK(it.backend.get("/images//etc/passwd").body == png(301, 3));
  CHECK(it.backend.get("/images/etc/passwd").status == 404);
  it.backend.post("/api/delete_all");
}

DEPLOYED_TEST_CASE("bug: Cat and cat are one key") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  const Keys alike{"CAT", "Cat", "cat", "cat ", "caf\xc3\xa9", "cafe", "cafe\xcc\x81"};
  std::uint64_t seed = 0;
  for (const std::string& key : alike) it.upload(key, png(300, ++seed));
  seed = 0;
  for (const std::string& key : alike) {
    CAPTURE(key);
    ++seed;
    CHECK(it.read(key) == png(300, seed));
    CHECK(it.read(key) == png(300, seed));
  }
  CHECK(it.keys().size() == alike.size());
  CHECK(it.backend.post("/api/delete/cat").status == 200);
  CHECK(it.read("Cat") == png(300, 2));
  CHECK(it.read("cat ") == png(300, 4));
  it.backend.post("/api/delete_all");
}

DEPLOYED_TEST_CASE("bug: SQL in a key is carried out") {
  Deployment& it = Where::deployment();
  it.upload("victim", png(300, 1));
  const std::string key = "x'; DELETE FROM images; -- ";
  it.upload(key, png(300, 2));
  it.read(key);
  it.backend.post("/api/list_keys", urlencoded({{"prefix", "'; DELETE FROM images; -- "}}));
  it.backend.post("/api/delete/" + http::percent_encode("nobody' OR '1'='1"));
  it.cache.post("/get_from_memcache", json_content(R"({"key":"' OR 1=1; -- "})"));
  CHECK(it.read("victim") == png(300, 1));
  CHECK(it.read(key) == png(300, 2));
  it.backend.post("/api/delete_all");
}

DEPLOYED_TEST_CASE("keys: 255 bytes are allowed, in whatever letters") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  std::string wide = "1";
  while (wide.size() < 255) wide += "\xc3\xa9";
  check_round_trip(it, std::string(255, 'k'), 1);
  check_round_trip(it, wide, 2);
}

DEPLOYED_TEST_CASE("keys: what is no key is a 400 that says which rule, by every call") {
  Deployment& it = Where::deployment();
  const std::string image = png(300, 3);
  struct Case {
    std::string key;
    const char* rule;
  };
  for (const Case& c :
       {Case{"", "empty"}, Case{std::string(256, 'k'), "255"}, Case{std::string(2000, 'k'), "255"},
        Case{"\xff\xfe", "UTF-8"}, Case{"\xc3", "UTF-8"}, Case{"\xed\xa0\x80", "UTF-8"},
        Case{"a\nb", "control"}, Case{"a\tb", "control"}, Case{std::string("a\0b", 3), "control"},
        Case{"\x7f", "control"}, Case{"\xc2\x85", "control"}}) {
    const std::string escaped = http::percent_encode(c.key);
    CAPTURE(escaped);
    const auto check = [&](const Reply& reply) {
      CHECK(reply.status == 400);
      CHECK_MESSAGE(reply.body_has(c.rule), reply.body);
    };
    check(it.backend.post("/api/upload", Multipart().field("key", c.key).file("file", image)));
    check(it.backend.post("/api/upload", Multipart().file("file", image).field("key", c.key)));
    check(it.backend.post("/upload_image", Multipart().field("key", c.key).file("file", image)));
    check(it.backend.request("PUT", "/images/" + escaped, {}, image));
    check(it.backend.get("/images/" + escaped));
    check(it.backend.get("/images?key=" + escaped));
    check(it.backend.request("DELETE", "/images/" + escaped));
    check(it.backend.post("/api/key/" + escaped));
    check(it.backend.get("/api/key/" + escaped));
    check(it.backend.post("/api/delete/" + escaped));
    check(it.backend.get("/image?key_value=" + escaped));
    check(it.backend.post("/image", urlencoded({{"key_value", c.key}})));

    const Reply cached = it.cache.get("/get_from_memcache?key=" + escaped);
    CHECK(cached.status == 400);
    CHECK_MESSAGE(cached.header("X-Reason").find(c.rule) != std::string::npos,
                  cached.header("X-Reason"));
  }
  CHECK(it.keys().empty());
  CHECK(it.files().empty());
}

DEPLOYED_TEST_CASE("keys: a bad escape in a path is a 400 that says where") {
  Deployment& it = Where::deployment();
  for (const char* path : {"/images/50%", "/images/%zz", "/api/key/%2", "/images?key=%"}) {
    CAPTURE(path);
    const Reply reply = it.backend.get(path);
    CHECK(reply.status == 400);
    CHECK(reply.header("Content-Type") == "application/json");
  }
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
