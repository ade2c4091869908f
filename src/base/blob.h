// Blob: immutable bytes with a reference count; what an image is in memory.
//
// The same bytes travel from the file or the socket into the cache and out to
// any number of clients without being copied: whoever holds a Blob keeps the
// bytes alive, so evicting an entry in the middle of a write is harmless. The
// count is atomic, because several loops share what the cache holds.
//
// Bytes come to be in a BlobBuffer, which one owner fills, and are sealed into
// a Blob; after that nobody can change them.
//
// Content is named by its Digest (XXH3, 128 bits, by xxHash), from which ETags
// are made and damaged files are recognised. It is no defence against an
// attacker who constructs collisions; nothing here relies on that.
//
// Bytes that come again, from a file or over the wire, are another allocation. Where
// that matters they are interned: one registry of the process knows the interned Blobs
// that are alive, without keeping them so.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace imgcached {

// The 128-bit content hash of some bytes.
struct Digest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  friend bool operator==(const Digest&, const Digest&) = default;
  static constexpr std::size_t hex_digits = 32;
  // In lower case.
  std::string hex() const;
  void write_hex(char* out) const;
};

Digest digest_of(std::string_view bytes);

// Computes the Digest of bytes that come in pieces.
class DigestStream {
 public:
  DigestStream();
  DigestStream(DigestStream&&) noexcept;
  DigestStream& operator=(DigestStream&&) noexcept;
  ~DigestStream();

  void update(std::string_view piece);
  Digest finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Blob {
 public:
  Blob() = default;  // no bytes
  static Blob copy_of(std::string_view bytes);

  Blob(const Blob& other) : storage_(other.storage_) {
    if (storage_) storage_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Blob(Blob&& other) noexcept : storage_(std::exchange(other.storage_, nullptr)) {}
  Blob& operator=(Blob other) noexcept {
    std::swap(storage_, other.storage_);
    return *this;
  }
  ~Blob() { release(); }

  // Whether the bytes lie in pages of their own, which go back to the system with the
  // Blob instead of becoming other bytes: so a socket may read them for longer than the
  // Blob lives. From mapped_bytes_min on, if the system has pages to give.
  bool is_mapped() const { return storage_ && storage_->is_mapped; }
  static constexpr std::size_t mapped_bytes_min = 64 * 1024;

  const char* data() const { return storage_ ? storage_->bytes() : nullptr; }
  std::size_t size() const { return storage_ ? storage_->size : 0; }
  bool empty() const { return size() == 0; }
  std::string_view view() const { return {data(), size()}; }

  // Computed on first use and remembered. Any thread may call it: the digest is
  // a function of the bytes, so whoever comes first stores the same value.
  Digest digest() const;

  // What the bytes cost in memory beyond themselves.
  static constexpr std::size_t overhead_bytes() { return sizeof(Storage); }

  // The interned Blob with the same bytes, while one is alive; else this one, which is
  // interned from then on. Any thread may call it. Computes the digest, and compares the
  // bytes with those it finds. An interned Blob costs some 80 bytes more than it says.
  static Blob intern(Blob blob);

 private:
  friend class BlobBuffer;
  class Registry;

  // Stands directly in front of its bytes, in one allocation.
  struct Storage {
    std::atomic<std::uint32_t> references{1};
    std::atomic<bool> has_digest{false};
    bool is_mapped = false;
    std::atomic<bool> is_interned{false};
    std::size_t size = 0;
    std::atomic<std::uint64_t> digest_high{0};
    std::atomic<std::uint64_t> digest_low{0};

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
  };

  explicit Blob(Storage* storage) : storage_(storage) {}
  static Storage* allocate(std::size_t size);
  static void free(Storage* storage);
  void release() {
    if (storage_ && storage_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      free(storage_);
    }
  }

  Storage* storage_ = nullptr;
};

// Bytes being written, by one owner, before they become a Blob.
class BlobBuffer {
 public:
  explicit BlobBuffer(std::size_t size) : storage_(Blob::allocate(size)) {}
  BlobBuffer(BlobBuffer&& other) noexcept : storage_(std::exchange(other.storage_, nullptr)) {}
  BlobBuffer& operator=(BlobBuffer&& other) noexcept {
    std::swap(storage_, other.storage_);
    return *this;
  }
  ~BlobBuffer() {
    if (storage_) Blob::free(storage_);
  }

  char* data() { return storage_->bytes(); }
  std::size_t size() const { return storage_->size; }

  Blob seal() && { return Blob(std::exchange(storage_, nullptr)); }

 private:
  Blob::Storage* storage_;
};

}  // namespace imgcached
