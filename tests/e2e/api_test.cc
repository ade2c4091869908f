// The JSON API of port 5000, call by call as the contract words it.
#include <doctest/doctest.h>

#include <string>
#include <type_traits>

#include "http/base64.h"
#include "http/json.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

// The body that every failure has, with a message that helps.
void check_failure(const Reply& reply, int status, std::string_view message_part = {}) {
  CAPTURE(reply.body);
  CHECK(reply.status == status);
  CHECK(reply.header("Content-Type") == "application/json");
  const http::JsonDocument document = json(reply);
  CHECK(document.root().find("success")->string() == "false");
  const auto error = document.root().find("error");
  REQUIRE(error.has_value());
  CHECK(error->find("code")->integer() == status);
  CHECK(error->find("message")->string()->size() > 10);
  CHECK(error->find("message")->string()->find(message_part) != std::string_view::npos);
}

std::string content_of(const Reply& reply) {
  const http::JsonDocument document = json(reply);
  const auto decoded = http::base64::decode(*document.root().find("content")->string());
  REQUIRE(decoded.ok());
  return std::string(decoded->view());
}

DEPLOYED_TEST_CASE("api: an upload answers with its key, and the key with the image") {
  Deployment& it = Where::deployment();
  const std::string image = png(5000, 1);
  const Reply uploaded =
      it.backend.post("/api/upload", Multipart().field("key", "api-cat").file("file", image));
  CHECK(uploaded.status == 200);
  CHECK(uploaded.header("Content-Type") == "application/json");
  CHECK(uploaded.body == R"({"success":"true","key":"api-cat"})");

  const std::string expected =
      R"({"success":"true","key":"api-cat","content":")" + http::base64::encode(image) + "\"}";
  CHECK(it.backend.post("/api/key/api-cat").body == expected);  // from the file
  CHECK(it.backend.post("/api/key/api-cat").body == expected);  // from the cache
  const Reply got = it.backend.get("/api/key/api-cat");
  CHECK(got.body == expected);
  CHECK(got.header("X-Cache") == "hit");
  CHECK(it.backend.request("HEAD", "/api/key/api-cat").header("Content-Length") ==
        std::to_string(expected.size()));
}

DEPLOYED_TEST_CASE("api: the fields of an upload come in either order, others are skipped") {
  Deployment& it = Where::deployment();
  const std::string image = png(200 * 1024, 2);
  const Reply reply = it.backend.post("/api/upload", Multipart()
                                                         .field("comment", "a cat")
                                                         .file("file", image)
                                                         .field("key", "api-key-last")
                                                         .field("submit", ""));
  CHECK(reply.body == R"({"success":"true","key":"api-key-last"})");
  CHECK(it.read("api-key-last") == image);
}

DEPLOYED_TEST_CASE("api: keys are listed sorted by their bytes, and an empty store lists none") {
  Deployment& it = Where::deployment();
  CHECK(it.backend.post("/api/delete_all").body == R"({"success":"true"})");
  const std::string none = R"({"success":"true","keys":[]})";
  CHECK(it.backend.post("/api/list_keys").body == none);
  CHECK(it.backend.get("/api/list_keys").body == none);

  for (const char* key : {"b", "a", "\xc3\xa9", "B", "a/c", "a b"}) it.upload(key, png(200, 3));
  const std::string all = R"({"success":"true","keys":["B","a","a b","a/c","b","é"]})";
  CHECK(it.backend.post("/api/list_keys").body == all);
  CHECK(it.backend.get("/api/list_keys").body == all);
}

DEPLOYED_TEST_CASE("api: list_keys takes prefix, after and limit from form, JSON and query") {
  Deployment& it = Where::deployment();
  for (const char* key : {"list/1", "list/2", "list/3", "lisu"}) it.upload(key, png(200, 4));
  const std::string page = R"({"success":"true","keys":["list/2"],"next":"list/2"})";
  CHECK(it.backend
            .post("/api/list_keys",
                  urlencoded({{"prefix", "list/"}, {"after", "list/1"}, {"limit", "1"}}))
            .body == page);
  CHECK(it.backend
            .post("/api/list_keys",
                  Multipart().field("prefix", "list/").field("after", "list/1").field("limit", "1"))
            .body == page);
  CHECK(
      it.backend
          .post("/api/list_keys", json_content(R"({"prefix":"list/","after":"list/1","limit":1})"))
          .body == page);
  CHECK(it.backend.get("/api/list_keys?prefix=list%2F&after=list/1&limit=1").body == page);
  CHECK(it.backend.get("/api/list_keys?prefix=list/&after=list/2").body ==
        R"({"success":"true","keys":["list/3"]})");
  for (const char* limit : {"0", "-1", "abc", "1.5"})
    check_failure(it.backend.post("/api/list_keys", urlencoded({{"limit", limit}})), 400, "limit");
}

