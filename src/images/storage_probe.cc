#include "images/storage_probe.h"

#include "base/clock.h"

namespace imgcached::images {

StorageProbe::StorageProbe(net::Loop& loop, BlobStore& blobs, std::uint64_t interval_ms)
    : blobs_(blobs), interval_ms_(interval_ms), pause_(loop) {}

Task<Result<void>> StorageProbe::run() {
  if (next_) {
    Result<void> shared = co_await next_->wait();
    co_return shared;
  }
  Outcome outcome;
  next_ = &outcome;
  if (current_) {
    const Result<void> former = co_await current_->wait();  // says nothing about now
  }
  const std::uint64_t now_ms = monotonic_ms();
  if (now_ms < next_begin_ms_) co_await pause_.wait(next_begin_ms_ - now_ms);
  next_ = nullptr;
  current_ = &outcome;
  next_begin_ms_ = monotonic_ms() + interval_ms_;
  Result<void> probed = co_await blobs_.probe();
  current_ = nullptr;
  outcome.set(probed);
  co_return probed;
}

}  // namespace imgcached::images
