#include "tools/loadgen/image_check.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/e2e/test_images.h"
#include "tests/loadgen/image_directory.h"

namespace imgcached::loadgen {
namespace {

constexpr Version stamped{0x1234'5678'9abc'def0, 77};

std::string whole_image(const ImageSet& images, std::uint64_t key, Version of = stamped) {
  const ImageSet::Pieces pieces = images.image(key, of);
  return std::string(pieces.front).append(pieces.stamp).append(pieces.back);
}

ImageSet generated(std::uint64_t bytes, std::uint64_t seed = 1) {
  return ImageSet::generated({Sizes::Kind::fixed, bytes, 1}, seed);
}

ImageCheck::Verdict verdict(const ImageSet& images, std::uint64_t key, std::string_view bytes) {
  ImageCheck check(images, key);
  check.add(bytes);
  return check.finish();
}

// The images of all types, of one key each.
struct RealImages {
  ImageSet images;
  std::map<std::string, std::uint64_t> key_of;  // by content type
};
RealImages real_images() {
  ImageDirectory directory;
  std::map<std::size_t, std::string> type_of;  // by the size of the file
  for (const e2e::Sample& sample : e2e::samples()) {
    directory.add(sample.bytes);
    CHECK(type_of.emplace(sample.bytes.size(), sample.content_type).second);
  }
  RealImages result{*ImageSet::from_directory(directory.path(), 1), {}};
  for (std::uint64_t key = 0; result.key_of.size() < type_of.size(); ++key) {
    const ImageSet::Pieces pieces = result.images.image(key, stamped);
    result.key_of.emplace(type_of.at(pieces.front.size() + pieces.back.size()), key);
  }
  return result;
}

// Everything that can be told of one key's image: it is intact in any pieces, and
// not when anything is different.
void check_thoroughly(const ImageSet& images, std::uint64_t key) {
  const std::string right = whole_image(images, key);

  for (std::size_t split = 0; split <= right.size(); ++split) {
    ImageCheck check(images, key);
    check.add(std::string_view(right).substr(0, split));
    check.add(std::string_view(right).substr(split));
    if (check.finish() != ImageCheck::Verdict::intact || !(check.version() == stamped)) {
      FAIL("split at " << split);
    }
  }
  ImageCheck bytewise(images, key);
  for (const char& byte : right) bytewise.add({&byte, 1});
  CHECK(bytewise.finish() == ImageCheck::Verdict::intact);
  CHECK(bytewise.version() == stamped);

  Random random(5);
  std::string wrong = right;
  for (std::size_t at = 0; at < right.size(); ++at) {
    for (const int change : {1, 128, static_cast<int>(1 + random.below(255))}) {
      wrong[at] = static_cast<char>(right[at] ^ change);
      if (verdict(images, key, wrong) != ImageCheck::Verdict::corrupt)
        FAIL("byte " << at << " ^ " << change);
    }
    wrong[at] = right[at];
  }
  for (std::size_t bytes = 0; bytes < right.size(); ++bytes) {
    if (verdict(images, key, std::string_view(right).substr(0, bytes)) !=
        ImageCheck::Verdict::corrupt) {
      FAIL("cut to " << bytes);
    }
    if (verdict(images, key, std::string_view(right).substr(right.size() - bytes)) !=
        ImageCheck::Verdict::corrupt) {
      FAIL("the last " << bytes);
    }
    if (verdict(images, key, std::string(right).erase(bytes, 1)) != ImageCheck::Verdict::corrupt) {
      FAIL("without byte " << bytes);
    }
  }
  CHECK(verdict(images, key, right + '\0') == ImageCheck::Verdict::corrupt);
  CHECK(verdict(images, key, right + right) == ImageCheck::Verdict::corrupt);
  CHECK(verdict(images, key, whole_image(images, key + 1)) == ImageCheck::Verdict::corrupt);
}

TEST_CASE("a generated image is intact in any pieces, and corrupt by any byte") {
  check_thoroughly(generated(700), 3);
}

TEST_CASE("a real image of every type is intact in any pieces, and corrupt by any byte") {
  const RealImages real = real_images();
  for (const auto& [type, key] : real.key_of) {
    CAPTURE(type);
    check_thoroughly(real.images, key);
  }
}

TEST_CASE("a large image is checked to its last byte, in random pieces") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  const ImageSet images = ImageSet::generated(*Sizes::parse("lognormal:64KiB"), 8);
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t key = random.below(1'000'000);
    const Version of{random.next(), random.next()};
    std::string bytes = whole_image(images, key, of);
    const bool corrupts = random.below(2) == 0;
    if (corrupts) bytes[random.below(bytes.size())] ^= static_cast<char>(1 + random.below(255));
    ImageCheck check(images, key);
    const std::uint64_t piece_max = std::uint64_t{1} << (4 + random.below(14));
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::string_view piece = rest.substr(0, random.below(piece_max));
      check.add(piece);
      rest.remove_prefix(piece.size());
    }
    CHECK(check.finish() ==
          (corrupts ? ImageCheck::Verdict::corrupt : ImageCheck::Verdict::intact));
    if (!corrupts) CHECK(check.version() == of);
  }
}