DEPLOYED_TEST_CASE("api: a prefix is text, not a pattern") {
  Deployment& it = Where::deployment();
  it.upload("pattern%x", png(200, 5));
  it.upload("pattern_x", png(200, 5));
  it.upload("patternyx", png(200, 5));
  CHECK(it.keys("pattern%") == Keys{"pattern%x"});
  CHECK(it.keys("pattern_") == Keys{"pattern_x"});
}

DEPLOYED_TEST_CASE("api: delete takes an image away, from the cache too") {
  Deployment& it = Where::deployment();
  for (const char* key : {"gone-1", "gone-2"}) it.upload(key, png(300, 6));
  it.read("gone-1");
  it.read("gone-2");
  CHECK(it.backend.post("/api/delete/gone-1").body == R"({"success":"true"})");
  CHECK(it.backend.request("DELETE", "/api/key/gone-2").body == R"({"success":"true"})");
  for (const char* path : {"/api/key/gone-1", "/api/key/gone-2"})
    check_failure(it.backend.post(path), 404);
  check_failure(it.backend.post("/api/delete/gone-1"), 404);
  check_failure(it.backend.request("DELETE", "/api/key/gone-2"), 404);
  CHECK(it.keys("gone-").empty());
}

DEPLOYED_TEST_CASE("api: delete_all takes every image, every file and the cache") {
  Deployment& it = Where::deployment();
  for (const char* key : {"all-1", "all-2"}) it.upload(key, png(300, 7));
  it.read("all-1");
  CHECK_FALSE(it.cached_keys().empty());
  CHECK(it.backend.post("/api/delete_all").body == R"({"success":"true"})");
  CHECK(it.keys().empty());
  CHECK(it.cached_keys().empty());
  CHECK(it.files().empty());
  CHECK(it.query("SELECT COUNT(*) FROM images") == Database::Rows{{"0"}});
  check_failure(it.backend.post("/api/key/all-1"), 404);
}

DEPLOYED_TEST_CASE("api: statistics come as JSON by GET and POST") {
  Deployment& it = Where::deployment();
  for (const Reply& reply : {it.backend.get("/api/stats"), it.backend.post("/api/stats")}) {
    CHECK(reply.status == 200);
    const http::JsonDocument document = json(reply);
    CHECK(document.root().find("success")->string() == "true");
    CHECK(document.root().find("samples")->elements().has_value());
  }
}

DEPLOYED_TEST_CASE("api: an unknown key is a 404 that a client can read") {
  Deployment& it = Where::deployment();
  check_failure(it.backend.post("/api/key/nobody"), 404, "no image");
  check_failure(it.backend.get("/api/key/nobody"), 404, "no image");
}

DEPLOYED_TEST_CASE("api: an upload without key or file is a 400 that says which") {
  Deployment& it = Where::deployment();
  const std::string image = png(300, 8);
  check_failure(it.backend.post("/api/upload", Multipart().file("file", image)), 400, "`key`");
  check_failure(it.backend.post("/api/upload", Multipart().field("key", "k")), 400, "`file`");
  check_failure(it.backend.post("/api/upload", Multipart().field("x", "y")), 400, "`key`");
  check_failure(it.backend.post("/api/upload", Multipart()), 400);
  check_failure(it.backend.post("/api/upload"), 400, "multipart/form-data");
  check_failure(it.backend.post("/api/upload", urlencoded({{"key", "k"}})), 400,
                "multipart/form-data");
  check_failure(it.backend.post("/api/upload", Content{"multipart/form-data", "x"}), 400,
                "boundary");
}

DEPLOYED_TEST_CASE("bug: an upload without any length was a 400") {
  Deployment& it = Where::deployment();
  check_failure(it.backend.request("POST", "/api/upload"), 411, "Content-Length");
  const Reply page = it.backend.request("POST", "/upload_image");
  CHECK(page.status == 411);
  CHECK(page.header("Content-Type").starts_with("text/html"));
}

