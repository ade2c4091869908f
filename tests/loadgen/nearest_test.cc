// What somebody who mistyped a word probably meant.
#include "tools/loadgen/nearest.h"

#include <doctest/doctest.h>

namespace imgcached::loadgen {
namespace {

const std::vector<std::string> flags{"--reads", "--repeat", "--connections", "--rate", "--out"};

TEST_CASE("nearest: the distance counts edits, a swap of neighbours as one") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("abc", "abc") == 0);
  CHECK(edit_distance("abc", "abd") == 1);
  CHECK(edit_distance("abc", "ac") == 1);
  CHECK(edit_distance("abc", "abxc") == 1);
  CHECK(edit_distance("abc", "acb") == 1);
  CHECK(edit_distance("ca", "abc") == 3);  // the swapped letters are not touched again
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("nearest: the best candidate within a third of the word") {
  CHECK(nearest("--conections", flags) == "--connections");
  CHECK(nearest("--conectons", flags) == "--connections");
  CHECK(nearest("--raet", flags) == "--rate");
  CHECK(nearest("-rate", flags) == "--rate");
  CHECK(nearest("--read", flags) == "--reads");
  CHECK(nearest("rnu", {"run", "sweep"}) == "run");
  CHECK_FALSE(nearest("--frobnicate", flags));
  CHECK_FALSE(nearest("--x", flags));
  CHECK_FALSE(nearest("word", {}));
}

TEST_CASE("nearest: else the first that begins with the word") {
  CHECK(nearest("--conn", flags) == "--connections");
  CHECK(nearest("--re", flags) == "--reads");
  CHECK_FALSE(nearest("--", flags));
  CHECK_FALSE(nearest("", flags));
}

TEST_CASE("nearest: what is far too long is like nothing") {
  CHECK_FALSE(nearest("--connections" + std::string(100'000, 's'), flags));
}

}  // namespace
}  // namespace imgcached::loadgen