TEST_CASE("nothing at all is corrupt") {
  const ImageSet images = generated(700);
  ImageCheck check(images, 1);
  CHECK(check.finish() == ImageCheck::Verdict::corrupt);
}

TEST_CASE("the image of another key is corrupt, though it is intact itself") {
  const ImageSet images = generated(700);
  for (std::uint64_t key = 1; key < 200; ++key) {
    CHECK(verdict(images, 0, whole_image(images, key)) == ImageCheck::Verdict::corrupt);
  }
}

TEST_CASE("one version's stamp in another version's image passes for what it says") {
  // A template has the same bytes for all versions: the stamp is all there is to tell them by.
  const ImageSet images = generated(700);
  ImageCheck check(images, 4);
  const ImageSet::Pieces older = images.image(4, {1, 1});
  const ImageSet::Pieces newer = images.image(4, {1, 2});
  for (const std::string_view piece : {older.front, std::string_view(newer.stamp), older.back}) {
    check.add(piece);
  }
  CHECK(check.finish() == ImageCheck::Verdict::intact);
  CHECK(check.version() == Version{1, 2});
}

TEST_CASE("an image of a store filled with other flags is foreign") {
  const ImageSet images = generated(700);
  const ImageSet other_seed = generated(700, 2);
  const ImageSet other_size = generated(15'000);
  const RealImages real = real_images();

  CHECK(verdict(images, 3, whole_image(other_seed, 3)) == ImageCheck::Verdict::foreign);
  CHECK(verdict(images, 3, whole_image(other_size, 3)) == ImageCheck::Verdict::foreign);
  CHECK(verdict(other_size, 3, whole_image(images, 3)) == ImageCheck::Verdict::foreign);
  for (const auto& [type, key] : real.key_of) {
    CAPTURE(type);
    // Whichever type the key has in one workload and in the other.
    CHECK(verdict(images, key, whole_image(real.images, key)) == ImageCheck::Verdict::foreign);
    CHECK(verdict(real.images, key, whole_image(images, key)) == ImageCheck::Verdict::foreign);
  }
}

TEST_CASE("a foreign image is recognised in any pieces") {
  const ImageSet images = generated(700);
  const RealImages real = real_images();
  for (const auto& [type, key] : real.key_of) {
    CAPTURE(type);
    const std::string foreign = whole_image(real.images, key);
    for (std::size_t split = 0; split <= foreign.size(); ++split) {
      ImageCheck check(images, key);
      check.add(std::string_view(foreign).substr(0, split));
      check.add(std::string_view(foreign).substr(split));
      if (check.finish() != ImageCheck::Verdict::foreign) FAIL("split at " << split);
    }
    ImageCheck bytewise(images, key);
    for (const char& byte : foreign) bytewise.add({&byte, 1});
    CHECK(bytewise.finish() == ImageCheck::Verdict::foreign);
  }
}

TEST_CASE("a foreign image with a damaged stamp, or of another key, is corrupt") {
  const ImageSet images = generated(700);
  const ImageSet other = generated(700, 2);
  std::string foreign = whole_image(other, 3);
  CHECK(verdict(images, 4, foreign) == ImageCheck::Verdict::corrupt);
  const ImageSet::Pieces pieces = other.image(3, stamped);
  for (std::size_t at = pieces.front.size(); at < pieces.front.size() + pieces.stamp.size(); ++at) {
    foreign[at] ^= 1;
    CHECK(verdict(images, 3, foreign) == ImageCheck::Verdict::corrupt);
    foreign[at] ^= 1;
  }
}

TEST_CASE("what is no image of the generator is corrupt") {
  const ImageSet images = generated(700);
  for (const e2e::Sample& sample : e2e::samples()) {
    CHECK(verdict(images, 1, sample.bytes) == ImageCheck::Verdict::corrupt);
  }
  CHECK(verdict(images, 1, std::string(700, '\0')) == ImageCheck::Verdict::corrupt);
  CHECK(verdict(images, 1, e2e::png(700, 1)) == ImageCheck::Verdict::corrupt);
}

}  // namespace
}  // namespace imgcached::loadgen
