#include "cache/lease_table.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <set>
#include <string>

namespace imgcached::cache {
namespace {

constexpr std::uint64_t first_token = 1000;

TEST_CASE("a lease is good once, for its own key") {
  LeaseTable leases(first_token);
  const std::uint64_t token = leases.grant("cat", 0);
  CHECK_FALSE(leases.use("dog", token, 0));
  CHECK_FALSE(leases.use("cat", token + 1, 0));
  CHECK(leases.use("cat", token, 0));
  CHECK_FALSE(leases.use("cat", token, 0));
}

TEST_CASE("misses on one key get the same token while the lease is good") {
  LeaseTable leases(first_token);
  const std::uint64_t token = leases.grant("cat", 0);
  CHECK(leases.grant("cat", 1) == token);
  CHECK(leases.grant("cat", LeaseTable::lifetime_ms - 1) == token);
  CHECK(leases.size() == 1);
}

TEST_CASE("bug: a time a little before the last one makes a fresh lease an expired one") {
  LeaseTable leases(first_token);
  const std::uint64_t cat = leases.grant("cat", 101);
  CHECK(leases.grant("dog", 100) != cat);
  CHECK(leases.size() == 2);
  CHECK(leases.grant("cat", 100) == cat);
  CHECK(leases.use("cat", cat, 100));
}

TEST_CASE("different keys get different tokens") {
  LeaseTable leases(first_token);
  CHECK(leases.grant("cat", 0) != leases.grant("Cat", 0));
}

TEST_CASE("an invalidation voids the key's lease, and the next token is another") {
  LeaseTable leases(first_token);
  const std::uint64_t cat = leases.grant("cat", 0);
  const std::uint64_t dog = leases.grant("dog", 0);
  leases.invalidate("cat");
  const std::uint64_t later = leases.grant("cat", 0);
  CHECK(later != cat);
  CHECK_FALSE(leases.use("cat", cat, 0));
  CHECK(leases.use("cat", later, 0));
  CHECK(leases.use("dog", dog, 0));
}

TEST_CASE("clear voids every lease, and no token comes back") {
  LeaseTable leases(first_token);
  const std::uint64_t cat = leases.grant("cat", 0);
  const std::uint64_t dog = leases.grant("dog", 0);
  leases.clear();
  CHECK(leases.size() == 0);
  CHECK_FALSE(leases.use("cat", cat, 0));
  const std::set<std::uint64_t> tokens{cat, dog, leases.grant("cat", 0), leases.grant("dog", 0)};
  CHECK(tokens.size() == 4);
}

TEST_CASE("a used lease is followed by another token") {
  LeaseTable leases(first_token);
  const std::uint64_t token = leases.grant("cat", 0);
  REQUIRE(leases.use("cat", token, 0));
  CHECK(leases.grant("cat", 0) != token);
}

TEST_CASE("a lease ends after 10 seconds, counted from its grant") {
  LeaseTable leases(first_token);
  const std::uint64_t cat = leases.grant("cat", 5'000);
  const std::uint64_t dog = leases.grant("dog", 5'000);
  CHECK(leases.grant("cat", 14'999) == cat);
  CHECK(leases.use("cat", cat, 14'999));
  CHECK_FALSE(leases.use("dog", dog, 15'000));

  const std::uint64_t owl = leases.grant("owl", 20'000);
  CHECK(leases.grant("owl", 30'000) != owl);
}

TEST_CASE("a grant forgets the leases that have expired") {
  LeaseTable leases(first_token);
  for (int i = 0; i < 100; ++i) leases.grant(std::to_string(i), 0);
  leases.grant("late", 5'000);
  CHECK(leases.size() == 101);
  leases.grant("new", 10'000);
  CHECK(leases.size() == 2);
}

TEST_CASE("a full table drops its oldest lease and no other") {
  LeaseTable leases(first_token);
  const std::uint64_t oldest = leases.grant("oldest", 0);
  const std::uint64_t second = leases.grant("second", 0);
  for (std::size_t i = 2; i < LeaseTable::leases_max; ++i) leases.grant(std::to_string(i), 0);
  CHECK(leases.size() == LeaseTable::leases_max);
  CHECK(leases.grant("oldest", 0) == oldest);  // not a new lease: drops nothing

  const std::uint64_t newest = leases.grant("newest", 0);
  CHECK(leases.size() == LeaseTable::leases_max);
  CHECK_FALSE(leases.use("oldest", oldest, 0));
  CHECK(leases.use("second", second, 0));
  CHECK(leases.use("newest", newest, 0));
}

TEST_CASE("a token is never 0, even when the count wraps") {
  LeaseTable from_zero(0);
  CHECK(from_zero.grant("cat", 0) != 0);
  CHECK_FALSE(from_zero.use("dog", 0, 0));

  LeaseTable wrapping(std::numeric_limits<std::uint64_t>::max());
  CHECK(wrapping.grant("cat", 0) != 0);
  CHECK(wrapping.grant("dog", 0) != 0);
}

}  // namespace
}  // namespace imgcached::cache
