#include "base/result.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace imgcached {
namespace {

TEST_CASE("a Result holds its value or its error") {
  const Result<std::string> good(std::string("value"));
  REQUIRE(good.ok());
  CHECK(*good == "value");
  CHECK(good->size() == 5);

  const Result<std::string> bad(Error{Errc::not_found, "nothing there"});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == Errc::not_found);
  CHECK(bad.error().message == "nothing there");
}

TEST_CASE("a Result of void is a success until it holds an error") {
  CHECK(Result<void>().ok());
  const Result<void> bad(Error{Errc::timed_out, "too slow"});
  CHECK_FALSE(bad.ok());
  CHECK(bad.error().code == Errc::timed_out);
}

TEST_CASE("a Result gives up a value that can only be moved") {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = *std::move(result);
  CHECK(*taken == 7);
}

TEST_CASE("an error moves from one Result into another") {
  Result<int> inner(Error{Errc::storage_full, "the disk is full"});
  const Result<std::string> outer(std::move(inner).error());
  CHECK(outer.error().code == Errc::storage_full);
  CHECK(outer.error().message == "the disk is full");
}

TEST_CASE("every error code has a name of its own") {
  CHECK(to_string(Errc::invalid_argument) == "invalid_argument");
  CHECK(to_string(Errc::unavailable) == "unavailable");
  CHECK(to_string(Errc::internal) == "internal");
}

}  // namespace
}  // namespace imgcached
