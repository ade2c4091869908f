#include "tools/loadgen/png.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/loadgen/png_reader.h"

namespace imgcached::loadgen {
namespace {

TEST_CASE("images of noise are valid PNGs of exactly the size asked for") {
  std::vector<std::size_t> sizes;
  // All of the smallest; around one stored block, two and three; and large ones.
  for (std::size_t bytes = png::noise_bytes_min; bytes < 1'000; ++bytes) sizes.push_back(bytes);
  for (const std::size_t edge : {65'535, 2 * 65'535, 3 * 65'535}) {
    for (std::size_t bytes = edge; bytes < edge + 900; bytes += 13) sizes.push_back(bytes);
  }
  sizes.insert(sizes.end(), {15 * 1024, 1'000'003});
  Random random(1);
  const std::string palette = png::chunk("PLTE", std::string(3 * png::colours, '\x55'));
  for (const std::size_t bytes : sizes) {
    CAPTURE(bytes);
    std::string image = png::noise_without_palette(bytes, random);
    CHECK(image.size() == bytes);
    check_paletted_png(image.insert(png::header_bytes, palette));
  }
}

TEST_CASE("images of noise differ from one another, and are the same for one seed") {
  Random random(1);
  const std::string first = png::noise_without_palette(1'000, random);
  CHECK(png::noise_without_palette(1'000, random) != first);
  Random again(1);
  CHECK(png::noise_without_palette(1'000, again) == first);
}

TEST_CASE("a chunk may have no data") {
  CHECK(png::chunk("IEND", {}) == std::string("\0\0\0\0IEND\xae\x42\x60\x82", 12));
}

}  // namespace
}  // namespace imgcached::loadgen
