#include "base/frame_pool.h"

#include <array>
#include <new>

namespace imgcached {
namespace {

constexpr std::size_t granule = 64;
constexpr std::size_t sizes = 32;  // up to 2 KiB

struct Frame {
  Frame* next;
};

struct List {
  Frame* first;
  std::size_t length;
};

// Without constructor and destructor, so that they can be used until the thread is gone.
thread_local constinit std::array<List, sizes> lists = {};
thread_local constinit bool is_ending = false;

// Made with the first frame that is kept.
struct AtEnd {
  ~AtEnd() {
    is_ending = true;
    for (List& list : lists) {
      while (Frame* frame = list.first) {
        list.first = frame->next;
        ::operator delete(frame);
      }
      list.length = 0;
    }
  }
};

constexpr std::size_t index_of(std::size_t bytes) { return (bytes + granule - 1) / granule - 1; }
constexpr bool fits(std::size_t bytes) { return FramePool::is_pooling && index_of(bytes) < sizes; }

}  // namespace

void* FramePool::allocate(std::size_t bytes) {
  if (!fits(bytes)) return ::operator new(bytes);
  List& list = lists[index_of(bytes)];
  if (!list.first) return ::operator new((index_of(bytes) + 1) * granule);
  Frame* frame = list.first;
  list.first = frame->next;
  --list.length;
  return frame;
}

void FramePool::free(void* frame, std::size_t bytes) noexcept {
  if (!fits(bytes) || is_ending || lists[index_of(bytes)].length == kept_of_a_size_max) {
    ::operator delete(frame);
    return;
  }
  List& list = lists[index_of(bytes)];
  if (!list.first) {
    static thread_local AtEnd at_end;
    (void)at_end;
  }
  list.first = new (frame) Frame{list.first};
  ++list.length;
}

std::size_t FramePool::kept() {
  std::size_t frames = 0;
  for (const List& list : lists) frames += list.length;
  return frames;
}

}  // namespace imgcached
