#include "cache/cache.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/table_hash.h"

namespace imgcached::cache {
namespace {

constexpr std::size_t everything = std::numeric_limits<std::size_t>::max();
// Any value of this size under a key of one byte has charge `unit`.
constexpr std::uint64_t unit = 1000;
constexpr std::size_t unit_value_bytes = unit - 1 - Cache::entry_overhead_bytes;

Blob blob_of(std::size_t bytes, char fill = 'x') { return Blob::copy_of(std::string(bytes, fill)); }
Blob unit_blob(char fill = 'x') { return blob_of(unit_value_bytes, fill); }

Configuration room_for(std::uint64_t units, Replacement replacement = Replacement::lru) {
  return {units * unit, replacement};
}

std::vector<std::string> names(const Cache& cache) {
  std::vector<std::string> result;
  for (const CachedKey& item : cache.keys("", everything)) result.push_back(item.key);
  return result;
}

std::uint64_t sum_of_charges(const Cache& cache) {
  std::uint64_t sum = 0;
  for (const CachedKey& item : cache.keys("", everything)) {
    CHECK(item.charge_bytes == item.key.size() + item.value_bytes + Cache::entry_overhead_bytes);
    sum += item.charge_bytes;
  }
  return sum;
}

using Names = std::vector<std::string>;

// --- What it is for ------------------------------------------------------------------------------

TEST_CASE("an image that was put is got back byte for byte, without a copy") {
  Cache cache;
  const Blob image = Blob::copy_of(std::string("\x89PNG\r\n\0\xff", 8));
  CHECK(cache.put("cat", image) == PutOutcome::stored);
  const Lookup lookup = cache.get("cat", 0);
  CHECK(lookup.hit);
  CHECK(lookup.lease == 0);
  CHECK(lookup.blob.data() == image.data());
  CHECK(lookup.blob.view() == image.view());
}

TEST_CASE("the configuration is 100 MB and LRU unless one is given") {
  const Cache cache;
  CHECK(cache.configuration() == Configuration{104'857'600, Replacement::lru});
  CHECK(cache.stats().capacity_bytes == 104'857'600);
}

TEST_CASE("a fill lands with the lease of its miss") {
  Cache cache;
  const Lookup miss = cache.get("cat", 0);
  CHECK_FALSE(miss.hit);
  CHECK(miss.blob.empty());
  REQUIRE(miss.lease != 0);
  CHECK(cache.put("cat", unit_blob(), miss.lease, 9'999) == PutOutcome::stored);
  CHECK(cache.get("cat", 9'999).hit);
}

TEST_CASE("an entry that is evicted while someone sends it stays readable") {
  Cache cache(room_for(1));
  cache.put("a", unit_blob('a'));
  const Lookup sending = cache.get("a", 0);
  cache.put("b", unit_blob('b'));
  REQUIRE(names(cache) == Names{"b"});
  CHECK(sending.blob.view() == std::string(unit_value_bytes, 'a'));
}

TEST_CASE("keys are compared byte by byte") {
  Cache cache;
  const Names keys{
      "../../etc/passwd", "Cat", "a b", "a/b", "cat", "x%2F?#", "x';DROP TABLE images;--",
      "\xf0\x9f\x90\x88"};
  for (const std::string& key : keys) {
    CHECK(cache.put(key, Blob::copy_of("image of " + key)) == PutOutcome::stored);
  }
  CHECK(names(cache) == keys);
  for (const std::string& key : keys) { CHECK(cache.get(key, 0).blob.view() == "image of " + key); }
}

TEST_CASE("statistics tell requests, hits and misses, and a put is no request") {
  Cache cache;
  cache.get("a", 0);
  cache.put("a", unit_blob());
  cache.get("a", 0);
  cache.get("a", 0);
  cache.get("b", 0);
  const Stats& stats = cache.stats();
  CHECK(stats.cmd_get == 4);
  CHECK(stats.get_hits == 2);
  CHECK(stats.get_misses == 2);
  CHECK(stats.cmd_set == 1);
  CHECK(stats.curr_items == 1);
  CHECK(stats.bytes == unit);
}

// --- Capacity ------------------------------------------------------------------------------------

TEST_CASE("a charge is key, value and bookkeeping, and the bookkeeping is at most 96 bytes") {
  CHECK(Cache::entry_overhead_bytes <= 96);
  Cache cache;
  cache.put("key", blob_of(500));
  CHECK(cache.stats().bytes == 3 + 500 + Cache::entry_overhead_bytes);
  const auto listed = cache.keys("", everything);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].value_bytes == 500);
  CHECK(listed[0].charge_bytes == cache.stats().bytes);
}

TEST_CASE("an entry that fills the capacity exactly is stored, one byte more is too large") {
  Cache cache(room_for(1));
  CHECK(cache.put("a", unit_blob()) == PutOutcome::stored);
  CHECK(cache.stats().bytes == cache.stats().capacity_bytes);
  cache.clear();
  CHECK(cache.put("a", blob_of(unit_value_bytes + 1)) == PutOutcome::too_large);
  CHECK(cache.stats().curr_items == 0);
}

TEST_CASE("bug: LRU eviction failed while iterating; one put evicts as many entries as it needs") {
  for (const Replacement replacement : {Replacement::lru, Replacement::random}) {
    CAPTURE(to_string(replacement));
    Cache cache(room_for(4, replacement));
    for (const char* key : {"a", "b", "c", "d"}) cache.put(key, unit_blob());
    CHECK(cache.put("e", blob_of(3 * unit - 1 - Cache::entry_overhead_bytes)) ==
          PutOutcome::stored);
    CHECK(cache.stats().evictions == 3);
    CHECK(cache.stats().curr_items == 2);
    CHECK(cache.stats().bytes == 4 * unit);
    CHECK(cache.get("e", 0).hit);
  }
}

TEST_CASE("bug: \"LRU\" evicted the newest; it evicts the one not asked for the longest") {
  Cache cache(room_for(3));
  for (const char* key : {"a", "b", "c"}) cache.put(key, unit_blob());
  cache.get("a", 0);
  cache.put("d", unit_blob());
  CHECK(names(cache) == Names{"a", "c", "d"});
  cache.put("c", unit_blob());  // a put is a use, too
  cache.put("e", unit_blob());
  CHECK(names(cache) == Names{"c", "d", "e"});
}

TEST_CASE("Random Replacement evicts every entry now and then, also the last one asked for") {
  std::map<std::string, int> evicted;
  for (std::uint64_t seed = 0; seed < 800; ++seed) {
    Cache cache(room_for(8, Replacement::random), Random(seed));
    for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) cache.put(key, unit_blob());
    cache.get("h", 0);
    cache.put("new", blob_of(unit_value_bytes - 2));
    for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
      if (!cache.get(key, 0).hit) ++evicted[key];
    }
  }
  CHECK(evicted.size() == 8);
  for (const auto& victim : evicted) {
    CAPTURE(victim.first);
    CHECK(victim.second > 50);  // 100 expected, with a deviation of 9
    CHECK(victim.second < 150);
  }
}

TEST_CASE("bug: size was subtracted twice when the re-put key was itself the one to evict") {
  for (const Replacement replacement : {Replacement::lru, Replacement::random}) {
    CAPTURE(to_string(replacement));
    Cache cache(room_for(2, replacement));
    cache.put("a", unit_blob());
    cache.put("b", unit_blob());
    // "a" is the oldest; its new image needs the room of both.
    CHECK(cache.put("a", blob_of(2 * unit - 1 - Cache::entry_overhead_bytes)) ==
          PutOutcome::stored);
    CHECK(names(cache) == Names{"a"});
    CHECK(cache.stats().bytes == 2 * unit);
    CHECK(cache.stats().evictions == 1);
    cache.invalidate("a");
    CHECK(cache.stats().bytes == 0);
    CHECK(cache.stats().curr_items == 0);
  }
}

TEST_CASE("bug: a re-put leaked the size of what it replaced, or ignored that of the new image") {
  Cache cache(room_for(2));
  for (const std::size_t value_bytes : {500, 10, 1500, 0, 700}) {
    cache.put("a", blob_of(value_bytes));
    CHECK(cache.stats().bytes == 1 + value_bytes + Cache::entry_overhead_bytes);
    CHECK(cache.stats().curr_items == 1);
    CHECK(cache.get("a", 0).blob.size() == value_bytes);
  }
  CHECK(cache.stats().evictions == 0);
}

TEST_CASE("a re-put that fits beside the others evicts none of them") {
  Cache cache(room_for(2));
  cache.put("a", unit_blob('1'));
  cache.put("b", unit_blob());
  cache.put("a", unit_blob('2'));
  CHECK(names(cache) == Names{"a", "b"});
  CHECK(cache.stats().evictions == 0);
  CHECK(cache.get("a", 0).blob.view()[0] == '2');
}

TEST_CASE("bug: an image larger than the cache emptied it; it is not stored and evicts nothing") {
  Cache cache(room_for(2));
  cache.put("a", unit_blob());
  cache.put("b", unit_blob());
  CHECK(cache.put("c", blob_of(2 * unit)) == PutOutcome::too_large);
  CHECK(names(cache) == Names{"a", "b"});
  CHECK(cache.stats().too_large == 1);
  CHECK(cache.stats().evictions == 0);
}

TEST_CASE("an image too large to cache still removes the outdated one under its key") {
  Cache cache(room_for(2));
  cache.put("a", unit_blob());
  CHECK(cache.put("a", blob_of(2 * unit)) == PutOutcome::too_large);
  CHECK_FALSE(cache.get("a", 0).hit);
  CHECK(cache.stats().bytes == 0);
}

TEST_CASE(
    "bug: lowering the capacity evicted nothing; it evicts at once, and no more than needed") {
  Cache cache(room_for(4));
  for (const char* key : {"a", "b", "c", "d"}) cache.put(key, unit_blob());
  cache.get("a", 0);
  cache.configure(room_for(2));
  CHECK(names(cache) == Names{"a", "d"});
  CHECK(cache.stats().bytes == 2 * unit);
  CHECK(cache.stats().capacity_bytes == 2 * unit);
  CHECK(cache.stats().evictions == 2);
}

TEST_CASE("raising the capacity keeps what is cached and makes room") {
  Cache cache(room_for(1));
  cache.put("a", unit_blob());
  cache.configure(room_for(2));
  cache.put("b", unit_blob());
  CHECK(names(cache) == Names{"a", "b"});
}

TEST_CASE("a change of policy keeps what is cached, in both directions") {
  Cache cache(room_for(3, Replacement::lru));
  for (const char* key : {"a", "b", "c"}) cache.put(key, unit_blob());
  for (const Replacement replacement : {Replacement::random, Replacement::lru}) {
    cache.configure(room_for(3, replacement));
    CHECK(cache.configuration().replacement == replacement);
    CHECK(names(cache) == Names{"a", "b", "c"});
    CHECK(cache.stats().bytes == 3 * unit);
  }
}

TEST_CASE("a change of policy decides the victims from then on") {
  int oldest_evicted = 0;
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    CAPTURE(seed);
    Cache to_lru(room_for(4, Replacement::random), Random(seed));
    Cache to_random(room_for(4, Replacement::lru), Random(seed));
    for (const char* key : {"a", "b", "c", "d"}) {
      to_lru.put(key, unit_blob());
      to_random.put(key, unit_blob());
    }

    to_lru.configure(room_for(4, Replacement::lru));
    for (const char* key : {"d", "a", "b"}) to_lru.get(key, 0);
    to_lru.put("e", unit_blob());
    CHECK(names(to_lru) == Names{"a", "b", "d", "e"});

    to_random.configure(room_for(4, Replacement::random));
    to_random.put("e", unit_blob());
    if (!to_random.get("a", 0).hit) ++oldest_evicted;
  }
  CHECK(oldest_evicted > 5);  // 20 expected, with a deviation of 4
  CHECK(oldest_evicted < 35);
}

TEST_CASE("configuring what is already in force keeps the order of use") {
  Cache cache(room_for(2));
  cache.put("a", unit_blob());
  cache.put("b", unit_blob());
  cache.get("a", 0);
  cache.configure(room_for(2));
  cache.put("c", unit_blob());
  CHECK(names(cache) == Names{"a", "c"});
}

TEST_CASE("bug: capacity 0 was refused; it turns caching off, and misses still hand out leases") {
  Cache cache(room_for(2));
  cache.put("a", unit_blob());
  cache.configure(room_for(0));
  CHECK(cache.stats().curr_items == 0);
  CHECK(cache.stats().bytes == 0);

  CHECK(cache.put("a", unit_blob()) == PutOutcome::off);
  CHECK(cache.put("b", Blob()) == PutOutcome::off);
  const Lookup miss = cache.get("a", 0);
  CHECK_FALSE(miss.hit);
  CHECK(miss.lease != 0);
  CHECK(cache.get("a", 0).lease == miss.lease);
  CHECK(cache.put("a", unit_blob(), miss.lease, 0) == PutOutcome::off);
  CHECK(cache.stats().too_large == 0);

  cache.configure(room_for(1));
  CHECK(cache.put("a", unit_blob()) == PutOutcome::stored);
}

// --- Invalidation and leases ---------------------------------------------------------------------

TEST_CASE("bug: invalidate dropped another key; it drops its own and says whether there was one") {
  Cache cache;
  for (const char* key : {"a", "b", "c"}) cache.put(key, unit_blob());
  CHECK(cache.invalidate("b"));
  CHECK(names(cache) == Names{"a", "c"});
  CHECK(cache.stats().bytes == 2 * unit);
  CHECK_FALSE(cache.invalidate("b"));
  CHECK_FALSE(cache.invalidate("B"));
  CHECK(names(cache) == Names{"a", "c"});
  CHECK(cache.stats().invalidations == 3);
  CHECK(cache.stats().evictions == 0);
}

TEST_CASE("bug: a fill that began before an invalidation landed after it") {
  Cache cache;
  const Lookup slow_reader = cache.get("cat", 0);
  CHECK_FALSE(cache.invalidate("cat"));  // the upload; the key is not cached
  CHECK(cache.put("cat", unit_blob('o'), slow_reader.lease, 1) == PutOutcome::stale_lease);
  CHECK_FALSE(cache.get("cat", 1).hit);
  CHECK(cache.stats().lease_rejections == 1);
}

TEST_CASE("an outdated fill cannot replace what a reader after the invalidation has cached") {
  Cache cache;
  const Lookup slow_reader = cache.get("cat", 0);
  cache.invalidate("cat");
  const Lookup quick_reader = cache.get("cat", 1);
  CHECK(quick_reader.lease != slow_reader.lease);
  CHECK(cache.put("cat", unit_blob('n'), quick_reader.lease, 2) == PutOutcome::stored);
  CHECK(cache.put("cat", unit_blob('o'), slow_reader.lease, 3) == PutOutcome::stale_lease);
  CHECK(cache.get("cat", 3).blob.view()[0] == 'n');
}

TEST_CASE("a fill that began before a clear is dropped") {
  Cache cache;
  const Lookup slow_reader = cache.get("cat", 0);
  cache.clear();
  CHECK(cache.put("cat", unit_blob(), slow_reader.lease, 1) == PutOutcome::stale_lease);
  CHECK_FALSE(cache.get("cat", 1).hit);
}

TEST_CASE(
    "what was cached outlives a clear by as long as its caller wants, and is in nobody's way") {
  for (const Replacement replacement : {Replacement::lru, Replacement::random}) {
    Cache cache({1'048'576, replacement});
    for (int i = 0; i < 100; ++i) cache.put("key" + std::to_string(i), Blob::copy_of("old"));
    {
      const Cache::Remains remains = cache.clear();
      CHECK(cache.stats().curr_items == 0);
      CHECK(cache.stats().bytes == 0);
      CHECK_FALSE(cache.get("key1", 0).hit);
      cache.put("key1", Blob::copy_of("new"));
    }
    CHECK(cache.get("key1", 0).blob.view() == "new");
    CHECK(cache.stats().curr_items == 1);
    cache.configure(
        {Cache::charge_of(4, 3) - 1, replacement});  // the policy knows of it, and no other
    CHECK(cache.stats().curr_items == 0);
    CHECK(cache.stats().evictions == 1);
  }
}

TEST_CASE("a fill that began before an unconditional put does not overwrite it") {
  Cache cache;
  const Lookup slow_reader = cache.get("cat", 0);
  cache.put("cat", unit_blob('n'));
  CHECK(cache.put("cat", unit_blob('o'), slow_reader.lease, 1) == PutOutcome::stale_lease);
  CHECK(cache.get("cat", 1).blob.view()[0] == 'n');
}

TEST_CASE("a put that was too large voids the key's lease as any other does") {
  Cache cache(room_for(1));
  const Lookup slow_reader = cache.get("a", 0);
  CHECK(cache.put("a", blob_of(unit)) == PutOutcome::too_large);
  CHECK(cache.put("a", unit_blob(), slow_reader.lease, 1) == PutOutcome::stale_lease);
}

TEST_CASE("an outdated fill that is too large leaves the cached image alone") {
  Cache cache(room_for(1));
  const Lookup slow_reader = cache.get("a", 0);
  cache.put("a", unit_blob());
  CHECK(cache.put("a", blob_of(unit), slow_reader.lease, 1) == PutOutcome::stale_lease);
  CHECK(cache.get("a", 1).hit);
  CHECK(cache.stats().too_large == 0);
}

TEST_CASE("readers that miss with nothing in between hold equal tokens, and one fill lands") {
  Cache cache;
  const Lookup first = cache.get("cat", 0);
  const Lookup second = cache.get("cat", 1);
  CHECK(first.lease == second.lease);
  CHECK(cache.put("cat", unit_blob(), first.lease, 2) == PutOutcome::stored);
  CHECK(cache.put("cat", unit_blob(), second.lease, 2) == PutOutcome::stale_lease);
}

TEST_CASE("a fill that took longer than a lease lives is dropped") {
  Cache cache;
  const Lookup miss = cache.get("cat", 0);
  CHECK(cache.put("cat", unit_blob(), miss.lease, LeaseTable::lifetime_ms) ==
        PutOutcome::stale_lease);
}

TEST_CASE("a token of another process is void") {
  Cache before;
  Cache after;
  const Lookup miss = before.get("cat", 0);
  after.get("cat", 0);
  CHECK(after.put("cat", unit_blob(), miss.lease, 1) == PutOutcome::stale_lease);
}

TEST_CASE("clear empties the cache and keeps counting") {
  for (const Replacement replacement : {Replacement::lru, Replacement::random}) {
    CAPTURE(to_string(replacement));
    Cache cache(room_for(2, replacement));
    cache.put("a", unit_blob());
    cache.put("b", unit_blob());
    cache.get("a", 0);
    cache.clear();
    const Stats& stats = cache.stats();
    CHECK(names(cache).empty());
    CHECK(stats.curr_items == 0);
    CHECK(stats.bytes == 0);
    CHECK(stats.clears == 1);
    CHECK(stats.cmd_get == 1);
    CHECK(stats.cmd_set == 2);
    CHECK(stats.evictions == 0);
    CHECK(stats.capacity_bytes == 2 * unit);
    cache.put("a", unit_blob());
    cache.put("b", unit_blob());
    cache.put("c", unit_blob());
    CHECK(stats.curr_items == 2);
  }
}

// --- Listing -------------------------------------------------------------------------------------

TEST_CASE("keys are listed sorted by bytes, page by page") {
  Cache cache;
  const Names sorted{"A", "B", "a", "aa", "b", "\xc3\xa4"};
  for (const std::size_t i : {3, 0, 5, 2, 4, 1}) cache.put(sorted[i], unit_blob());
  for (std::size_t limit = 1; limit <= sorted.size() + 1; ++limit) {
    CAPTURE(limit);
    Names paged;
    for (auto page = cache.keys("", limit); !page.empty();
         page = cache.keys(page.back().key, limit)) {
      CHECK(page.size() <= limit);
      for (const CachedKey& item : page) paged.push_back(item.key);
    }
    CHECK(paged == sorted);
  }
  CHECK(cache.keys("", 0).empty());
  CHECK(cache.keys("AA", 1)[0].key == "B");  // `after` need not be cached
}

TEST_CASE("listing is no use: it changes neither the order of eviction nor the counters") {
  Cache cache(room_for(2));
  cache.put("a", unit_blob());
  cache.put("b", unit_blob());
  cache.keys("", 1);
  cache.put("c", unit_blob());
  CHECK(names(cache) == Names{"b", "c"});
  CHECK(cache.stats().cmd_get == 0);
}

TEST_CASE("asking whether a key is cached is no use and no request either") {
  Cache cache(room_for(2));
  cache.put("a", unit_blob());
  cache.put("b", unit_blob());
  CHECK(cache.contains("a"));
  CHECK_FALSE(cache.contains("c"));
  cache.put("c", unit_blob());
  CHECK_FALSE(cache.contains("a"));
  CHECK(cache.contains("b"));
  CHECK(cache.stats().cmd_get == 0);
}

// --- Against a model -----------------------------------------------------------------------------

// What the cache should do, in the most obvious way: a list in order of use, and
// leases in a map. Of Random Replacement it can't know the victims, only that
// they were needed; `settle` is told them.
class Model {
 public:
  struct Item {
    std::string key;
    std::string value;
    std::uint64_t charge() const { return Cache::charge_of(key.size(), value.size()); }
  };

