// LeaseTable: who may fill the cache after a miss.
//
// A reader that misses fetches the image elsewhere and puts it into the cache.
// If the image is replaced in between, that put would bring the old image back,
// for good. So a miss hands out a lease, a token that says "this key has not
// been invalidated since"; an invalidation voids it, and a put whose token is
// void is dropped. (Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013,
// section 3.2.1.)
//
//     reader A                     cache                 writer B
//     get(k)  ---------------->  miss, token 7
//     reads the old file                                 commits the new image
//                                void 7  <-------------  invalidate(k)
//     put(k, old, 7)  -------->  dropped
//
// Invariants:
//  * Two misses on a key with no invalidation between them may get the same
//    token, and do so while it is good; with one between them they never do.
//    Readers that hold equal tokens may therefore share one fetch.
//  * A token is granted once and never becomes good again. The first one of a
//    process is random, so that those of a former process are void.
//  * A lease ends after lifetime_ms, when it is used, or when leases_max others
//    were granted after it and are good. Ending one is always safe: a put is
//    dropped, and the next reader fetches again.
//
// Keys are told apart by their 64-bit hash only, which bounds the memory to
// some 6 MB. Keys that collide share a lease: whatever voids the one voids the
// other, so that again only a put can be lost. Every operation is O(1),
// amortised. One owner; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string_view>
#include <unordered_map>

namespace imgcached::cache {

class LeaseTable {
 public:
  static constexpr std::size_t leases_max = 65'536;
  static constexpr std::uint64_t lifetime_ms = 10'000;

  // `first_token` should be random, see above; 0 is skipped.
  explicit LeaseTable(std::uint64_t first_token) : next_token_(first_token) {}

  // The token of the key's lease, which is granted now unless it has a good one.
  // Never 0. `now_ms` is monotonic_ms() of base/clock.h. A time before that of an earlier
  // call is no harm: a lease that was granted after it has not expired.
  std::uint64_t grant(std::string_view key, std::uint64_t now_ms);

  // Whether `token` is the key's good lease; if so, it ends here.
  bool use(std::string_view key, std::uint64_t token, std::uint64_t now_ms);

  void invalidate(std::string_view key);
  void clear();

  // Leases held, among them those that have expired since the last grant.
  std::size_t size() const { return by_age_.size(); }

 private:
  struct Lease {
    std::size_t key_hash;
    std::uint64_t token;
    std::uint64_t granted_ms;
  };

  static bool expired(const Lease& lease, std::uint64_t now_ms) {
    return now_ms >= lease.granted_ms + lifetime_ms;
  }
  void drop_oldest();

  // Oldest first. All live equally long, so this is also the order of expiry.
  std::list<Lease> by_age_;
  std::unordered_map<std::size_t, std::list<Lease>::iterator> by_key_;
  std::uint64_t next_token_;
};

}  // namespace imgcached::cache
