#include "base/blob.h"

#include <sys/mman.h>
#include <xxhash.h>

#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>

#include "base/random.h"
#include "base/table_hash.h"

namespace imgcached {
namespace {

Digest from_xxh(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }

// Pages of their own for some bytes; null if the system gives none. They are made when
// they are first written, so that what was only announced costs nothing.
void* map_pages(std::size_t bytes) {
  void* pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

}  // namespace

void Digest::write_hex(char* out) const {
  // Both digits of each byte.
  static constexpr auto pairs = [] {
    constexpr char digits[] = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = {digits[i >> 4], digits[i & 15]};
    return table;
  }();
  for (const std::uint64_t half : {high, low}) {
    for (int shift = 56; shift >= 0; shift -= 8, out += 2) {
      std::memcpy(out, pairs[half >> shift & 0xff].data(), 2);
    }
  }
}

std::string Digest::hex() const {
  std::array<char, hex_digits> text;
  write_hex(text.data());
  return {text.data(), text.size()};
}

Digest digest_of(std::string_view bytes) {
  return from_xxh(XXH3_128bits(bytes.data(), bytes.size()));
}

struct DigestStream::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() { XXH3_128bits_reset(xxh); }
  ~State() { XXH3_freeState(xxh); }
};

DigestStream::DigestStream() : state_(std::make_unique<State>()) {}
DigestStream::DigestStream(DigestStream&&) noexcept = default;
DigestStream& DigestStream::operator=(DigestStream&&) noexcept = default;
DigestStream::~DigestStream() = default;

void DigestStream::update(std::string_view piece) {
  XXH3_128bits_update(state_->xxh, piece.data(), piece.size());
}

Digest DigestStream::finish() const { return from_xxh(XXH3_128bits_digest(state_->xxh)); }

Blob Blob::copy_of(std::string_view bytes) {
  BlobBuffer buffer(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return std::move(buffer).seal();
}

Digest Blob::digest() const {
  if (!storage_) return digest_of({});
  if (storage_->has_digest.load(std::memory_order_acquire)) {
    return {storage_->digest_high.load(std::memory_order_relaxed),
            storage_->digest_low.load(std::memory_order_relaxed)};
  }
  const Digest digest = digest_of(view());
  storage_->digest_high.store(digest.high, std::memory_order_relaxed);
  storage_->digest_low.store(digest.low, std::memory_order_relaxed);
  storage_->has_digest.store(true, std::memory_order_release);
  return digest;
}

// Holds no references. A count that has fallen to 0 never rises again, also while the
// last owner is on his way here to strike his bytes off: whoever finds them meanwhile
// puts others in their place.
class Blob::Registry {
 public:
  static Registry& of_process() {
    static Registry registry;
    return registry;
  }

  // What stands under the digest and is alive; if nothing does, `storage` from now on.
  Blob find_or_add(const Digest& digest, Storage* storage) {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_new] = blobs_.try_emplace(digest, storage);
    if (!is_new && revive(entry->second)) return Blob(entry->second);
    entry->second = storage;
    storage->is_interned.store(true, std::memory_order_release);
    return {};
  }

  void remove(const Digest& digest, const Storage* storage) {
    const std::lock_guard lock(mutex_);
    const auto entry = blobs_.find(digest);
    if (entry != blobs_.end() && entry->second == storage) blobs_.erase(entry);
  }

 private:
  struct Hash {
    std::size_t operator()(const Digest& digest) const { return digest.low; }
  };

  static bool revive(Storage* storage) {
    std::uint32_t count = storage->references.load(std::memory_order_relaxed);
    while (count > 0) {
      if (storage->references.compare_exchange_weak(count, count + 1, std::memory_order_acquire,
                                                    std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  std::mutex mutex_;
  std::unordered_map<Digest, Storage*, Hash> blobs_;
};

Blob Blob::intern(Blob blob) {
  if (blob.empty() || blob.storage_->is_interned.load(std::memory_order_acquire)) return blob;
  Blob alive = Registry::of_process().find_or_add(blob.digest(), blob.storage_);
  // A digest does not prove it: two images can be made to have the same one.
  const bool is_same = alive.storage_ && alive.view() == blob.view();
  return is_same ? alive : blob;
}

Blob::Storage* Blob::allocate(std::size_t size) {
  const std::size_t bytes = sizeof(Storage) + size;
  void* memory = size < mapped_bytes_min ? nullptr : map_pages(bytes);
  const bool is_mapped = memory != nullptr;
  if (!is_mapped) memory = ::operator new(bytes);
  auto* storage = new (memory) Storage;
  storage->is_mapped = is_mapped;
  storage->size = size;
  return storage;
}

void Blob::free(Storage* storage) {
  if (storage->is_interned.load(std::memory_order_relaxed)) {
    const Digest digest{storage->digest_high, storage->digest_low};
    Registry::of_process().remove(digest, storage);
  }
  const bool is_mapped = storage->is_mapped;
  const std::size_t bytes = sizeof(Storage) + storage->size;
  storage->~Storage();
  if (is_mapped) ::munmap(storage, bytes);
  else ::operator delete(storage);
}

// Here because this file is the one that knows xxHash.
std::size_t table_hash(std::string_view key) {
  static const std::uint64_t seed = Random::from_os().next();
  return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

}  // namespace imgcached
