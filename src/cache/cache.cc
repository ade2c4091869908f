#include "cache/cache.h"

#include "base/table_hash.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <utility>

namespace imgcached::cache {

// Its key's bytes follow it.
struct Cache::Entry : EvictionPolicy::Hook {
  Blob blob;
  std::uint32_t key_bytes;

  static Entry* make(std::string_view key, Blob blob) {
    assert(!key.empty() && key.size() <= std::numeric_limits<std::uint32_t>::max());
    auto* entry = new (::operator new(sizeof(Entry) + key.size())) Entry;
    entry->blob = std::move(blob);
    entry->key_bytes = static_cast<std::uint32_t>(key.size());
    std::memcpy(entry->key_data(), key.data(), key.size());
    return entry;
  }
  static void free(Entry* entry) {
    entry->~Entry();
    ::operator delete(entry);
  }

  char* key_data() { return reinterpret_cast<char*>(this + 1); }
  std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
  std::uint64_t charge() const { return charge_of(key_bytes, blob.size()); }
};

std::size_t Cache::KeyHash::operator()(std::string_view key) const { return table_hash(key); }
std::size_t Cache::KeyHash::operator()(const Entry* entry) const { return (*this)(entry->key()); }
bool Cache::KeyEqual::operator()(std::string_view key, const Entry* entry) const {
  return key == entry->key();
}
bool Cache::KeyEqual::operator()(const Entry* entry, std::string_view key) const {
  return key == entry->key();
}

Cache::Cache(Configuration configuration, Random random)
    : configuration_(configuration),
      random_(random),
      index_(make_index()),
      policy_(make_policy()),
      leases_(random_.next()) {
  using IndexSlot = tsl::detail_robin_hash::bucket_entry<Entry*, true>;
  static_assert(sizeof(Entry) + Blob::overhead_bytes() + sizeof(IndexSlot) * 3 / 2 +
                    sizeof(EvictionPolicy::Hook*) ==
                entry_overhead_bytes);
  stats_.capacity_bytes = configuration_.capacity_bytes;
  stats_.replacement = configuration_.replacement;
}

Cache::~Cache() {
  for (Entry* entry : index_) Entry::free(entry);
}

Cache::Index Cache::make_index() {
  Index index;
  index.max_load_factor(0.9f);
  // Lets the index shrink with the cache; 0.15 is the most the library allows.
  index.min_load_factor(0.15f);
  return index;
}

Lookup Cache::get(std::string_view key, std::uint64_t now_ms) {
  ++stats_.cmd_get;
  const auto found = index_.find(key);
  if (found == index_.end()) {
    ++stats_.get_misses;
    return {.hit = false, .blob = {}, .lease = leases_.grant(key, now_ms)};
  }
  ++stats_.get_hits;
  policy_->touch(**found);
  return {.hit = true, .blob = (*found)->blob, .lease = 0};
}

PutOutcome Cache::put(std::string_view key, Blob blob) {
  ++stats_.cmd_set;
  leases_.invalidate(key);
  return store(key, std::move(blob));
}

PutOutcome Cache::put(std::string_view key, Blob blob, std::uint64_t lease, std::uint64_t now_ms) {
  ++stats_.cmd_set;
  if (!leases_.use(key, lease, now_ms)) {
    ++stats_.lease_rejections;
    return PutOutcome::stale_lease;
  }
  return store(key, std::move(blob));
}

PutOutcome Cache::store(std::string_view key, Blob blob) {
  // First, so that its charge is neither counted beside the new one's nor taken
  // off twice by an eviction that picks the old entry.
  remove(key);
  if (configuration_.capacity_bytes == 0) return PutOutcome::off;
  const std::uint64_t charge = charge_of(key.size(), blob.size());
  if (charge > configuration_.capacity_bytes) {
    ++stats_.too_large;
    return PutOutcome::too_large;
  }
  evict_down_to(configuration_.capacity_bytes - charge);

  Entry* entry = Entry::make(key, std::move(blob));
  index_.insert(entry);
  policy_->insert(*entry);
  stats_.bytes += charge;
  ++stats_.curr_items;
  return PutOutcome::stored;
}

bool Cache::invalidate(std::string_view key) {
  ++stats_.invalidations;
  leases_.invalidate(key);
  return remove(key);
}

Cache::Remains Cache::clear() {
  ++stats_.clears;
  leases_.clear();
  stats_.bytes = 0;
  stats_.curr_items = 0;
  return {std::exchange(index_, make_index()), std::exchange(policy_, make_policy())};
}

Cache::Remains::Remains(Index entries, std::unique_ptr<EvictionPolicy> policy)
    : entries_(std::move(entries)), policy_(std::move(policy)) {}

Cache::Remains::~Remains() {
  for (Entry* entry : entries_) Entry::free(entry);
}

void Cache::configure(Configuration configuration) {
  const bool new_policy = configuration.replacement != configuration_.replacement;
  configuration_ = configuration;
  stats_.capacity_bytes = configuration.capacity_bytes;
  stats_.replacement = configuration.replacement;
  if (new_policy) {
    policy_ = make_policy();
    for (Entry* entry : index_) policy_->insert(*entry);
  }
  evict_down_to(configuration.capacity_bytes);
}

std::vector<CachedKey> Cache::keys(std::string_view after, std::size_t limit) const {
  if (limit == 0) return {};
  const auto by_key = [](const Entry* a, const Entry* b) { return a->key() < b->key(); };
  std::vector<const Entry*> first;  // a heap, the greatest of them on top
  for (const Entry* entry : index_) {
    if (entry->key() <= after) continue;
    if (first.size() == limit) {
      if (!by_key(entry, first.front())) continue;
      std::pop_heap(first.begin(), first.end(), by_key);
      first.pop_back();
    }
    first.push_back(entry);
    std::push_heap(first.begin(), first.end(), by_key);
  }
  std::sort_heap(first.begin(), first.end(), by_key);

  std::vector<CachedKey> page;
  page.reserve(first.size());
  for (const Entry* entry : first) {
    page.push_back({std::string(entry->key()), entry->blob.size(), entry->charge()});
  }
  return page;
}

bool Cache::remove(std::string_view key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return false;
  unlink(*found);
  return true;
}

void Cache::evict_down_to(std::uint64_t bytes) {
  while (stats_.bytes > bytes) {
    unlink(static_cast<Entry*>(&policy_->victim()));
    ++stats_.evictions;
  }
}

void Cache::unlink(Entry* entry) {
  index_.erase(entry->key());
  policy_->remove(*entry);
  stats_.bytes -= entry->charge();
  --stats_.curr_items;
  Entry::free(entry);
}

std::unique_ptr<EvictionPolicy> Cache::make_policy() {
  return EvictionPolicy::make(configuration_.replacement, random_.next());
}

}  // namespace imgcached::cache
