// Cache: the images in memory, bounded in bytes.
//
// The model: a hash index from key to entry, an eviction policy that knows
// which entry goes next, and a lease table that keeps outdated fills out. An
// entry is one allocation, the struct with its key's bytes behind it, and holds
// the image as a Blob, so an entry may be evicted while its bytes are on their
// way to a socket.
//
//     index ──> Entry { policy hook | Blob ──> bytes | key length } key bytes
//
// What an entry costs is its charge: key, value and bookkeeping. Invariants,
// after every call:
//  * stats().bytes is the sum of the charges, and at most the capacity.
//  * A key whose newest put or invalidation came through here is never answered
//    with anything older.
//
// get, put and invalidate are O(1), amortised over the growth of the index,
// plus one step for each entry evicted; clear frees nothing itself. Pure and synchronous: no I/O,
// no clock, no lock: CacheService has it.
//
// Keys are 1 to 255 bytes to every caller (the services check that); here any
// key that is not empty will do. Times are monotonic_ms() of base/clock.h.
#pragma once

#include <tsl/robin_set.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob.h"
#include "base/random.h"
#include "cache/eviction_policy.h"
#include "cache/lease_table.h"

namespace imgcached::cache {

struct Configuration {
  std::uint64_t capacity_bytes = 100 * 1'048'576;  // 0 turns caching off
  Replacement replacement = Replacement::lru;

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// In memcached's words. The first five are of this moment, the others count
// since the cache was made; nothing sets those back.
struct Stats {
  // Of the machine that the cache is on: no cache there can be larger. For CacheService to
  // fill in; 0 where it is not known.
  std::uint64_t machine_memory_bytes = 0;
  std::uint64_t curr_items = 0;
  std::uint64_t bytes = 0;  // the sum of all charges
  std::uint64_t capacity_bytes = 0;
  Replacement replacement = Replacement::lru;
  std::uint64_t cmd_get = 0;  // get_hits + get_misses
  std::uint64_t get_hits = 0;
  std::uint64_t get_misses = 0;
  std::uint64_t cmd_set = 0;           // puts, whatever became of them
  std::uint64_t evictions = 0;         // entries that went to make room
  std::uint64_t invalidations = 0;     // calls, also of keys that were not cached
  std::uint64_t clears = 0;            // calls
  std::uint64_t lease_rejections = 0;  // puts dropped because their lease was void
  std::uint64_t too_large = 0;         // puts of what can never fit
};

struct Lookup {
  bool hit = false;
  Blob blob;                // on a hit
  std::uint64_t lease = 0;  // on a miss; never 0 then
};

enum class PutOutcome {
  stored,
  too_large,    // its charge exceeds the whole capacity
  stale_lease,  // the image may be outdated; what was cached stays
  off,          // the capacity is 0
};

struct CachedKey {
  std::string key;
  std::uint64_t value_bytes;
  std::uint64_t charge_bytes;
};

class Cache {
 public:
  // What an entry costs beyond the bytes of its key and value:
  //   32  the Entry: the policy's hook 16, the Blob 8, the key's length 4, padding 4
  //   32  Blob::overhead_bytes()
  //   24  the index: slots of 16 bytes, from 45 % full (just doubled) to 90 %;
  //       over that range 1 1/2 slots an entry on average
  //    8  the slot of Random Replacement
  // cache.cc asserts the sum. The allocator's headers and rounding are not in it,
  // with glibc some 30 bytes: 3 % for images of 1 KB, 0.2 % for 15 KB.
  static constexpr std::uint64_t entry_overhead_bytes = 96;

  static constexpr std::uint64_t charge_of(std::size_t key_bytes, std::size_t value_bytes) {
    return key_bytes + value_bytes + entry_overhead_bytes;
  }

  // `random` seeds the lease tokens and the victims of Random Replacement; only
  // tests have a reason to pass one.
  explicit Cache(Configuration configuration = {}, Random random = Random::from_os());
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  ~Cache();

  // A hit counts as a use. A miss hands out a lease, with which the caller may
  // put what it fetches; also at capacity 0, since a shared fetch needs it.
  Lookup get(std::string_view key, std::uint64_t now_ms);

  // Stores or replaces. What it replaces goes, even when the new image does not
  // fit, for it is outdated. Voids the key's lease: a fill that began before
  // must not overwrite this one. REQUIRES: the key is not empty.
  PutOutcome put(std::string_view key, Blob blob);
  // The same, but only with the good lease of an earlier get, which it uses up;
  // otherwise it changes nothing.
  PutOutcome put(std::string_view key, Blob blob, std::uint64_t lease, std::uint64_t now_ms);

  // Afterwards the key is not cached, and no fill that began before can bring it
  // back. Returns whether it was cached.
  bool invalidate(std::string_view key);
  // The same for every key. What was cached is freed with what is returned, which takes
  // as long as there are entries: a caller who holds a lock lets go of it first.
  class Remains;
  Remains clear();

  // A lower capacity evicts at once. A new policy keeps what is cached; Least
  // Recently Used then begins with an arbitrary order.
  void configure(Configuration);
  const Configuration& configuration() const { return configuration_; }

  // The first `limit` cached keys after `after`, sorted bytewise; "" is before
  // them all. Walks the whole cache, about 0.1 s for a million entries: for a
  // person who looks, not for a request path. No use in the policy's eyes.
  std::vector<CachedKey> keys(std::string_view after, std::size_t limit) const;

  // Whether the key is cached now. No use in the policy's eyes, and no request.
  bool contains(std::string_view key) const { return index_.contains(key); }

  const Stats& stats() const { return stats_; }

 private:
  struct Entry;
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const;
    std::size_t operator()(const Entry* entry) const;
  };
  struct KeyEqual {
    using is_transparent = void;
    bool operator()(std::string_view key, const Entry* entry) const;
    bool operator()(const Entry* entry, std::string_view key) const;
    bool operator()(const Entry* a, const Entry* b) const { return a == b; }
  };
  // Stores each hash in what would be padding: growing it reads no entry.
  using Index = tsl::robin_set<Entry*, KeyHash, KeyEqual, std::allocator<Entry*>, true>;
  static Index make_index();

  PutOutcome store(std::string_view key, Blob blob);
  bool remove(std::string_view key);
  void evict_down_to(std::uint64_t bytes);
  void unlink(Entry*);  // out of index, policy and sums, and frees it
  std::unique_ptr<EvictionPolicy> make_policy();

  Configuration configuration_;
  Random random_;
  Index index_;
  std::unique_ptr<EvictionPolicy> policy_;
  LeaseTable leases_;
  Stats stats_;
};

// Entries that are in no cache any more, freed with this.
class Cache::Remains {
 public:
  Remains(Index entries, std::unique_ptr<EvictionPolicy> policy);
  Remains(const Remains&) = delete;
  Remains& operator=(const Remains&) = delete;
  ~Remains();

 private:
  Index entries_;
  std::unique_ptr<EvictionPolicy> policy_;
};

}  // namespace imgcached::cache
