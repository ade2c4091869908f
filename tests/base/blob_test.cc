#include "base/blob.h"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"

namespace imgcached {
namespace {

std::string random_bytes(Random& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

TEST_CASE("copies of a blob share its bytes, which outlive the first of them") {
  Blob copy;
  const char* bytes = nullptr;
  {
    const Blob original = Blob::copy_of("immutable");
    copy = original;
    bytes = original.data();
  }
  CHECK(copy.data() == bytes);
  CHECK(copy.view() == "immutable");
}

TEST_CASE("a blob without bytes is empty and has the digest of nothing") {
  CHECK(Blob().empty());
  CHECK(Blob().view().empty());
  CHECK(Blob::copy_of("").empty());
  CHECK(Blob().digest() == digest_of(""));
  CHECK(Blob::copy_of("").digest() == digest_of(""));
}

TEST_CASE("a large blob has pages of its own") {
  for (const bool is_large : {false, true}) {
    const std::size_t size = Blob::mapped_bytes_min - (is_large ? 0 : 1);
    const std::string bytes(size, 'x');
    Blob blob = Blob::copy_of(bytes);
    CHECK(blob.is_mapped() == is_large);
    CHECK(blob.size() == size);
    CHECK((blob.view() == bytes));
    const Blob copy = blob;
    blob = Blob();
    CHECK((copy.view() == bytes));
  }
  CHECK_FALSE(Blob().is_mapped());
  const BlobBuffer unsealed(1 << 20);  // goes with its pages
}

TEST_CASE("a buffer is filled by its owner and then sealed") {
  BlobBuffer buffer(3);
  buffer.data()[0] = 'a';
  buffer.data()[1] = 'b';
  buffer.data()[2] = 'c';
  BlobBuffer moved = std::move(buffer);
  CHECK(std::move(moved).seal().view() == "abc");
}

TEST_CASE("assigning a blob to itself or over another one keeps the counts right") {
  Blob blob = Blob::copy_of("one");
  const Blob& same = blob;
  blob = same;
  CHECK(blob.view() == "one");
  blob = Blob::copy_of("two");
  CHECK(blob.view() == "two");
}

TEST_CASE("the digest of pieces is the digest of the whole, wherever it is cut") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  for (const std::size_t size : {0, 1, 16, 17, 240, 241, 1000, 70'000}) {
    CAPTURE(size);
    const std::string bytes = random_bytes(random, size);
    DigestStream stream;
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::string_view piece = rest.substr(0, 1 + random.below(rest.size()));
      stream.update(piece);
      rest.remove_prefix(piece.size());
    }
    CHECK(stream.finish() == digest_of(bytes));
    CHECK(Blob::copy_of(bytes).digest() == digest_of(bytes));
  }
}

TEST_CASE("a digest is written as 32 hexadecimal digits, and one changed bit changes it") {
  CHECK(Digest{0x0123456789abcdef, 0xf}.hex() == "0123456789abcdef000000000000000f");
  // XXH3_128bits of nothing, from the xxHash specification.
  CHECK(digest_of("").hex() == "99aa06d3014798d86001c324468d497f");
  CHECK_FALSE(digest_of("cat") == digest_of("car"));
}

TEST_CASE("threads share a blob and its digest") {
  const Blob blob = Blob::copy_of(std::string(100'000, 'x'));
  const Digest expected = digest_of(blob.view());
  std::vector<Digest> digests(4);
  std::vector<std::thread> threads;
  for (Digest& digest : digests) {
    threads.emplace_back([&digest, blob] {
      for (int i = 0; i < 1'000; ++i) {
        const Blob copy = blob;
        digest = copy.digest();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Digest& digest : digests) CHECK(digest == expected);
}

TEST_CASE("of interned blobs with the same bytes one is kept, as long as somebody has it") {
  const std::string bytes(1'000, 'i');
  Blob first = Blob::intern(Blob::copy_of(bytes));
  Blob second = Blob::intern(Blob::copy_of(bytes));
  CHECK(second.data() == first.data());
  CHECK(Blob::intern(first).data() == first.data());
  const Blob other = Blob::intern(Blob::copy_of(bytes + "!"));
  CHECK(other.view() == bytes + "!");

  first = Blob();
  CHECK(second.view() == bytes);
  CHECK(Blob::intern(Blob::copy_of(bytes)).data() == second.data());
  // When the last has gone, so is what was known of it.
  second = Blob();
  const Blob stranger = Blob::copy_of(bytes);
  CHECK(Blob::intern(stranger).data() == stranger.data());
  CHECK(Blob::intern(Blob()).empty());
}

TEST_CASE("threads intern the same bytes while others let go of them") {
  constexpr int rounds = 20'000;
  const std::string bytes[2] = {std::string(200, 'a'), std::string(200, 'b')};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        const std::string& wanted = bytes[i / 7 % 2];
        const Blob one = Blob::intern(Blob::copy_of(wanted));
        const Blob two = Blob::intern(Blob::copy_of(wanted));
        if (one.view() != wanted || two.data() != one.data()) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace imgcached