  explicit Model(Configuration configuration) { configure(configuration); }

  Item* find(const std::string& key) {
    const auto found = position(key);
    return found == items_.end() ? nullptr : &*found;
  }

  void use(const std::string& key) {
    const auto found = position(key);
    std::rotate(found, found + 1, items_.end());
  }
  // The token that a miss must get; 0 means one that was never seen before.
  std::uint64_t lease(const std::string& key, std::uint64_t now_ms) const {
    const auto found = leases_.find(key);
    if (found == leases_.end() || now_ms - found->second.second >= 10'000) return 0;
    return found->second.first;
  }
  void granted(const std::string& key, std::uint64_t token, std::uint64_t now_ms) {
    leases_[key] = {token, now_ms};
  }

  PutOutcome put(const std::string& key, const std::string& value) {
    ++stats.cmd_set;
    leases_.erase(key);
    return store({key, value});
  }
  PutOutcome put(const std::string& key, const std::string& value, std::uint64_t token,
                 std::uint64_t now_ms) {
    ++stats.cmd_set;
    if (token == 0 || lease(key, now_ms) != token) {
      ++stats.lease_rejections;
      return PutOutcome::stale_lease;
    }
    leases_.erase(key);
    return store({key, value});
  }

  bool invalidate(const std::string& key) {
    ++stats.invalidations;
    leases_.erase(key);
    return erase(key);
  }
  void clear() {
    ++stats.clears;
    leases_.clear();
    items_.clear();
  }

  void configure(Configuration configuration) {
    if (configuration.replacement == Replacement::random) order_known_ = false;
    stats.capacity_bytes = configuration.capacity_bytes;
    protected_key_.clear();
  }

  // Evicts, and compares with what is cached.
  void settle(const std::vector<CachedKey>& cached) {
    std::set<std::string> present;
    for (const CachedKey& item : cached) present.insert(item.key);
    std::uint64_t largest_victim = 0;
    while (bytes() > stats.capacity_bytes || !order_known_) {
      auto victim = items_.begin();
      if (!order_known_) {
        victim = std::find_if(items_.begin(), items_.end(),
                              [&](const Item& item) { return !present.contains(item.key); });
        if (victim == items_.end()) break;
      }
      REQUIRE(victim->key != protected_key_);  // a put never evicts what it stores
      largest_victim = std::max(largest_victim, victim->charge());
      items_.erase(victim);
      ++stats.evictions;
    }
    // The last one to go was needed.
    if (largest_victim > 0) REQUIRE(bytes() + largest_victim > stats.capacity_bytes);
    protected_key_.clear();
    stats.bytes = bytes();
    stats.curr_items = items_.size();

    std::map<std::string, std::uint64_t> expected;
    for (const Item& item : items_) expected[item.key] = item.charge();
    std::map<std::string, std::uint64_t> actual;
    for (const CachedKey& item : cached) actual[item.key] = item.charge_bytes;
    REQUIRE(actual == expected);
  }

  Stats stats;

 private:
  std::vector<Item>::iterator position(const std::string& key) {
    return std::find_if(items_.begin(), items_.end(),
                        [&](const Item& item) { return item.key == key; });
  }
  bool erase(const std::string& key) {
    const auto found = position(key);
    if (found == items_.end()) return false;
    items_.erase(found);
    return true;
  }
  PutOutcome store(Item item) {
    erase(item.key);
    if (stats.capacity_bytes == 0) return PutOutcome::off;
    if (item.charge() > stats.capacity_bytes) {
      ++stats.too_large;
      return PutOutcome::too_large;
    }
    protected_key_ = item.key;
    items_.push_back(std::move(item));
    return PutOutcome::stored;
  }
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const Item& item : items_) sum += item.charge();
    return sum;
  }