DEPLOYED_TEST_CASE("api: a broken multipart body is a 400 and leaves nothing") {
  Deployment& it = Where::deployment();
  const std::size_t files = it.files().size();
  const Content whole = Multipart().field("key", "api-broken").file("file", png(200 * 1024, 9));
  for (const std::size_t kept :
       {whole.body.size() - 4, whole.body.size() - 100 * 1024, 40ul, 1ul}) {
    CAPTURE(kept);
    check_failure(it.backend.post("/api/upload", {whole.type, whole.body.substr(0, kept)}), 400);
  }
  CHECK(it.keys("api-broken").empty());
  CHECK(it.files().size() == files);
}

DEPLOYED_TEST_CASE("api: a field sent twice is a 400") {
  Deployment& it = Where::deployment();
  const std::string image = png(300, 10);
  check_failure(
      it.backend.post("/api/upload",
                      Multipart().field("key", "api-a").field("key", "api-b").file("file", image)),
      400, "twice");
  check_failure(
      it.backend.post("/api/upload",
                      Multipart().field("key", "api-a").file("file", image).file("file", image)),
      400, "twice");
}

DEPLOYED_TEST_CASE("api: broken JSON is a 400 that says where it broke") {
  Deployment& it = Where::deployment();
  check_failure(it.backend.post("/api/list_keys", json_content(R"({"prefix":)")), 400, "byte");
}

DEPLOYED_TEST_CASE("api: what changes something is refused by GET with 405 and Allow") {
  Deployment& it = Where::deployment();
  it.upload("api-kept", png(300, 11));
  for (const char* path : {"/api/upload", "/api/delete/api-kept", "/api/delete_all"}) {
    CAPTURE(path);
    const Reply reply = it.backend.get(path);
    check_failure(reply, 405);
    CHECK(reply.header("Allow") == "POST");
  }
  check_failure(it.backend.request("PUT", "/api/list_keys", {}, "x"), 405);
  CHECK(it.keys("api-kept") == Keys{"api-kept"});
}

DEPLOYED_TEST_CASE("api: an unknown call is a JSON 404") {
  Deployment& it = Where::deployment();
  check_failure(it.backend.get("/api/nothing"), 404);
  check_failure(it.backend.post("/api/"), 404);
  check_failure(it.backend.get("/api"), 404);
}

