// TextBuffer: text that grows at its end, for what is written for every message.
//
// As std::string, but appending several pieces asks once whether there is room, and is
// inlined: a head is made of some forty short pieces, for which libstdc++ spends more on
// the calls than on the bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace imgcached::http {

class TextBuffer {
 public:
  TextBuffer() = default;
  explicit TextBuffer(std::size_t capacity) { grow(capacity); }
  TextBuffer(const TextBuffer& other) { append(other.view()); }
  TextBuffer(TextBuffer&& other) noexcept
      : bytes_(std::move(other.bytes_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  TextBuffer& operator=(TextBuffer other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~TextBuffer() = default;

  // The pieces may not point into this text.
  template <class... Piece>
  void append(const Piece&... piece) {
    append_views(std::string_view(piece)...);
  }
  // Room for so many bytes at the end, for whoever makes them in place.
  char* extend(std::size_t more) {
    if (more > capacity_ - size_) grow(size_ + more);
    return bytes_.get() + std::exchange(size_, size_ + more);
  }
  void reserve(std::size_t capacity) {
    if (capacity > capacity_) grow(capacity);
  }
  // Keeps the memory.
  void clear() { size_ = 0; }

  std::string_view view() const { return {bytes_.get(), size_}; }
  char* data() { return bytes_.get(); }
  const char* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }

 private:
  template <class... View>
  void append_views(View... view) {
    char* out = extend((view.size() + ... + 0));
    ((out = std::copy_n(view.data(), view.size(), out)), ...);
  }
  void grow(std::size_t least) {
    constexpr std::size_t capacity_min = 256;  // enough for most heads
    const std::size_t capacity = std::max({least, 2 * capacity_, capacity_min});
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
    std::copy_n(bytes_.get(), size_, bytes.get());
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace imgcached::http
