// What the services do for browsers: they refuse what another site's page asks
// for, and tell them how to take every response.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <string>
#include <vector>

#include "tests/e2e/deployment.h"
#include "tests/e2e/mutating_calls.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

DEPLOYED_TEST_CASE("bug: another site's page may upload, delete and configure") {
  Deployment& it = Where::deployment();
  const std::string image = png(300, 1);
  it.upload("safe", image);
  it.read("safe");
  it.configure("100");
  for (const Call& call : mutating_calls(png(300, 2))) {
    CAPTURE(call.method);
    CAPTURE(call.target);
    const bool is_page = !call.target.starts_with("/api") && !call.target.starts_with("/images");
    for (const http::Headers::Field& field : {http::Headers::Field{"Sec-Fetch-Site", "cross-site"},
                                              {"Sec-Fetch-Site", "same-site"},
                                              {"Origin", "http://evil.example"},
                                              {"Origin", "null"},
                                              {"Origin", "http://127.0.0.1"}}) {
      CAPTURE(field.second);
      const Reply reply = ask(it.backend, call, {field});
      CHECK(reply.status == 403);
      CHECK(reply.header("Content-Type") ==
            (is_page ? "text/html; charset=utf-8" : "application/json"));
    }
  }
  CHECK(it.keys("safe") == Keys{"safe"});
  CHECK(it.read("safe") == image);
  CHECK(it.stat("capacity_bytes") == 100 * 1'048'576);
}

