// EvictionPolicy: which entry of a full cache has to go.
//
// Two policies, every operation of both O(1):
//
//  * Least Recently Used keeps the entries in a ring, the latest used first.
//    A touch moves an entry to the front; the victim is the one at the back.
//  * Random Replacement keeps them in an array, in no order. The victim is a
//    uniformly random slot; the hole a removal leaves is filled with the last
//    entry. A touch costs nothing, which is the point of this policy.
//
// Both are intrusive: an entry derives from Hook, which holds its neighbours in
// the ring or its slot in the array, so a policy never searches and LRU never
// allocates. An entry is in at most one policy at a time, and must be removed
// from it before it is freed. The policy owns no entry.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace imgcached::cache {

enum class Replacement {
  lru,     // the entry not asked for the longest goes
  random,  // any entry goes, each as likely as the other
};

// "Least Recently Used" or "Random Replacement": the name people and the
// database see.
std::string_view to_string(Replacement);

// Understands both names and their short forms LRU, RR, lru and random;
// anything else is an invalid_argument that lists what is accepted.
Result<Replacement> parse_replacement(std::string_view text);

class EvictionPolicy {
 public:
  struct Hook {
    struct Links {
      Hook* newer;
      Hook* older;
    };
    union {
      Links links;         // while in Least Recently Used
      std::uint32_t slot;  // while in Random Replacement
    };
  };

  // `seed` decides the victims of Random Replacement.
  static std::unique_ptr<EvictionPolicy> make(Replacement, std::uint64_t seed);
  virtual ~EvictionPolicy() = default;

  // A new entry; it counts as just used. REQUIRES: in no policy.
  virtual void insert(Hook&) = 0;
  // The entry was asked for. REQUIRES: in this policy, here and below.
  virtual void touch(Hook&) = 0;
  virtual void remove(Hook&) = 0;
  // The entry that should go next; it stays until removed. Random Replacement
  // draws anew at each call. REQUIRES: the policy has an entry.
  virtual Hook& victim() = 0;
};

}  // namespace imgcached::cache
