#include "tools/loadgen/image_set.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/test_images.h"
#include "tests/loadgen/image_directory.h"
#include "tests/loadgen/png_reader.h"

namespace imgcached::loadgen {
namespace {

std::string image(const ImageSet& images, std::uint64_t key, Version version = {1, 1}) {
  const ImageSet::Pieces pieces = images.image(key, version);
  return std::string(pieces.front).append(pieces.stamp).append(pieces.back);
}

Sizes sizes(std::string_view text) {
  Result<Sizes> parsed = Sizes::parse(text);
  REQUIRE_MESSAGE(parsed, text);
  return *parsed;
}

TEST_CASE("generated images are valid PNGs of exactly the size asked for") {
  for (const std::uint64_t bytes : {std::uint64_t{512}, std::uint64_t{513}, std::uint64_t{15'360},
                                    std::uint64_t{65'536}, std::uint64_t{200'000}}) {
    CAPTURE(bytes);
    const ImageSet images = ImageSet::generated({Sizes::Kind::fixed, bytes, 1}, 1);
    CHECK(images.mean_bytes() == static_cast<double>(bytes));
    for (std::uint64_t key = 0; key < 3; ++key) {
      CHECK(images.image_bytes(key) == bytes);
      const std::string png = image(images, key);
      CHECK(png.size() == bytes);
      check_paletted_png(png);
      CHECK(png_chunks(png)[2].type == "imGc");
    }
  }
}

TEST_CASE("the largest images are as many as the memory allows") {
  const ImageSet images = ImageSet::generated(sizes("32MiB"), 1);
  std::set<const char*> templates;
  for (std::uint64_t key = 0; key < 1'000; ++key) {
    const ImageSet::Pieces pieces = images.image(key, {1, 1});
    CHECK(pieces.front.size() + pieces.stamp.size() + pieces.back.size() == 32 << 20);
    templates.insert(pieces.front.data());
  }
  CHECK(templates.size() == ImageSet::templates_bytes_max / (32 << 20));
}

TEST_CASE("all keys and versions have images that differ") {
  const ImageSet images = ImageSet::generated(sizes("1KiB"), 1);
  std::set<std::string> seen;
  for (std::uint64_t key = 0; key < 200; ++key) {
    for (std::uint64_t run = 0; run < 3; ++run) {
      for (std::uint64_t number = 1; number <= 5; ++number) {
        CHECK(seen.insert(image(images, key, {run, number})).second);
      }
    }
  }
  CHECK(image(images, 7, {1, 2}) == image(images, 7, {1, 2}));
}

TEST_CASE("one sees another version by its colours") {
  const ImageSet images = ImageSet::generated(sizes("1KiB"), 1);
  constexpr int versions = 25;
  for (std::uint64_t key = 0; key < 20; ++key) {
    std::vector<std::array<double, 3>> means(versions);  // of red, green and blue
    for (int i = 0; i < versions; ++i) {
      const std::uint64_t number = i + 1;
      const std::string colours = png_chunks(image(images, key, {5, number}))[1].data;
      for (std::size_t at = 0; at < colours.size(); ++at) {
        means[i][at % 3] += static_cast<std::uint8_t>(colours[at]) * 3.0 / colours.size();
      }
    }
    // From each to its next five.
    for (int i = 0; i < versions; ++i) {
      for (int later = i + 1; later < std::min(i + 6, versions); ++later) {
        double distance = 0;
        for (int part = 0; part < 3; ++part) {
          distance += std::abs(means[i][part] - means[later][part]);
        }
        CAPTURE(key);
        CAPTURE(i);
        CAPTURE(later);
        CHECK(distance > 20);
      }
    }
  }
}

TEST_CASE("one seed gives the same images again, another seed or size others") {
  const ImageSet images = ImageSet::generated(sizes("lognormal:2KiB"), 1);
  const ImageSet again = ImageSet::generated(sizes("lognormal:2KiB"), 1);
  const ImageSet other_seed = ImageSet::generated(sizes("lognormal:2KiB"), 2);
  const ImageSet other_size = ImageSet::generated(sizes("lognormal:2049"), 1);
  const ImageSet other_sigma = ImageSet::generated(sizes("lognormal:2KiB:0.9"), 1);
  CHECK(images.workload() == again.workload());
  std::set<std::uint64_t> workloads;
  for (const ImageSet* set : {&images, &other_seed, &other_size, &other_sigma}) {
    workloads.insert(set->workload());
  }
  CHECK(workloads.size() == 4);
  for (std::uint64_t key = 0; key < 100; ++key) {
    CHECK(image(images, key) == image(again, key));
    CHECK(image(images, key) != image(other_seed, key));
  }
}

TEST_CASE("a seed names the same images in every build") {
  // What a store was filled with must still be recognised.
  CHECK(digest_of(image(ImageSet::generated(sizes("15KiB"), 1), 42, {7, 3})).hex() ==
        "eb80e3a2761ef6933f8314bf1b1899c4");
}

TEST_CASE("all versions of a key have one size") {
  const ImageSet images = ImageSet::generated(sizes("lognormal:4KiB"), 9);
  for (std::uint64_t key = 0; key < 200; ++key) {
    for (std::uint64_t number = 1; number < 5; ++number) {
      CHECK(image(images, key, {number * 77, number}).size() == images.image_bytes(key));
    }
  }
}

TEST_CASE("lognormal sizes have the mean, the median and the spread of the distribution") {
  struct Expectation {
    const char* text;
    double tolerance_of_spread;  // within a share all sizes are one
  };
  for (const auto& [text, tolerance] : {Expectation{"lognormal:64KiB:0.25", 0.02},
                                        {"lognormal:64KiB:0.5", 0.02},
                                        {"lognormal:64KiB", 0.05},
                                        {"lognormal:15KiB:1", 0.05}}) {
    CAPTURE(text);
    const Sizes wanted = sizes(text);
    const ImageSet images = ImageSet::generated(wanted, 3);
    const auto median = static_cast<double>(wanted.median_bytes);
    CHECK(images.mean_bytes() ==
          doctest::Approx(median * std::exp(wanted.sigma * wanted.sigma / 2)).epsilon(0.001));

    constexpr std::uint64_t keys = 1'000'000;
    double sum = 0;
    double logarithms = 0;
    double squares = 0;
    std::map<std::size_t, std::uint64_t> counts;
    for (std::uint64_t key = 0; key < keys; ++key) {
      const std::size_t bytes = images.image_bytes(key);
      ++counts[bytes];
      sum += static_cast<double>(bytes);
      const double logarithm = std::log(static_cast<double>(bytes) / median);
      logarithms += logarithm;
      squares += logarithm * logarithm;
    }
    CHECK(counts.size() == ImageSet::templates_max);  // a million keys, 64 templates
    CHECK(sum / keys == doctest::Approx(images.mean_bytes()).epsilon(0.01));
    CHECK(std::abs(logarithms / keys) < 0.01 * wanted.sigma);
    CHECK(std::sqrt(squares / keys) == doctest::Approx(wanted.sigma).epsilon(tolerance));
    std::uint64_t below_median = 0;
    for (const auto& [bytes, count] : counts) {
      if (static_cast<double>(bytes) < median) below_median += count;
    }
    CHECK(below_median == doctest::Approx(keys / 2.0).epsilon(0.005));
    // Every size stands for as many keys, to six standard deviations.
    for (const auto& [bytes, count] : counts) CHECK(std::abs(count - keys / 64.0) < 6 * 125);
  }
}

TEST_CASE("sizes stay within their limits however wide the distribution") {
  const ImageSet images = ImageSet::generated(sizes("lognormal:600:3"), 3);
  for (std::uint64_t key = 0; key < 1'000; ++key) {
    CHECK(images.image_bytes(key) >= Sizes::bytes_min);
    CHECK(images.image_bytes(key) <= Sizes::bytes_max);
  }
}

TEST_CASE("sizes are read as they are written") {
  for (const char* text : {"512B", "15KiB", "1MiB", "1025B", "32MiB", "lognormal:64KiB",
                           "lognormal:64KiB:0.5", "lognormal:1000B:2.25"}) {
    CHECK(sizes(text).text() == text);
  }
  CHECK(sizes("1.5KiB").text() == "1536B");
  CHECK(sizes("15360").text() == "15KiB");
  CHECK(sizes("lognormal:64KiB:1").text() == "lognormal:64KiB");
}

TEST_CASE("what is no size is refused with what would be one") {
  for (const char* text : {"",
                           "big",
                           "511",
                           "0",
                           "-15KiB",
                           "33MiB",
                           "15kb",
                           "15 KiB",
                           "KiB",
                           "15KiB:1",
                           "1e99",
                           "nan",
                           "normal:15KiB",
                           "lognormal",
                           "lognormal:",
                           "lognormal:1",
                           "lognormal:64KiB:",
                           "lognormal:64KiB:0",
                           "lognormal:64KiB:3.1",
                           "lognormal:64KiB:x",
                           "lognormal:64KiB:1:1"}) {
    CAPTURE(text);
    const Result<Sizes> parsed = Sizes::parse(text);
    REQUIRE(!parsed);
    CHECK(parsed.error().code == Errc::invalid_argument);
    CHECK(parsed.error().message ==
          "size \"" + std::string(text) +
              "\": write 15KiB, lognormal:64KiB (the median) or lognormal:64KiB:0.5 (and the "
              "sigma, at most 3); from 512B to 32MiB");
  }
}

// --- Real files ---------------------------------------------------------------------------------

TEST_CASE("images of all types are taken from a directory, and what is none is passed over") {
  ImageDirectory directory;
  for (const e2e::Sample& sample : e2e::samples()) directory.add(sample.bytes);
  directory.add("This is no image.");
  directory.add("");
  directory.add("RIFF....WAVEfmt ");
  std::filesystem::create_directory(directory.path() + "/directory.png");
  std::filesystem::create_symlink("nowhere.png", directory.path() + "/dangling.png");

  Result<ImageSet> images = ImageSet::from_directory(directory.path(), 1);
  REQUIRE(images);
  std::set<std::size_t> met;
  for (std::uint64_t key = 0; key < 500; ++key) {
    const std::string stamped = image(*images, key);
    CHECK(stamped.size() == images->image_bytes(key));
    // Without its stamp it is one of the samples again.
    const ImageSet::Pieces pieces = images->image(key, {1, 1});
    const std::string bare = std::string(pieces.front).append(pieces.back);
    const auto sample = std::find_if(e2e::samples().begin(), e2e::samples().end(),
                                     [&](const e2e::Sample& s) { return s.bytes == bare; });
    REQUIRE(sample != e2e::samples().end());
    met.insert(sample - e2e::samples().begin());
    CAPTURE(sample->content_type);
    if (sample->content_type == "image/png") {
      CHECK(png_chunks(stamped)[1].type == "imGc");
    } else if (sample->content_type == "image/jpeg") {
      // SOI, COM of 50 bytes, and behind it the marker that followed before.
      CHECK(stamped.starts_with(std::string("\xff\xd8\xff\xfe\x00\x32", 6)));
      CHECK(stamped.substr(4 + 50, 2) == "\xff\xe0");
    } else {
      CHECK(pieces.back.empty());
      CHECK(png_number(pieces.stamp, 0) == pieces.stamp.size());
      CHECK(pieces.stamp.substr(4, 4) == "free");
    }
  }
  CHECK(met.size() == e2e::samples().size());
}

TEST_CASE(
    "a directory's images are the same whatever the order of its entries, but not of another "
    "seed") {
  ImageDirectory one;
  ImageDirectory other;
  for (std::size_t i = 0; i < 8; ++i) {
    one.add(e2e::png(1'000 + i, i), std::to_string(i));
    other.add(e2e::png(1'000 + 7 - i, 7 - i), std::to_string(7 - i));
  }
  const ImageSet images = *ImageSet::from_directory(one.path(), 1);
  CHECK(images.workload() == ImageSet::from_directory(other.path(), 1)->workload());
  CHECK(images.workload() != ImageSet::from_directory(one.path(), 2)->workload());
  other.add(e2e::png(500, 1), "another");
  CHECK(images.workload() != ImageSet::from_directory(other.path(), 1)->workload());
}

TEST_CASE("a directory without images, or with too many, is refused") {
  ImageDirectory directory;
  const auto refusal = [&](const std::string& path) {
    Result<ImageSet> images = ImageSet::from_directory(path, 1);
    REQUIRE(!images);
    return images.error();
  };
  CHECK(refusal(directory.path() + "/nowhere").code == Errc::not_found);
  directory.add("This is no image.");
  CHECK(refusal(directory.path()).code == Errc::not_found);
  CHECK(refusal(directory.path()).message ==
        "no image in " + directory.path() +
            ": neither PNG, JPEG, GIF, WebP, BMP, TIFF, AVIF nor ICO");

  for (std::size_t i = 0; i < ImageSet::files_max; ++i) directory.add("GIF89a");
  CHECK(ImageSet::from_directory(directory.path(), 1));
  directory.add("GIF89a");
  CHECK(refusal(directory.path()).code == Errc::too_large);
  CHECK(refusal(directory.path()).message == "more than 1000 images in " + directory.path());
}

TEST_CASE("a directory with too many bytes of images is refused") {
  ImageDirectory directory;
  directory.add("GIF89a", "huge");
  std::filesystem::resize_file(directory.path() + "/huge", ImageSet::files_bytes_max + 1);
  Result<ImageSet> images = ImageSet::from_directory(directory.path(), 1);
  REQUIRE(!images);
  CHECK(images.error().code == Errc::too_large);
  CHECK(images.error().message ==
        "the images in " + directory.path() + " have more than 1024MiB together");
}

}  // namespace
}  // namespace imgcached::loadgen