DEPLOYED_TEST_CASE("our own pages' requests, and those of programs, are carried out") {
  Deployment& it = Where::deployment();
  const std::string host = fmt::format("127.0.0.1:{}", it.backend_server().backend_port());
  for (const Call& call : mutating_calls(png(300, 3))) {
    CAPTURE(call.method);
    CAPTURE(call.target);
    it.upload("safe", png(300, 4));
    CHECK(ask(it.backend, call, {}).status / 100 == 2);
    it.upload("safe", png(300, 4));
    CHECK(ask(it.backend, call, {{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://" + host}})
                  .status /
              100 ==
          2);
    it.upload("safe", png(300, 4));
    CHECK(ask(it.backend, call, {{"Origin", "http://" + host}}).status / 100 == 2);
  }
  it.configure("100");
  // Reading is for everybody: an image may be part of any page.
  it.upload("safe", png(300, 4));
  for (const char* path : {"/images/safe", "/", "/image?key_value=safe", "/api/key/safe"}) {
    CHECK(ask(it.backend, {"GET", path}, {{"Sec-Fetch-Site", "cross-site"}}).status == 200);
  }
}

DEPLOYED_TEST_CASE("bug: an <img> of another site's page may clear the cache") {
  Deployment& it = Where::deployment();
  const std::string image = png(300, 5);
  it.upload("safe-cached", image);
  it.read("safe-cached");
  it.read("safe-cached");
  const Keys cached = it.cached_keys();
  for (const char* method : {"GET", "POST"}) {
    for (const Call& call :
         {Call{method, "/clear_cache"}, Call{method, "/refresh_configuration"},
          Call{method, "/invalidate_specific_key", json_content(R"({"key":"safe-cached"})")},
          Call{method, "/put_into_memcache", json_content(R"({"safe-cached":"aGVsbG8="})")}}) {
      CAPTURE(call.method);
      CAPTURE(call.target);
      CHECK(ask(it.cache, call, {{"Sec-Fetch-Site", "cross-site"}}).status == 403);
      CHECK(ask(it.cache, call, {{"Origin", "http://evil.example"}}).status == 403);
      CHECK(it.cached_keys() == cached);
    }
  }
  CHECK(ask(it.cache, {"GET", "/invalidate_specific_key?key=safe-cached"},
            {{"Sec-Fetch-Site", "cross-site"}})
            .status == 403);
  CHECK(it.read_outcome("safe-cached") == "hit");
  CHECK(it.cache.get("/invalidate_specific_key?key=safe-cached").status == 200);
  CHECK(it.read_outcome("safe-cached") == "miss");
}

DEPLOYED_TEST_CASE("a name that was made to point to this machine gets nothing") {
  Deployment& it = Where::deployment();
  it.upload("safe", png(300, 6));
  struct Service {
    HttpPeer& peer;
    std::uint16_t port;
    const char* path;
  };
  for (const Service& service :
       {Service{it.backend, it.backend_server().backend_port(), "/images/safe"},
        Service{it.cache, it.cache_server().cache_port(), "/keys"}}) {
    const auto status = [&](const std::string& host) {
      http::Headers headers;
      headers.add("Host", host);
      return service.peer.request("GET", service.path, headers).status;
    };
    CHECK(status(fmt::format("evil.example:{}", service.port)) == 421);
    CHECK(status(fmt::format("localhost:{}", service.port)) == 200);
    CHECK(status(fmt::format("[::1]:{}", service.port)) == 200);
    CHECK(status("images.example") == 200);
  }
}

void check_safe(const Reply& reply) {
  CHECK(reply.headers.count("Date") == 1);
  CHECK(reply.header("Date").ends_with(" GMT"));
  CHECK(reply.header("X-Content-Type-Options") == "nosniff");
  CHECK(reply.header("X-Frame-Options") == "DENY");
  CHECK(reply.header("Referrer-Policy") == "no-referrer");
  CHECK(reply.headers.count("Content-Security-Policy") == 1);
  const std::string policy = reply.header("Content-Security-Policy");
  CHECK(policy.find("default-src '") != std::string::npos);
  CHECK(policy.find("frame-ancestors 'none'") != std::string::npos);
  CHECK(policy.find("unsafe-inline") == std::string::npos);
}

DEPLOYED_TEST_CASE("every kind of response has a date and tells browsers how to take it") {
  Deployment& it = Where::deployment();
  it.upload("headers", png(300, 7));
  const std::string etag = it.backend.get("/images/headers").header("ETag");
  struct Case {
    int status;
    Call call;
    http::Headers fields = {};
  };
  const std::string style_etag = it.backend.get("/static/style.css").header("ETag");
  for (const Case& c : std::vector<Case>{
           {200, {"GET", "/"}},
           {200, {"GET", "/images/headers"}},
           {206, {"GET", "/images/headers"}, {{"Range", "bytes=0-1"}}},
           {304, {"GET", "/images/headers"}, {{"If-None-Match", "*"}}},
           {416, {"GET", "/images/headers"}, {{"Range", "bytes=999-"}}},
           {412, {"GET", "/images/headers"}, {{"If-Match", "\"x\""}}},
           {404, {"GET", "/images/nobody"}},
           {200, {"GET", "/static/style.css"}},
           {304, {"GET", "/static/style.css"}, {{"If-None-Match", style_etag}}},
           {404, {"GET", "/static/nothing"}},
           {404, {"GET", "/nothing"}},
           {404, {"GET", "/api/nothing"}},
           {405, {"DELETE", "/keys_list"}},
           {405, {"GET", "/api/delete_all"}},
           {403, {"POST", "/api/delete_all"}, {{"Origin", "null"}}},
           {201, {"PUT", "/images/headers2", {"image/png", png(300, 8)}}},
           {204, {"DELETE", "/images/headers2"}},
           {204, {"OPTIONS", "/images/headers"}},
           {415, {"PUT", "/images/headers3", {"image/png", "no image"}}},
           {400, {"POST", "/image", urlencoded({{"key_value", ""}})}},
           {400, {"POST", "/api/upload", urlencoded({{"key", "x"}})}},
           {417, {"GET", "/"}, {{"Expect", "miracles"}}},
           {200, {"GET", "/healthz"}},
           {200, {"GET", "/readyz"}},
           {200, {"GET", "/metrics"}},
           {200, {"GET", "/api/list_keys"}},
           {400, {"GET", "/%zz"}},
           {501, {"PATCH", "/"}},
       }) {
    CAPTURE(c.call.method);
    CAPTURE(c.call.target);
    const Reply reply = ask(it.backend, c.call, c.fields);
    CHECK(reply.status == c.status);
    check_safe(reply);
  }
  for (const Case& c : std::vector<Case>{
           {200, {"GET", "/stats"}},
           {200, {"GET", "/get_from_memcache?key=headers"}},
           {404, {"GET", "/get_from_memcache?key=nobody"}},
           {400, {"POST", "/put_into_memcache", json_content("{")}},
           {200, {"GET", "/clear_cache"}},
           {405, {"HEAD", "/clear_cache"}},
           {403, {"GET", "/clear_cache"}, {{"Sec-Fetch-Site", "cross-site"}}},
           {200, {"GET", "/metrics"}},
           {404, {"GET", "/nothing"}},
       }) {
    CAPTURE(c.call.target);
    if (c.call.target == "/get_from_memcache?key=headers") it.read("headers");
    const Reply reply = ask(it.cache, c.call, c.fields);
    CHECK(reply.status == c.status);
    check_safe(reply);
  }
}

DEPLOYED_TEST_CASE("HEAD gets the head that GET would get, everywhere") {
  Deployment& it = Where::deployment();
  it.upload("headed", png(300, 9));
  it.read("headed");
  const auto check_like_get = [](HttpPeer& service, const char* path) {
    CAPTURE(path);
    const Reply get = service.get(path);
    const Reply head = service.request("HEAD", path);
    CHECK(head.status == get.status);
    CHECK(head.body.empty());
    const auto fields = [](const Reply& reply) {
      std::string text;
      for (const auto& [name, value] : reply.headers) {
        if (name != "Date") text.append(name).append(": ").append(value).append("\n");
      }
      return text;
    };
    CHECK(fields(head) == fields(get));
  };
  for (const char* path :
       {"/", "/image", "/image?key_value=headed", "/upload_image", "/keys_list",
        "/cache_properties", "/images/headed", "/images/nobody", "/api/key/headed",
        "/api/list_keys", "/healthz", "/static/style.css", "/static/nothing", "/nothing"}) {
    check_like_get(it.backend, path);
  }
  for (const char* path : {"/keys", "/healthz", "/get_from_memcache?key=headed", "/nothing"}) {
    check_like_get(it.cache, path);
  }
}

DEPLOYED_TEST_CASE("bug: what a user typed ends a header line or forges one of the log") {
  Deployment& it = Where::deployment();
  const std::string key = "a\"b \xe2\x80\xae\xc2\xa9";  // a quote, and a mark that reverses
  const std::string path = path_of("/images/", key);
  REQUIRE(it.backend.request("PUT", path, {}, png(300, 10)).status == 201);
  // The row stays, its file goes: reading it is worth a line of the log.
  for (const std::string& file : it.files()) std::remove(file.c_str());
  CHECK(it.backend.get(path).status == 500);
  const std::string log = it.backend_server().log();
  CHECK(log.find(R"(image_file_missing key="a\"b \u202e)"
                 "\xc2\xa9\"") != std::string::npos);
  CHECK(it.backend.request("DELETE", path).status == 204);

  // Reasons repeat what was sent.
  const Reply reply =
      it.cache.post("/put_into_memcache", json_content("{\"a\\r\\nSet-Cookie: b\":\"aGVsbG8=\"}"));
  CHECK(reply.status == 400);
  CHECK(reply.headers.count("Set-Cookie") == 0);
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
