// A store that asks for a token: who has it may do everything, who has not may look.
#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

#include "http/base64.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/mutating_calls.h"
#include "tests/e2e/outage_checks.h"
#include "tests/e2e/store_checks.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

const std::string secret = "correct-horse-battery-staple";
const std::string bearer_credentials = "Bearer " + secret;
const std::string password_credentials = "Basic " + http::base64::encode("me:" + secret);
const std::string wrong_credentials = bearer_credentials + "r";
const http::Headers::Field bearer{"Authorization", bearer_credentials};
const http::Headers::Field password{"Authorization", password_credentials};
const http::Headers::Field wrong{"Authorization", wrong_credentials};

class TokenFile {
 public:
  explicit TokenFile(const std::string& text = secret + "\n") { std::ofstream(path()) << text; }
  std::string path() const { return directory_.path() + "/token"; }
  Deployment::Options options() const { return {.common = {.flags = {"--token-file", path()}}}; }

 private:
  ScratchDirectory directory_;
};

void check_asked_for(const Reply& reply) {
  CHECK(reply.status == 401);
  CHECK(reply.headers.joined("WWW-Authenticate") ==
        "Bearer realm=\"imgcached\", Basic realm=\"imgcached\", charset=\"UTF-8\"");
  CHECK(reply.body.find(secret) == std::string::npos);
}

DEPLOYED_TEST_CASE("with --token-file, whatever changes something asks for the token") {
  const TokenFile file;
  Deployment it(Where::kind, file.options());
  const std::string image = png(300, 1);
  REQUIRE(ask(it.backend, {"PUT", "/images/safe", {"image/png", image}}, {bearer}).status == 201);
  for (const Call& call : mutating_calls(png(300, 2))) {
    CAPTURE(call.method);
    CAPTURE(call.target);
    check_asked_for(ask(it.backend, call, {}));
    check_asked_for(ask(it.backend, call, {wrong}));
    // Whoever has it, in a page of another site too, since browsers send passwords by themselves.
    CHECK(ask(it.backend, call, {password, {"Sec-Fetch-Site", "cross-site"}}).status == 403);
  }
  CHECK(it.read("safe") == image);
  CHECK(it.keys() == Keys{"safe"});
  for (const http::Headers::Field& credentials : {bearer, password}) {
    for (const Call& call : mutating_calls(image)) {
      CAPTURE(call.method);
      CAPTURE(call.target);
      REQUIRE(ask(it.backend, {"PUT", "/images/safe", {"image/png", image}}, {bearer}).status /
                  100 ==
              2);
      CHECK(ask(it.backend, call, {credentials}).status / 100 == 2);
    }
  }
}

DEPLOYED_TEST_CASE("with --token-file, who reads is asked for nothing at the backend") {
  const TokenFile file;
  Deployment it(Where::kind, file.options());
  const std::string image = png(300, 1);
  REQUIRE(ask(it.backend, {"PUT", "/images/safe", {"image/png", image}}, {bearer}).status == 201);
  read_until_cached(it.backend, "safe", image);  // so the two services know each other
  for (const Call& call :
       {Call{"GET", "/"}, Call{"GET", "/images/safe"}, Call{"GET", "/api/key/safe"},
        Call{"POST", "/api/key/safe"}, Call{"POST", "/api/list_keys"}, Call{"POST", "/api/stats"},
        Call{"GET", "/keys_list"}, Call{"POST", "/keys_list"},
        Call{"POST", "/image", urlencoded({{"key_value", "safe"}})}, Call{"GET", "/upload_image"},
        Call{"GET", "/cache_properties"}, Call{"GET", "/cache_stats"}, Call{"GET", "/healthz"},
        Call{"GET", "/readyz"}, Call{"GET", "/metrics"}}) {
    CAPTURE(call.method);
    CAPTURE(call.target);
    CHECK(ask(it.backend, call, {}).status == 200);
  }
}

DEPLOYED_TEST_CASE("with --token-file, all of the cache service asks for the token") {
  const TokenFile file;
  Deployment it(Where::kind, file.options());
  for (const Call& call : {Call{"GET", "/get_from_memcache?key=a"}, Call{"POST", "/clear_cache"},
                           Call{"POST", "/put_into_memcache", json_content(R"({"a":"aGVsbG8="})")},
                           Call{"GET", "/stats"}, Call{"GET", "/keys"}, Call{"GET", "/healthz"},
                           Call{"GET", "/readyz"}, Call{"GET", "/metrics"}, Call{"GET", "/nothing"},
                           Call{"OPTIONS", "/stats"}}) {
    CAPTURE(call.method);
    CAPTURE(call.target);
    check_asked_for(ask(it.cache, call, {}));
    check_asked_for(ask(it.cache, call, {wrong}));
    CHECK(ask(it.cache, call, {bearer}).status != 401);
  }
}

TEST_CASE("a cache service that asks for another token is one that can't be reached") {
  const TokenFile file;
  const TokenFile other("another-token-of-that-length\n");
  Server cache({.role = Server::Role::cache, .flags = {"--token-file", other.path()}});
  Server backend({.role = Server::Role::backend,
                  .flags = {"--token-file", file.path()},
                  .cache_url = cache.cache_url(),
                  .database = cache.database()});
  HttpPeer peer(backend.backend_port());
  const std::string image = png(300, 1);
  REQUIRE(ask(peer, {"PUT", "/images/safe", {"image/png", image}}, {bearer}).status == 201);
  check_image(peer, "safe", image);
  CHECK(peer.get("/images/safe").header("X-Cache") == "miss");
  CHECK(backend.log().find("give both the same --token-file") != std::string::npos);
}

TEST_CASE("a service that others can reach warns that it asks for no token") {
  const TokenFile file;
  const auto warnings = [](const std::string& host, const std::vector<std::string>& flags) {
    const Server server({.host = host, .flags = flags});
    const std::string log = server.log();
    return static_cast<int>(log.find("open_to_all server=backend") != std::string::npos) +
           static_cast<int>(log.find("open_to_all server=cache") != std::string::npos);
  };
  for (const char* host : {"127.0.0.1", "127.1.2.3", "[::1]"}) CHECK(warnings(host, {}) == 0);
  for (const char* host : {"0.0.0.0", "[::]"}) {
    CHECK(warnings(host, {}) == 2);
    CHECK(warnings(host, {"--token-file", file.path()}) == 0);
  }
}

}  // namespace
}  // namespace imgcached::e2e
