#include "images/image_dimensions.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/e2e/test_images.h"

namespace imgcached::images {
namespace {

using namespace std::string_literals;

std::string big(std::uint32_t value, int bytes = 4) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string box(std::string_view type, std::string_view content) {
  return big(static_cast<std::uint32_t>(content.size() + 8)) + std::string(type).append(content);
}

const std::string ftyp = box("ftyp", "avif\0\0\0\0avif"s);
const std::string ispe_300_200 = box("ispe", big(0) + big(300) + big(200));
const std::string ispe_30_20 = box("ispe", big(0) + big(30) + big(20));

// An image whose primary item is 2: its properties are the third and the second.
std::string avif(std::string_view pitm, std::string_view ipma) {
  const std::string ipco = box("ipco", ispe_30_20 + ispe_300_200 + box("pixi", "x"));
  return ftyp + box("meta", big(0) + box("pitm", pitm) + box("iprp", ipco + box("ipma", ipma)));
}

struct KnownImage {
  const char* what;
  std::string bytes;
  Dimensions dimensions;
};

const std::vector<KnownImage>& known_images() {
  static const std::vector<KnownImage> all = {
      {"PNG", "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"s + big(70'000) + big(513), {70'000, 513}},
      {"GIF", "GIF89a\x02\x01\x03\x00"s, {258, 3}},
      {"JPEG behind a preview, a fill byte and a table",
       "\xff\xd8\xff\xe1\x00\x08"s + "\xff\xc0\x01\x01\x01\x01" + "\xff\xff\xff\xc4\x00\x03z"s +
           "\xff\xc2\x00\x0b\x08\x02\x01\x03\x04"s,
       {772, 513}},
      {"WebP, lossy", "RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x40\x41\x30\x00"s, {320, 48}},
      {"WebP, lossless", "RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x02\xc0\x00\x00"s, {3, 4}},
      {"WebP, extended", "RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x00\x01\x00\x02\x00\x00"s, {257, 3}},
      {"BMP", "BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0\x02\x01\0\0\x03\0\0\0"s, {258, 3}},
      {"BMP from top to bottom",
       "BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0\x02\0\0\0\xfd\xff\xff\xff"s,
       {2, 3}},
      {"BMP of OS/2", "BM\0\0\0\0\0\0\0\0\0\0\0\0\x0c\0\0\0\x02\0\x03\0"s, {2, 3}},
      {"TIFF, big-endian, short and long",
       "MM\0*\0\0\0\x08\0\x02"s + "\x01\x01\0\x03\0\0\0\x01\0\x07\0\0"s +
           "\x01\x00\0\x04\0\0\0\x01\0\x01\0\0"s,
       {65'536, 7}},
      {"an icon's largest picture",
       "\0\0\1\0\3\0"s + "\x10\x10"s + std::string(14, '\0') + "\0\x20"s + std::string(14, '\0') +
           "\x20\x20"s + std::string(14, '\0'),
       {256, 32}},
      {"AVIF", avif(big(0) + big(2, 2), big(0) + big(2) + "\0\1\1\1\0\2\2\3\x82"s), {300, 200}},
      {"AVIF with wide numbers",
       avif(big(1 << 24) + big(2), big(1 << 24 | 1) + big(1) + big(2) + "\1\x80\x02"s),
       {300, 200}},
  };
  return all;
}

TEST_CASE("an image's dimensions are read as its format says them") {
  for (const KnownImage& known : known_images()) {
    CAPTURE(known.what);
    const auto found = image_dimensions(known.bytes);
    REQUIRE(found.has_value());
    CHECK(found->width == known.dimensions.width);
    CHECK(found->height == known.dimensions.height);
  }
}

TEST_CASE("the dimensions of real images of every type are known") {
  for (const e2e::Sample& sample : e2e::samples()) {
    CAPTURE(sample.content_type);
    const std::uint32_t side = sample.content_type == "image/png" ? 8 : 1;
    CHECK(image_dimensions(sample.bytes) == Dimensions{side, side});
  }
}

TEST_CASE("an image that is cut short has no dimensions, or those it had") {
  for (const KnownImage& known : known_images()) {
    CAPTURE(known.what);
    for (std::size_t length = 0; length < known.bytes.size(); ++length) {
      CAPTURE(length);
      const auto found = image_dimensions(known.bytes.substr(0, length));
      // The pictures of an icon that are still there may be smaller ones.
      if (known.bytes.starts_with("\0\0\1\0"s)) continue;
      CHECK((!found || *found == known.dimensions));
    }
  }
}

TEST_CASE("what says no dimensions, or none that make sense, has none") {
  for (const std::string& bytes :
       {""s, "text"s, "<svg width='3' height='3'/>"s,
        "\x89PNG\r\n\x1a\n"s + big(0) + big(0) + big(0) + big(5), "GIF89a\0\0\3\0"s,
        "\xff\xd8\xff\xd9"s, "\xff\xd8\xff\xda\0\2\xff\xc0\0\x0b\x08\0\1\0\1"s,
        "\xff\xd8\xff\xe0\0\0"s, "RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2e\x02\xc0\x00\x00"s,
        "MM\0*\xff\xff\xff\xff"s, avif(big(0) + big(7, 2), big(0) + big(1) + "\0\2\1\2"s),
        avif(big(0) + big(2, 2), big(0) + big(1) + "\0\2\3\0\3\x7f"s), ftyp}) {
    CAPTURE(bytes);
    CHECK_FALSE(image_dimensions(bytes));
  }
}

TEST_CASE("an image that is made of nothing but steps is given up") {
  std::string jpeg = "\xff\xd8\xff";
  for (int i = 0; i < 1'000'000; ++i) jpeg += "\xff\x01";
  CHECK_FALSE(image_dimensions(jpeg + "\xff\xc0\x00\x0b\x08\x00\x01\x00\x01"s));
}

}  // namespace
}  // namespace imgcached::images
