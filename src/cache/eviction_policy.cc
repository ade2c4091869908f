#include "cache/eviction_policy.h"

#include <cassert>
#include <deque>
#include <limits>

#include "base/random.h"

namespace imgcached::cache {
namespace {

class LeastRecentlyUsed final : public EvictionPolicy {
 public:
  LeastRecentlyUsed() { ends_.links = {&ends_, &ends_}; }
  LeastRecentlyUsed(const LeastRecentlyUsed&) = delete;
  LeastRecentlyUsed& operator=(const LeastRecentlyUsed&) = delete;

  void insert(Hook& hook) override {
    Hook& newest = *ends_.links.older;
    hook.links = {&ends_, &newest};
    newest.links.newer = &hook;
    ends_.links.older = &hook;
  }

  void touch(Hook& hook) override {
    remove(hook);
    insert(hook);
  }

  void remove(Hook& hook) override {
    hook.links.newer->links.older = hook.links.older;
    hook.links.older->links.newer = hook.links.newer;
  }

  Hook& victim() override {
    assert(ends_.links.newer != &ends_);
    return *ends_.links.newer;
  }

 private:
  // Closes the ring: older than it is the newest entry, newer than it the oldest.
  Hook ends_;
};

class RandomReplacement final : public EvictionPolicy {
 public:
  explicit RandomReplacement(std::uint64_t seed) : random_(seed) {}

  void insert(Hook& hook) override {
    assert(slots_.size() < std::numeric_limits<std::uint32_t>::max());
    hook.slot = static_cast<std::uint32_t>(slots_.size());
    slots_.push_back(&hook);
  }

  void touch(Hook&) override {}

  void remove(Hook& hook) override {
    assert(hook.slot < slots_.size() && slots_[hook.slot] == &hook);
    Hook* last = slots_.back();
    slots_[hook.slot] = last;
    last->slot = hook.slot;
    slots_.pop_back();
  }

  Hook& victim() override { return *slots_[random_.below(slots_.size())]; }

 private:
  // A deque, for it grows and shrinks by blocks: a vector would double, which is
  // neither O(1) at that moment nor the 8 bytes an entry is charged for.
  std::deque<Hook*> slots_;
  Random random_;
};

}  // namespace

std::string_view to_string(Replacement replacement) {
  switch (replacement) {
    case Replacement::lru: return "Least Recently Used";
    case Replacement::random: return "Random Replacement";
  }
  return "unknown";
}

Result<Replacement> parse_replacement(std::string_view text) {
  if (text == to_string(Replacement::lru) || text == "LRU" || text == "lru") {
    return Replacement::lru;
  }
  if (text == to_string(Replacement::random) || text == "RR" || text == "random") {
    return Replacement::random;
  }
  return Error{Errc::invalid_argument,
               "unknown replacement policy; choose Least Recently Used (lru) or "
               "Random Replacement (random)"};
}

std::unique_ptr<EvictionPolicy> EvictionPolicy::make(Replacement replacement, std::uint64_t seed) {
  if (replacement == Replacement::lru) return std::make_unique<LeastRecentlyUsed>();
  return std::make_unique<RandomReplacement>(seed);
}

}  // namespace imgcached::cache