  std::vector<Item> items_;  // least recently used first
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> leases_;  // token, granted_ms
  bool order_known_ = true;  // only Least Recently Used has been in force
  std::string protected_key_;
};

void check_equal(const Stats& actual, const Stats& expected) {
  REQUIRE(actual.curr_items == expected.curr_items);
  REQUIRE(actual.bytes == expected.bytes);
  REQUIRE(actual.capacity_bytes == expected.capacity_bytes);
  REQUIRE(actual.cmd_get == expected.cmd_get);
  REQUIRE(actual.get_hits == expected.get_hits);
  REQUIRE(actual.get_misses == expected.get_misses);
  REQUIRE(actual.cmd_set == expected.cmd_set);
  REQUIRE(actual.evictions == expected.evictions);
  REQUIRE(actual.invalidations == expected.invalidations);
  REQUIRE(actual.clears == expected.clears);
  REQUIRE(actual.lease_rejections == expected.lease_rejections);
  REQUIRE(actual.too_large == expected.too_large);
}

// 20,000 random operations on some 40 keys, everything compared after each.
void compare_with_model(std::uint64_t seed, const std::vector<Replacement>& policies) {
  Random random(seed);
  const Configuration initial{20'000, policies.front()};
  Cache cache(initial, Random(random.next()));
  Model model(initial);
  std::uint64_t now_ms = random.below(1'000'000);
  std::vector<std::pair<std::string, std::uint64_t>> held;  // leases of readers still fetching
  std::set<std::uint64_t> tokens_seen;

  for (int step = 0; step < 20'000; ++step) {
    INFO("step " << step);
    now_ms += random.below(200);
    const std::string key(1 + random.below(4), static_cast<char>('a' + random.below(10)));
    // Mostly small, sometimes more than the whole cache.
    const std::size_t value_bytes = random.below(random.below(20) == 0 ? 30'000 : 2'000);
    const std::string value(value_bytes, static_cast<char>('!' + step % 90));

    const std::uint64_t dice = random.below(1000);
    if (dice < 450) {
      const Lookup lookup = cache.get(key, now_ms);
      ++model.stats.cmd_get;
      const Model::Item* item = model.find(key);
      REQUIRE(lookup.hit == (item != nullptr));
      if (item) {
        ++model.stats.get_hits;
        REQUIRE(lookup.blob.view() == item->value);
        REQUIRE(lookup.lease == 0);
        model.use(key);
      } else {
        ++model.stats.get_misses;
        const std::uint64_t good = model.lease(key, now_ms);
        if (good != 0) {
          REQUIRE(lookup.lease == good);
        } else {
          REQUIRE(lookup.lease != 0);
          REQUIRE(tokens_seen.insert(lookup.lease).second);
          model.granted(key, lookup.lease, now_ms);
        }
        held.emplace_back(key, lookup.lease);
      }
    } else if (dice < 600) {
      REQUIRE(cache.put(key, Blob::copy_of(value)) == model.put(key, value));
    } else if (dice < 850 && !held.empty()) {
      // Any reader's fill, so that they land late and out of order.
      const std::size_t reader = random.below(held.size());
      const auto [fill_key, token] = held[reader];
      if (random.below(4) != 0) held.erase(held.begin() + static_cast<std::ptrdiff_t>(reader));
      REQUIRE(cache.put(fill_key, Blob::copy_of(value), token, now_ms) ==
              model.put(fill_key, value, token, now_ms));
    } else if (dice < 860) {
      const std::uint64_t token = random.below(3) == 0 ? 0 : random.next();
      REQUIRE(cache.put(key, Blob::copy_of(value), token, now_ms) ==
              model.put(key, value, token, now_ms));
    } else if (dice < 980) {
      REQUIRE(cache.invalidate(key) == model.invalidate(key));
    } else if (dice < 983) {
      cache.clear();
      model.clear();
    } else {
      const Configuration next{random.below(6) == 0 ? 0 : random.below(40'000),
                               policies[random.below(policies.size())]};
      cache.configure(next);
      model.configure(next);
      REQUIRE(cache.configuration() == next);
    }

    model.settle(cache.keys("", everything));
    check_equal(cache.stats(), model.stats);
    REQUIRE(cache.stats().bytes == sum_of_charges(cache));
    REQUIRE(cache.stats().bytes <= cache.stats().capacity_bytes);
  }
  CHECK(cache.stats().get_hits > 500);
  CHECK(cache.stats().evictions > 500);
  CHECK(cache.stats().lease_rejections > 500);
}

TEST_CASE("random operations agree with the model under Least Recently Used") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  compare_with_model(seed, {Replacement::lru});
}

TEST_CASE("random operations agree with the model under Random Replacement") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  compare_with_model(seed, {Replacement::random});
}

