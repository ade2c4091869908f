#include "cache/lease_table.h"

#include <iterator>

#include "base/table_hash.h"

namespace imgcached::cache {
namespace {

std::size_t hash_of(std::string_view key) { return table_hash(key); }

}  // namespace

std::uint64_t LeaseTable::grant(std::string_view key, std::uint64_t now_ms) {
  while (!by_age_.empty() && expired(by_age_.front(), now_ms)) drop_oldest();

  const std::size_t key_hash = hash_of(key);
  if (const auto held = by_key_.find(key_hash); held != by_key_.end()) return held->second->token;

  if (by_age_.size() == leases_max) drop_oldest();
  if (next_token_ == 0) ++next_token_;
  by_age_.push_back({key_hash, next_token_++, now_ms});
  by_key_.emplace(key_hash, std::prev(by_age_.end()));
  return by_age_.back().token;
}

bool LeaseTable::use(std::string_view key, std::uint64_t token, std::uint64_t now_ms) {
  const auto held = by_key_.find(hash_of(key));
  if (held == by_key_.end() || held->second->token != token) return false;
  const bool good = !expired(*held->second, now_ms);
  by_age_.erase(held->second);
  by_key_.erase(held);
  return good;
}

void LeaseTable::invalidate(std::string_view key) {
  const auto held = by_key_.find(hash_of(key));
  if (held == by_key_.end()) return;
  by_age_.erase(held->second);
  by_key_.erase(held);
}

void LeaseTable::clear() {
  by_age_.clear();
  by_key_.clear();
}

void LeaseTable::drop_oldest() {
  by_key_.erase(by_age_.front().key_hash);
  by_age_.pop_front();
}

}  // namespace imgcached::cache
