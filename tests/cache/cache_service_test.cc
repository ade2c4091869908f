// The service's cache from several threads at once, as two services of one process
// use it.
#include "cache/cache_service.h"

#include <doctest/doctest.h>

#include <atomic>
#include <charconv>
#include <string>
#include <thread>
#include <vector>

#include "tests/db/database_fixture.h"

namespace imgcached::cache {
namespace {

constexpr std::uint64_t versions_min = 20'000;
constexpr std::uint64_t hits_min = 1'000;

std::uint64_t version_of(const Blob& blob) {
  std::uint64_t version = 0;
  const std::string_view text = blob.view();
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

TEST_CASE("what one thread has put or invalidated, no other thread finds older") {
  db::test::DatabaseFixture fixture;
  CacheService service(fixture.loop, fixture.pool);
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<std::uint64_t> outdated{0}, hits{0};
  std::atomic<bool> done{false};
  const auto read = [&] {
    while (!done) {
      const std::uint64_t known = acknowledged;
      const Lookup found = service.get("key");
      if (!found.hit) continue;
      ++hits;
      if (version_of(found.blob) < known) ++outdated;
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) readers.emplace_back(read);
  for (std::uint64_t version = 1; version <= versions_min || hits < hits_min; ++version) {
    if (version % 3 == 0) service.invalidate("key");
    service.put("key", Blob::copy_of(std::to_string(version)));
    acknowledged = version;
    if (version % 100 == 0) service.put("other", Blob::copy_of(std::string(version % 10'000, 'x')));
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(outdated == 0);
  const Stats stats = service.stats();
  CHECK(stats.get_hits == hits);
  CHECK(stats.curr_items == 2);
  fixture.run(service.close());
}

}  // namespace
}  // namespace imgcached::cache