TEST_CASE("random operations agree with the model while the policy changes") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  compare_with_model(seed, {Replacement::random, Replacement::lru});
}

TEST_CASE("a hundred thousand entries come and go, and the sums return to zero") {
  for (const Replacement replacement : {Replacement::lru, Replacement::random}) {
    CAPTURE(to_string(replacement));
    Cache cache({8 * 1'048'576, replacement});
    for (int i = 0; i < 100'000; ++i) cache.put(std::to_string(i), blob_of(64));
    CHECK(cache.stats().curr_items + cache.stats().evictions == 100'000);
    CHECK(cache.stats().curr_items > 40'000);
    CHECK(cache.stats().bytes == sum_of_charges(cache));
    for (int i = 0; i < 100'000; ++i) cache.invalidate(std::to_string(i));
    CHECK(cache.stats().curr_items == 0);
    CHECK(cache.stats().bytes == 0);
  }
}

// Keys of 48 bytes that are one for libstdc++'s hash of strings, which is MurmurHash64A
// with a known seed: three pairs of words, each of which leads to the same state.
std::vector<std::string> keys_that_collide(std::size_t pairs) {
  constexpr std::uint64_t multiplier = 0xc6a4a7935bd1e995;
  std::uint64_t inverse = 1;
  for (int i = 0; i < 6; ++i) inverse *= 2 - multiplier * inverse;  // Newton, modulo 2^64
  const auto shift_mix = [](std::uint64_t value) { return value ^ (value >> 47); };
  const auto mix = [&](std::uint64_t word) { return shift_mix(word * multiplier) * multiplier; };
  const auto unmix = [&](std::uint64_t mixed) { return shift_mix(mixed * inverse) * inverse; };
  Random random(1);
  std::vector<std::string> keys{""};
  std::uint64_t state = 0xc70f6907 ^ (48 * multiplier);
  for (int block = 0; block < 3; ++block) {
    const std::uint64_t next = random.next();
    std::vector<std::string> longer;
    for (std::size_t i = 0; i < pairs; ++i) {
      std::uint64_t words[2] = {random.next(), 0};
      const std::uint64_t between = (state ^ mix(words[0])) * multiplier;
      words[1] = unmix(between ^ (next * inverse));
      for (const std::string& key : keys)
        longer.push_back(key + std::string(reinterpret_cast<const char*>(words), sizeof words));
    }
    keys = std::move(longer);
    state = next;
  }
  return keys;
}

TEST_CASE("bug: keys that were made to collide ended the process") {
  const std::vector<std::string> keys = keys_that_collide(21);
  const std::hash<std::string> standard;
  REQUIRE(standard(keys.front()) == standard(keys.back()));
  CHECK(table_hash(keys.front()) != table_hash(keys.back()));
  Cache cache(Configuration{});
  for (const std::string& key : keys)
    cache.put(key, Blob::copy_of("x"), cache.get(key, 0).lease, 0);
  CHECK(cache.stats().curr_items == keys.size());
}

}  // namespace
}  // namespace imgcached::cache
