#include "http/answer_budget.h"

#include <algorithm>
#include <cassert>
#include <tuple>
#include <utility>

#include "base/log.h"

namespace imgcached::http {

AnswerBudget::~AnswerBudget() { assert(in_flight_ == 0 && held_.empty()); }

bool AnswerBudget::Share::make(std::uint64_t bytes, std::uint64_t now_ms) {
  assert(!held_);
  set_own(bytes);
  budget_.make_room(*this, now_ms);
  const bool fits = budget_.in_flight_ <= budget_.bytes_max_ || budget_.in_flight_ == own_bytes_;
  if (!fits) set_own(0);
  return fits;
}

void AnswerBudget::Share::wait(const void* shared, std::uint64_t shared_bytes,
                               std::uint64_t own_bytes, std::uint64_t now_ms) {
  if (held_) return;
  set_own(own_bytes);
  held_ = shared ? shared : this;
  began_ms_ = now_ms;
  taken_ = 0;
  Held& held = budget_.held_[held_];
  if (held.readers.empty()) {
    held.bytes = shared_bytes;
    budget_.in_flight_ += shared_bytes;
  }
  held.readers.push_back(this);
  budget_.make_room(*this, now_ms);
}

void AnswerBudget::Share::release() {
  set_own(0);
  if (!held_) return;
  const auto entry = budget_.held_.find(std::exchange(held_, nullptr));
  std::erase(entry->second.readers, this);
  if (!entry->second.readers.empty()) return;
  budget_.in_flight_ -= entry->second.bytes;
  budget_.held_.erase(entry);
}

void AnswerBudget::Share::set_own(std::uint64_t bytes) {
  budget_.in_flight_ += bytes;
  budget_.in_flight_ -= std::exchange(own_bytes_, bytes);
}

std::uint64_t AnswerBudget::Share::bytes_per_second(std::uint64_t now_ms) const {
  const std::uint64_t elapsed_ms = std::max<std::uint64_t>(now_ms - began_ms_, 1'000);
  return std::max(taken_, head_start_bytes) * 1'000 / elapsed_ms;
}

void AnswerBudget::make_room(const Share& newest, std::uint64_t now_ms) {
  while (in_flight_ > bytes_max_ && !held_.empty()) {
    std::uint64_t with_newest = newest.own_bytes_;
    if (const auto mine = held_.find(newest.held_); mine != held_.end()) {
      with_newest = mine->second.bytes;
      for (const Share* reader : mine->second.readers) with_newest += reader->own_bytes_;
    }
    if (in_flight_ == with_newest) return;
    cut(slowest(now_ms), now_ms);
  }
}

// Each by its best reader.
AnswerBudget::Table::iterator AnswerBudget::slowest(std::uint64_t now_ms) {
  const auto rank = [&](const Held& held) {
    std::uint64_t pace = 0;
    std::uint64_t began_ms = 0;
    for (const Share* reader : held.readers) {
      pace = std::max(pace, reader->bytes_per_second(now_ms));
      began_ms = std::max(began_ms, reader->began_ms_);
    }
    return std::make_tuple(pace, began_ms);
  };
  auto found = held_.begin();
  auto lowest = rank(found->second);
  for (auto entry = std::next(found); entry != held_.end(); ++entry) {
    const auto other = rank(entry->second);
    if (other >= lowest) continue;
    lowest = other;
    found = entry;
  }
  return found;
}

// They count for nothing from now on, though their frames take until the end of the
// loop's turn to go.
void AnswerBudget::cut(Table::iterator held, std::uint64_t now_ms) {
  constexpr std::uint64_t log_interval_ms = 1'000;
  const std::vector<Share*> readers = held->second.readers;
  readers_cut_ += readers.size();
  if (now_ms >= quiet_until_ms_) {
    quiet_until_ms_ = now_ms + log_interval_ms;
    std::uint64_t pace = 0;
    for (const Share* reader : readers) pace = std::max(pace, reader->bytes_per_second(now_ms));
    log::warning(
        "slow_readers_cut server={} bytes_in_flight={} readers={} bytes_per_second={} "
        "cut_so_far={}",
        name_, in_flight_, readers.size(), pace, readers_cut_);
  }
  for (Share* reader : readers) {
    reader->release();
    reader->cut_(reader->argument_);
  }
}

}  // namespace imgcached::http
