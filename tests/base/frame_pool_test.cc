#include "base/frame_pool.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <thread>
#include <vector>

#include "base/task.h"

namespace imgcached {
namespace {

constexpr bool is_pooling = FramePool::is_pooling;

// In a thread of its own, whose pool is empty.
template <class Function>
void in_new_thread(Function function) {
  std::thread(function).join();
}

TEST_CASE("a frame is taken again by the next one of about its size") {
  in_new_thread([] {
    void* frame = FramePool::allocate(300);
    FramePool::free(frame, 300);
    CHECK(FramePool::kept() == (is_pooling ? 1 : 0));
    void* other = FramePool::allocate(310);
    if (is_pooling) CHECK(other == frame);
    CHECK(FramePool::kept() == 0);
    FramePool::free(other, 310);
  });
}

TEST_CASE("a frame is never given to one that is larger, nor to two") {
  in_new_thread([] {
    void* frame = FramePool::allocate(64);
    FramePool::free(frame, 64);
    void* larger = FramePool::allocate(65);
    CHECK(larger != frame);
    void* first = FramePool::allocate(1);
    void* second = FramePool::allocate(1);
    CHECK(first != second);
    FramePool::free(first, 1);
    FramePool::free(second, 1);
    FramePool::free(larger, 65);
  });
}

TEST_CASE("of each size a bounded number of frames is kept, and no large ones") {
  in_new_thread([] {
    std::vector<void*> frames;
    for (std::size_t i = 0; i < FramePool::kept_of_a_size_max + 5; ++i) {
      frames.push_back(FramePool::allocate(200));
    }
    for (void* frame : frames) FramePool::free(frame, 200);
    CHECK(FramePool::kept() == (is_pooling ? FramePool::kept_of_a_size_max : 0));
    const std::size_t before = FramePool::kept();
    FramePool::free(FramePool::allocate(100'000), 100'000);
    CHECK(FramePool::kept() == before);
  });
}

Task<int> number() { co_return 7; }
Task<void> root(int& out) { out = co_await number(); }

TEST_CASE("what one thread has allocated may end in another, and threads leave nothing behind") {
  void* frame = FramePool::allocate(128);
  in_new_thread([frame] { FramePool::free(frame, 128); });
  void* theirs = nullptr;
  in_new_thread([&theirs] { theirs = FramePool::allocate(128); });
  FramePool::free(theirs, 128);
}

TEST_CASE("tasks take their frames from the pool") {
  in_new_thread([] {
    int result = 0;
    const auto run = [&] {
      Task<void> task = root(result);
      auto awaiter = std::move(task).operator co_await();
      awaiter.await_suspend(std::noop_coroutine());
    };
    run();
    CHECK(result == 7);
    const std::size_t kept = FramePool::kept();
    CHECK(kept == (is_pooling ? 2 : 0));
    run();
    CHECK(FramePool::kept() == kept);
  });
}

}  // namespace
}  // namespace imgcached
