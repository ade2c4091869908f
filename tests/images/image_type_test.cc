#include "images/image_type.h"

#include <doctest/doctest.h>

#include <string>

namespace imgcached::images {
namespace {

using namespace std::string_literals;

struct KnownType {
  std::string_view type;
  std::string first_bytes;  // no more than are needed to tell
};

const KnownType known_types[] = {
    {"image/png", "\x89PNG\r\n\x1a\n"s},
    {"image/jpeg", "\xff\xd8\xff"s},
    {"image/gif", "GIF87a"s},
    {"image/gif", "GIF89a"s},
    {"image/webp", "RIFF\x24\0\0\0WEBP"s},
    {"image/bmp", "BM\x3a\0\0\0\0\0\0\0\x36\0\0\0"s},
    {"image/tiff", "II*\0"s},
    {"image/tiff", "MM\0*"s},
    {"image/avif",
     "\0\0\0\x0c"
     "ftypavif"s},
    {"image/vnd.microsoft.icon", "\0\0\1\0\1\0\x10\x10\0\0"s},
};

TEST_CASE("each accepted type is told by its first bytes, whatever follows") {
  for (const KnownType& known : known_types) {
    CAPTURE(known.type);
    CHECK(sniff_image_type(known.first_bytes) == known.type);
    CHECK(sniff_image_type(known.first_bytes + "<script>alert(1)</script>") == known.type);
  }
}

TEST_CASE("a beginning that is cut short is no image") {
  for (const KnownType& known : known_types) {
    for (std::size_t length = 0; length < known.first_bytes.size(); ++length) {
      CAPTURE(known.type);
      CAPTURE(length);
      CHECK_FALSE(sniff_image_type(known.first_bytes.substr(0, length)));
    }
  }
}

TEST_CASE("a change of any byte of the magic makes it no image") {
  for (const KnownType& known : known_types) {
    for (std::size_t at = 0; at < known.first_bytes.size(); ++at) {
      std::string changed = known.first_bytes;
      changed[at] = static_cast<char>(changed[at] ^ 0x20);
      CAPTURE(known.type);
      CAPTURE(at);
      // Sizes, counts and offsets are no magic.
      const bool is_magic = (known.type != "image/webp" || at < 4 || at >= 8) &&
                            (known.type != "image/bmp" || at < 2 || (at >= 6 && at < 10)) &&
                            (known.type != "image/avif" || at >= 4) &&
                            (known.type != "image/vnd.microsoft.icon" || at < 4 || at == 9);
      if (is_magic) CHECK_FALSE(sniff_image_type(changed));
    }
  }
}

TEST_CASE("AVIF is told by any of its brands, but not by the minor version") {
  CHECK(sniff_image_type("\0\0\0\x18"
                         "ftypmif1\0\0\0\0miafavif"s) == "image/avif");
  CHECK(sniff_image_type("\0\0\0\x14"
                         "ftypavis\0\0\0\0avis"s) == "image/avif");
  CHECK(sniff_image_type("\0\0\0\x14"
                         "ftypmsf1\0\0\0\0avis"s) == "image/avif");
  CHECK_FALSE(
      sniff_image_type("\0\0\0\x10"
                       "ftypheicavif"s));
  // What follows the box is no brand: HEIC, MP4.
  CHECK_FALSE(
      sniff_image_type("\0\0\0\x14"
                       "ftypheic\0\0\0\0mif1avif"s));
  CHECK_FALSE(
      sniff_image_type("\0\0\0\x14"
                       "ftypisom\0\0\0\0mp41"s));
}

TEST_CASE("SVG, HTML, text and other files are refused") {
  for (const std::string& bytes :
       {"<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>"s,
        "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>"s,
        "<!DOCTYPE html><title>GIF89a</title>"s, "BMW is a maker of cars"s, "plain text"s, ""s,
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s, "RIFF\x24\0\0\0WAVEfmt "s, "%PDF-1.7"s, "PK\3\4"s,
        " \x89PNG\r\n\x1a\n"s, "\0\0\2\0\1\0\x10\x10\0\0"s, "\0\0\1\0\0\0\x10\x10\0\0"s}) {
    CAPTURE(bytes);
    CHECK_FALSE(sniff_image_type(bytes));
  }
}

}  // namespace
}  // namespace imgcached::images