DEPLOYED_TEST_CASE("api: a request whose head is over a limit is refused in JSON") {
  Deployment& it = Where::deployment();
  check_failure(it.backend.get("/api/key/" + std::string(20'000, 'k')), 414);
  http::Headers headers;
  headers.add("X-Large", std::string(100'000, 'x'));
  check_failure(it.backend.get("/api/list_keys", headers), 431);
}

DEPLOYED_TEST_CASE("bug: a POST with a query string is served, and the query ignored") {
  Deployment& it = Where::deployment();
  const std::string image = png(300, 12);
  const Reply reply =
      it.backend.post("/api/upload?key=api-hot&file",
                      Multipart().field("key", "api-of-the-body").file("file", image));
  CHECK(reply.body == R"({"success":"true","key":"api-of-the-body"})");
  CHECK(it.keys("api-hot").empty());
  CHECK(content_of(it.backend.post("/api/key/api-of-the-body?key=api-hot")) == image);
  CHECK(it.backend.post("/api/list_keys?prefix=zzz", urlencoded({{"prefix", "api-of"}})).body ==
        R"({"success":"true","keys":["api-of-the-body"]})");
}

DEPLOYED_TEST_CASE("bug: //api/... is /api/...") {
  Deployment& it = Where::deployment();
  it.upload("api-slash", png(300, 13));
  CHECK(it.backend.post("//api/key/api-slash").status == 200);
  CHECK(it.backend.post("////api/list_keys").status == 200);
  CHECK(it.backend.post("//api/delete_all").body == R"({"success":"true"})");
  CHECK(it.keys().empty());
}

DEPLOYED_TEST_CASE("bug: a stale image after a second upload under its key") {
  Deployment& it = Where::deployment();
  for (std::uint64_t version = 0; version < 20; ++version) {
    const std::string image = png(1000 + version, version);
    it.upload("api-replaced", image);
    CHECK(content_of(it.backend.post("/api/key/api-replaced")) == image);
    CHECK(content_of(it.backend.post("/api/key/api-replaced")) == image);
  }
}

DEPLOYED_TEST_CASE("bug: the same key with another extension leaves the old file") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  const Sample& gif = samples().at(2);
  it.backend.post("/api/upload",
                  Multipart().field("key", "api-x").file("file", png(500, 1), "a.png"));
  it.backend.post("/api/upload",
                  Multipart().field("key", "api-x").file("file", gif.bytes, "a.gif"));
  CHECK(it.read("api-x") == gif.bytes);
  CHECK(it.files().size() == 1);
}

DEPLOYED_TEST_CASE("bug: two keys with the same client file name share a file") {
  Deployment& it = Where::deployment();
  const std::string first = png(500, 1);
  const std::string second = png(600, 2);
  it.backend.post("/api/upload",
                  Multipart().field("key", "api-1").file("file", first, "image.png"));
  it.backend.post("/api/upload",
                  Multipart().field("key", "api-2").file("file", second, "image.png"));
  CHECK(it.read("api-1") == first);
  CHECK(it.read("api-2") == second);
}

DEPLOYED_TEST_CASE("bug: a temporary file shared by two requests mixes images") {
  Deployment& it = Where::deployment();
  struct Upload {
    std::string key, image;
    HttpPeer peer;
    std::string request;
    std::size_t sent = 0;
  };
  std::vector<Upload> uploads;
  for (std::uint64_t i = 0; i < 4; ++i) {
    const std::string key = "api-mixed-" + std::to_string(i);
    const std::string image = png(250 * 1024 + i, i);
    const Content form = Multipart().field("key", key).file("file", image, "same.png");
    http::Headers headers;
    headers.add("Host", "localhost");
    headers.add("Content-Type", form.type);
    headers.add("Content-Length", std::to_string(form.body.size()));
    uploads.push_back({key, image, HttpPeer(it.backend_server().backend_port()),
                       request_head("POST", "/api/upload", headers) + form.body});
  }
  // A piece of each in turn.
  for (std::size_t at = 0; at < 256 * 1024; at += 20'000) {
    for (Upload& upload : uploads) {
      const std::string piece = upload.request.substr(std::min(at, upload.request.size()), 20'000);
      REQUIRE(upload.peer.connection().send(piece));
    }
  }
  for (Upload& upload : uploads) {
    const auto reply = upload.peer.receive();
    REQUIRE(reply.has_value());
    CHECK(reply->status == 200);
    CHECK(it.read(upload.key) == upload.image);
  }
}

// They used to work on, page after page, for a client that was no longer there.
// Over the store's loop, and over another one, but once in sixteen times.
TEST_CASE_TEMPLATE("api: calls that take many statements end when their client has gone", Loops,
                   std::integral_constant<int, 1>, std::integral_constant<int, 16>) {
  Server server({.flags = {"--backend-loops", std::to_string(Loops::value)}});
  const auto query = [&](const std::string& sql) {
    return Database::shared().query(sql, server.database());
  };
  const auto number = [&](const std::string& sql) { return std::stol(query(sql).at(0).back()); };
  const auto running = [&](const std::string& pattern) {
    return number(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> "
        "CONNECTION_ID() AND info LIKE '" +
        pattern + "'");
  };
  const auto insert_images = [&](int count) {
    query(
        "INSERT INTO images (`key`, location, content_type, byte_size, etag, created_at, "
        "updated_at) SELECT seq, CONCAT('00/', seq), 'image/gif', 1, '', NOW(), NOW() FROM "
        "seq_1_to_" +
        std::to_string(count));
  };
  HttpPeer peer(server.backend_port());
  SUBCASE("delete_all") {
    insert_images(2'000);  // four statements
    query("CREATE TRIGGER slow BEFORE DELETE ON images FOR EACH ROW SET @slept = SLEEP(0.001)");
    REQUIRE(peer.connection().send("POST /api/delete_all HTTP/1.1\r\nHost: x\r\n\r\n"));
    eventually("the first images are being deleted", [&] { return running("DELETE%") == 1; });
    peer.connection().reset();
    CHECK(server.terminate() == 0);
    CHECK(number("SELECT COUNT(*) FROM images") >= 1'000);
  }
  SUBCASE("list_keys") {
    insert_images(100'000);  // a hundred statements
    // Keeps the first one waiting.
    Process lock(
        {"mariadb", "--no-defaults", "--unbuffered", "--skip-column-names",
         "--socket=" + Database::shared().socket(), "--user=root",
         "--execute=LOCK TABLES images WRITE; SELECT 'locked'; SELECT SLEEP(1)", server.database()},
        server.log_path());
    REQUIRE(lock.read_line() == "locked");
    const std::string executed = "SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'";
    const long before = number(executed);
    REQUIRE(peer.connection().send("GET /api/list_keys HTTP/1.1\r\nHost: x\r\n\r\n"));
    eventually("the first keys are being read",
               [&] { return running("SELECT%FROM images%") == 1; });
    peer.connection().reset();
    CHECK(lock.wait() == 0);
    CHECK(server.terminate() == 0);
    CHECK(number(executed) - before < 50);
  }
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
