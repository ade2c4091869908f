#include "pages/cache_properties_page.h"

#include <doctest/doctest.h>

#include <string>

namespace imgcached::pages {
namespace {

constexpr std::uint64_t machine_mb = 8000;

CacheChange change_of(std::vector<http::Form::Field> fields) {
  return parse_cache_change(http::Form(std::move(fields)), machine_mb);
}

TEST_CASE("a capacity is a whole number of MB up to the machine's memory") {
  CHECK(*parse_capacity_mb("100", machine_mb) == 100);
  CHECK(*parse_capacity_mb("0", machine_mb) == 0);
  CHECK(*parse_capacity_mb(" 5 ", machine_mb) == 5);
  CHECK(*parse_capacity_mb("007", machine_mb) == 7);
  CHECK(*parse_capacity_mb("8000", machine_mb) == 8000);
}

TEST_CASE("anything else is refused with the reason") {
  for (const char* text : {"-1", "abc", "1e9", "1.5", "", " ", "5 MB", "+5", "1 2", "0x10", "٣"}) {
    CAPTURE(text);
    Result<std::uint64_t> capacity = parse_capacity_mb(text, machine_mb);
    REQUIRE_FALSE(capacity.ok());
    CHECK(capacity.error().message.find("whole number") != std::string::npos);
  }
  for (const char* text : {"8001", "99999999999999999999999999"}) {
    CAPTURE(text);
    Result<std::uint64_t> capacity = parse_capacity_mb(text, machine_mb);
    REQUIRE_FALSE(capacity.ok());
    CHECK(capacity.error().message.find("8000 MB") != std::string::npos);
  }
}

TEST_CASE("a capacity has no bound but the number's while the machine's memory is not known") {
  CHECK(*parse_capacity_mb("8001", std::nullopt) == 8001);
  CHECK_FALSE(parse_capacity_mb("99999999999999999999999999", std::nullopt).ok());
  CHECK_FALSE(parse_capacity_mb("-1", std::nullopt).ok());
}

TEST_CASE("a form changes what it names and nothing else") {
  const CacheChange both =
      change_of({{"max_capacity", "5"}, {"replacement_policy", "Random Replacement"}});
  CHECK(both.capacity_mb == 5);
  CHECK(both.replacement == cache::Replacement::random);
  CHECK_FALSE(both.clear);
  CHECK_FALSE(both.refused());

  const CacheChange capacity = change_of({{"max_capacity", "5"}});
  CHECK(capacity.configures());
  CHECK_FALSE(capacity.replacement);

  const CacheChange policy = change_of({{"replacement_policy", "lru"}});
  CHECK(policy.replacement == cache::Replacement::lru);
  CHECK_FALSE(policy.capacity_mb);
}

TEST_CASE("clear_cache clears with any value") {
  for (const char* value : {"", "1", "yes", "false", "0"}) {
    CAPTURE(value);
    const CacheChange change = change_of({{"clear_cache", value}});
    CHECK(change.clear);
    CHECK_FALSE(change.configures());
    CHECK_FALSE(change.refused());
  }
}

TEST_CASE("a form that clears may leave the rest blank, or change it as well") {
  const CacheChange blank =
      change_of({{"max_capacity", ""}, {"replacement_policy", ""}, {"clear_cache", "1"}});
  CHECK(blank.clear);
  CHECK_FALSE(blank.configures());
  CHECK_FALSE(blank.refused());
  const CacheChange full = change_of({{"max_capacity", "9"}, {"clear_cache", "1"}});
  CHECK(full.clear);
  CHECK(full.capacity_mb == 9);
}

TEST_CASE("what can't be understood is refused by field") {
  CHECK_FALSE(change_of({{"max_capacity", "-1"}}).capacity_error.empty());
  CHECK_FALSE(change_of({{"max_capacity", ""}}).capacity_error.empty());
  CHECK_FALSE(change_of({{"replacement_policy", "MRU"}}).replacement_error.empty());
  CHECK_FALSE(change_of({{"replacement_policy", ""}}).replacement_error.empty());
  CHECK(change_of({}).refused());
  // A clear that comes with a mistake is not carried out either.
  CHECK(change_of({{"max_capacity", "abc"}, {"clear_cache", "1"}}).refused());
}

}  // namespace
}  // namespace imgcached::pages
