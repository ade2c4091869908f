// Ledger: what the store must hold, so that every read can be judged.
//
// The generator writes version after version of its keys, and keeps for each key
// the oldest version that may still be read: its floor. A read is judged by the
// floor at the moment it was sent.
//
// The rule for the floor, with several writes of a key under way at once: when a
// write is sent, every version older than the oldest one still under way has had
// its end. Once it is acknowledged it has replaced those, so none of them may
// come back; versions that were under way beside it may, for the store is free
// to carry them out in any order. A write whose outcome is unknown (no answer,
// or a 5xx) is no longer waited for, but may be carried out late, whatever has
// replaced it meanwhile: its version, and no other, may be read at any time. So
// it is with one that was sent twice, for the one answer says nothing of the
// other copy. Judged like this, no correct store is ever accused.
//
// Nothing is said of keys that this run has not written: a run that does not
// preload can't know what an earlier one left.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "tools/loadgen/image_set.h"

namespace imgcached::loadgen {

class Ledger {
 public:
  // `run` tells this run's versions from others'. `keys` is where it begins; new
  // keys are counted on from there.
  Ledger(std::uint64_t run, std::uint64_t keys);

  // Keys below this number may be read or overwritten.
  std::uint64_t keys() const { return keys_; }

  // A write, from the moment before it is sent until its end.
  struct Write {
    std::uint64_t key = 0;
    Version version;
    bool is_new = false;
    std::uint64_t oldest_under_way = 0;
  };
  Write begin_write(std::uint64_t key);
  // Of a key that nobody wrote yet; it joins keys() when it is acknowledged.
  Write begin_new();
  // `sent_twice`: one of its two copies is carried out, the other perhaps later.
  void acknowledged(const Write& write, bool sent_twice = false);
  // Certainly not carried out.
  void refused(const Write& write);
  // Perhaps carried out, perhaps later.
  void unknown(const Write& write);

  // Taken before the read is sent.
  struct Expectation {
    std::uint64_t floor = 0;  // 0: nothing is known
  };
  Expectation before_read(std::uint64_t key) const { return {records_[key].floor}; }

  enum class Verdict {
    right,
    stale,       // older than the floor
    lost,        // nothing, where there must be something
    impossible,  // a version that was never written
  };
  // Of a read that found `seen`, or nothing (404).
  Verdict judge(std::uint64_t key, const Expectation& expected, std::optional<Version> seen) const;

 private:
  struct Record {
    std::uint32_t floor = 0;
    std::uint32_t issued = 0;
  };

  void end(const Write& write);
  void may_return(const Write& write);

  std::uint64_t run_;
  std::uint64_t keys_;
  std::vector<Record> records_;
  // Versions without an end, of the keys that have such; rarely more than one.
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> under_way_;
  // Versions that may be read whatever the floor, of the keys that have such.
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> revenants_;
  // New keys that are not part of keys() yet: under way, to be tried again, or
  // waiting for one below them.
  std::vector<std::uint64_t> free_;
  std::vector<bool> exists_;  // from keys_ on
};

}  // namespace imgcached::loadgen
