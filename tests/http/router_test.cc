#include "http/router.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace imgcached::http {
namespace {

// The body limit of each route serves as its name here.
Router make_router() {
  Router router;
  router.add({Method::get, "/*", nullptr, 1});
  router.add({Method::get, "/images/*", nullptr, 2});
  router.add({Method::put, "/images/*", nullptr, 3});
  router.add({Method::get, "/images/list", nullptr, 4});
  router.add({Method::get, "/images/big/*", nullptr, 5});
  router.add({Method::post, "/api/upload", nullptr, 6});
  router.add({Method::post, "/api/both", nullptr, 7});
  router.add({Method::get, "/api/both", nullptr, 8});
  router.add({Method::head, "/api/head", nullptr, 9});
  router.add({Method::options, "/api/options", nullptr, 10});
  router.add({Method::get, "/clear", nullptr, 11, Route::Body::optional, Route::Effect::mutating});
  router.add({Method::post, "/read", nullptr, 12, Route::Body::optional, Route::Effect::reading});
  return router;
}

struct Found {
  std::uint64_t route = 0;  // 0: none
  std::string rest;
  std::vector<Method> allowed;
};

Found find(Method method, std::string_view path) {
  const Router router = make_router();
  const Router::Match match = router.match(method, path);
  return {match.route ? match.route->body_bytes_max : 0, std::string(match.rest), match.allowed};
}

TEST_CASE("a literal wins over every prefix, the longest prefix over shorter ones") {
  CHECK(find(Method::get, "/images/list").route == 4);
  CHECK(find(Method::get, "/images/lists").route == 2);
  CHECK(find(Method::get, "/images/big/cat").route == 5);
  CHECK(find(Method::get, "/images/big").route == 2);
  CHECK(find(Method::get, "/other").route == 1);
}

TEST_CASE("what the star stands for is the rest, slashes included") {
  CHECK(find(Method::get, "/images/a/../b c").rest == "a/../b c");
  CHECK(find(Method::get, "/images/").rest.empty());
  CHECK(find(Method::get, "/images/").route == 2);
  CHECK(find(Method::get, "/images").route == 1);
  CHECK(find(Method::get, "/").rest.empty());
  CHECK(find(Method::get, "/images/list").rest.empty());
}

TEST_CASE("the method chooses among the routes of a path") {
  CHECK(find(Method::put, "/images/cat").route == 3);
  CHECK(find(Method::post, "/api/both").route == 7);
  CHECK(find(Method::get, "/api/both").route == 8);
  CHECK(find(Method::get, "/api/both").allowed.empty());
}

TEST_CASE("HEAD is answered as GET, but not the other way round") {
  CHECK(find(Method::head, "/images/cat").route == 2);
  CHECK(find(Method::head, "/api/head").route == 9);
  CHECK(find(Method::get, "/api/head").route == 0);
}

TEST_CASE("HEAD is not answered by a GET that changes something") {
  CHECK(find(Method::get, "/clear").route == 11);
  const Found head = find(Method::head, "/clear");
  CHECK(head.route == 0);
  CHECK(head.allowed == std::vector<Method>{Method::get});
}

TEST_CASE("a path without a route for the method tells what it takes") {
  const Found post = find(Method::get, "/api/upload");
  CHECK(post.route == 0);
  CHECK(post.allowed == std::vector<Method>{Method::post});
  const Found images = find(Method::delete_, "/images/cat");
  CHECK(images.route == 0);
  CHECK(images.allowed == std::vector<Method>{Method::get, Method::head, Method::put});
}

TEST_CASE("a literal that does not take the method hides the prefixes behind it") {
  CHECK(find(Method::put, "/images/list").route == 0);
}

TEST_CASE("OPTIONS may have a route of its own") {
  CHECK(find(Method::options, "/api/options").route == 10);
  CHECK(find(Method::options, "/api/upload").route == 0);
}

TEST_CASE("a path that fits no pattern takes nothing") {
  Router router;
  router.add({Method::get, "/only", nullptr});
  const Router::Match match = router.match(Method::get, "/onl");
  CHECK(match.route == nullptr);
  CHECK(match.allowed.empty());
}

}  // namespace
}  // namespace imgcached::http
