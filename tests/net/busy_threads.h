// Keeps every thread of libuv's pool busy, so that whatever else is queued waits.
#pragma once

#include <doctest/doctest.h>

#include <future>

#include "base/gate.h"
#include "net/offload.h"

namespace imgcached::test {

class BusyThreads {
 public:
  explicit BusyThreads(net::Loop& loop) {
    for (int i = 0; i < 128; ++i) gate_.spawn(occupy(loop, go_));
  }

  // The threads go on; the loop has to turn until none is busy any more.
  void free() { promise_.set_value(); }
  bool any() const { return gate_.running() > 0; }

 private:
  static Task<void> occupy(net::Loop& loop, std::shared_future<void> go) {
    auto job = [&go]() -> Result<void> {
      go.wait();
      return {};
    };
    Result<void> done = co_await net::offload(loop, job);
    CHECK(done.ok());
  }

  std::promise<void> promise_;
  std::shared_future<void> go_ = promise_.get_future().share();
  Gate gate_;
};

}  // namespace imgcached::test
