// BatchQueue: what costs nearly the same for many as for one, done for many at a
// time (group commit).
//
//   Item item{...};
//   const bool accepted = co_await queue.carry_out(item);   // item.result is there
//
// One batch is under way at a time; items that come meanwhile are the next one, in
// the order of their arrival. An item that finds nothing under way waits for the end
// of the loop's turn and no longer: for those that came in the same turn, never for
// company; or it starts at once. So batches grow by themselves to what comes in the
// time that one takes.
//
// An item lives in the frame of the one that awaits it. At most batch_max go into a
// batch, and at most waiting_max wait: beyond that they are refused.
#pragma once

#include <algorithm>
#include <cassert>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/gate.h"
#include "base/task.h"
#include "net/end_of_turn.h"

namespace imgcached::net {

// Counted since the start.
struct BatchStats {
  std::uint64_t batches = 0;
  std::uint64_t items = 0;    // in them
  std::uint64_t busy_ns = 0;  // spent on carrying them out, one after the other
};

// When an item is carried out that finds nothing under way.
enum class BatchStart {
  end_of_turn,  // with those that come in the same turn: they would wait for a whole batch else
  at_once,      // alone, with what it waits for going on while the turn does
};

struct BatchLimits {
  std::size_t batch_max = 64;
  // More than there can be connections, each of which waits for one item at a time:
  // as offload_jobs_max, it bounds a mistake.
  std::size_t waiting_max = 32'768;
};

template <class Item>
class BatchQueue {
 public:
  using Batch = std::vector<Item*>;  // in the order of arrival, never empty
  // Leaves in each item what came of it.
  using Work = std::function<Task<void>(Batch)>;

  BatchQueue(Loop& loop, Work work, BatchLimits limits = BatchLimits())
      : work_(std::move(work)), limits_(limits), end_of_turn_(loop) {}
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;
  ~BatchQueue() { assert(waiting_.empty()); }

  class CarryOut;
  // Awaits that the item has been carried out; false: refused, too many wait.
  // REQUIRES: the queue lives until then.
  CarryOut carry_out(Item& item, BatchStart start = BatchStart::end_of_turn) {
    return CarryOut(*this, item, start);
  }

  std::size_t waiting() const { return waiting_.size(); }
  const BatchStats& stats() const { return stats_; }

 private:
  struct Waiting {
    Item* item;
    std::coroutine_handle<> waiter;
  };

  Task<void> run(BatchStart start) {
    while (!waiting_.empty()) {
      if (start == BatchStart::end_of_turn) co_await end_of_turn_.wait();
      start = BatchStart::end_of_turn;
      const auto end = waiting_.begin() +
                       static_cast<std::ptrdiff_t>(std::min(waiting_.size(), limits_.batch_max));
      const std::vector<Waiting> taken(waiting_.begin(), end);
      waiting_.erase(waiting_.begin(), end);
      ++stats_.batches;
      stats_.items += taken.size();
      Batch batch;
      batch.reserve(taken.size());
      for (const Waiting& one : taken) batch.push_back(one.item);
      const std::uint64_t began_ns = monotonic_ns();
      Task<void> working = work_(std::move(batch));
      co_await std::move(working);
      stats_.busy_ns += monotonic_ns() - began_ns;
      for (const Waiting& one : taken) one.waiter.resume();
    }
    is_running_ = false;
  }

  const Work work_;
  const BatchLimits limits_;
  EndOfTurn end_of_turn_;
  std::vector<Waiting> waiting_;
  BatchStats stats_;
  bool is_running_ = false;
  Gate gate_;
};

template <class Item>
class BatchQueue<Item>::CarryOut {
 public:
  CarryOut(BatchQueue& queue, Item& item, BatchStart start)
      : queue_(queue), item_(item), start_(start) {}

  bool await_ready() {
    is_accepted_ = queue_.waiting_.size() < queue_.limits_.waiting_max;
    return !is_accepted_;
  }
  void await_suspend(std::coroutine_handle<> waiter) {
    queue_.waiting_.push_back({&item_, waiter});
    if (std::exchange(queue_.is_running_, true)) return;
    queue_.gate_.spawn(queue_.run(start_));
  }
  bool await_resume() const noexcept { return is_accepted_; }

 private:
  BatchQueue& queue_;
  Item& item_;
  const BatchStart start_;
  bool is_accepted_ = false;
};

}  // namespace imgcached::net
