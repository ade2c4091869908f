// FramePool: memory for coroutine frames.
//
// The requests of a connection run the same few coroutines again and again. So a frame
// that ends stays with its thread, in a list of those of about its size, for the next
// one to take: a few instructions instead of a hundred of malloc and free. Each list is
// bounded; what is over goes back to the heap, as does everything when the thread ends.
//
// With a sanitizer every frame is the heap's, so that a use after its end is found.
#pragma once

#include <cstddef>

namespace imgcached {

class FramePool {
 public:
  static void* allocate(std::size_t bytes);
  // REQUIRES: what allocate() has given for so many bytes, to whichever thread.
  static void free(void* frame, std::size_t bytes) noexcept;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr bool is_pooling = false;
#else
  static constexpr bool is_pooling = true;
#endif

  // Frames that the calling thread keeps for others.
  static std::size_t kept();

  static constexpr std::size_t kept_of_a_size_max = 16;
};

}  // namespace imgcached
