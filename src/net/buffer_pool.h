// Read buffers, lent out by the loop only while there is something in them.
//
// Ten thousand idle connections should not hold ten thousand buffers. A
// ReadBuffer therefore owns no memory until libuv is about to read into it; it
// then borrows a 64 KiB slab from its loop's pool, and gives it back when its
// user has consumed everything and is about to wait.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace imgcached::net {

class BufferPool {
 public:
  static constexpr std::size_t slab_bytes = 64 * 1024;
  static constexpr std::size_t idle_slabs_max = 64;

  using Slab = std::unique_ptr<char[]>;

  Slab take() {
    if (idle_.empty()) return Slab(new char[slab_bytes]);
    Slab slab = std::move(idle_.back());
    idle_.pop_back();
    return slab;
  }
  void give_back(Slab slab) {
    if (idle_.size() < idle_slabs_max) idle_.push_back(std::move(slab));
  }

 private:
  std::vector<Slab> idle_;
};

// The bytes between begin and end of a slab have been read and not consumed.
class ReadBuffer {
 public:
  explicit ReadBuffer(BufferPool& pool) : pool_(pool) {}
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  ~ReadBuffer() { release(); }

  std::string_view unread() const { return {slab_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }

  void consume(std::size_t count) {
    assert(count <= end_ - begin_);
    begin_ += count;
  }
  // Gives the slab back. REQUIRES: nothing in it is needed any more.
  void release() {
    begin_ = end_ = 0;
    if (slab_) pool_.give_back(std::move(slab_));
  }

  // For the reader: room behind the unread bytes. REQUIRES: empty().
  std::pair<char*, std::size_t> room() {
    assert(empty());
    begin_ = end_ = 0;
    if (!slab_) slab_ = pool_.take();
    return {slab_.get(), BufferPool::slab_bytes};
  }
  void filled(std::size_t count) { end_ = count; }

 private:
  BufferPool& pool_;
  BufferPool::Slab slab_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace imgcached::net
