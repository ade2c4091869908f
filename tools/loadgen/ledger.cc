#include "tools/loadgen/ledger.h"

#include <algorithm>

namespace imgcached::loadgen {

Ledger::Ledger(std::uint64_t run, std::uint64_t keys) : run_(run), keys_(keys), records_(keys) {}

Ledger::Write Ledger::begin_write(std::uint64_t key) {
  Record& record = records_[key];
  const std::uint32_t number = ++record.issued;
  std::vector<std::uint32_t>& under_way = under_way_[key];
  under_way.push_back(number);  // in rising order
  return {key, {run_, number}, false, under_way.front()};
}

Ledger::Write Ledger::begin_new() {
  std::uint64_t key = records_.size();
  if (free_.empty()) {
    records_.emplace_back();
    exists_.push_back(false);
  } else {
    key = free_.back();
    free_.pop_back();
  }
  Write write = begin_write(key);
  write.is_new = true;
  return write;
}

void Ledger::end(const Write& write) {
  const auto entry = under_way_.find(write.key);
  std::erase(entry->second, static_cast<std::uint32_t>(write.version.number));
  if (entry->second.empty()) under_way_.erase(entry);
}

void Ledger::may_return(const Write& write) {
  revenants_[write.key].push_back(static_cast<std::uint32_t>(write.version.number));
}

void Ledger::acknowledged(const Write& write, bool sent_twice) {
  end(write);
  if (sent_twice) may_return(write);
  Record& record = records_[write.key];
  record.floor = std::max(record.floor, static_cast<std::uint32_t>(write.oldest_under_way));
  if (!write.is_new) return;
  exists_[write.key - keys_] = true;
  const auto gap = std::find(exists_.begin(), exists_.end(), false);
  keys_ += static_cast<std::uint64_t>(gap - exists_.begin());
  exists_.erase(exists_.begin(), gap);
}

void Ledger::refused(const Write& write) {
  end(write);
  if (write.is_new) free_.push_back(write.key);
}

void Ledger::unknown(const Write& write) {
  end(write);
  may_return(write);
  if (write.is_new) free_.push_back(write.key);
}

Ledger::Verdict Ledger::judge(std::uint64_t key, const Expectation& expected,
                              std::optional<Version> seen) const {
  if (!seen) return expected.floor > 0 ? Verdict::lost : Verdict::right;
  if (seen->run != run_) return expected.floor > 0 ? Verdict::stale : Verdict::right;
  if (seen->number < expected.floor) {
    const auto found = revenants_.find(key);
    const bool may_be = found != revenants_.end() &&
                        std::count(found->second.begin(), found->second.end(), seen->number);
    return may_be ? Verdict::right : Verdict::stale;
  }
  return seen->number > records_[key].issued ? Verdict::impossible : Verdict::right;
}

}  // namespace imgcached::loadgen
