#include "tests/loadgen/png_reader.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <cstdlib>

namespace imgcached::loadgen {
namespace {

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<std::uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

// What a zlib stream of stored blocks holds.
std::string inflate_stored(std::string_view stream) {
  REQUIRE(stream.size() >= 6);
  CHECK((stream[0] & 15) == 8);  // deflate
  CHECK((static_cast<std::uint8_t>(stream[0]) * 256 + static_cast<std::uint8_t>(stream[1])) % 31 ==
        0);
  CHECK((stream[1] & 32) == 0);  // no dictionary
  std::string data;
  std::size_t at = 2;
  for (bool last = false; !last;) {
    REQUIRE(at + 5 <= stream.size());
    CHECK((stream[at] & ~1) == 0);  // stored
    last = stream[at] & 1;
    const auto little_endian = [&](std::size_t i) {
      return static_cast<std::uint8_t>(stream[i]) | static_cast<std::uint8_t>(stream[i + 1]) << 8;
    };
    const auto bytes = static_cast<std::size_t>(little_endian(at + 1));
    CHECK((little_endian(at + 1) ^ little_endian(at + 3)) == 0xFFFF);
    REQUIRE(at + 5 + bytes <= stream.size());
    data += stream.substr(at + 5, bytes);
    at += 5 + bytes;
  }
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  for (const char byte : data) {
    a = (a + static_cast<std::uint8_t>(byte)) % 65'521;
    b = (b + a) % 65'521;
  }
  CHECK(png_number(stream, at) == (b << 16 | a));
  CHECK(at + 4 == stream.size());
  return data;
}

// What any zlib stream holds, which is `bytes` long.
std::string inflate(std::string_view stream, std::size_t bytes) {
  std::string data(bytes, '\0');
  auto size = static_cast<uLongf>(bytes);
  REQUIRE(::uncompress(reinterpret_cast<Bytef*>(data.data()), &size,
                       reinterpret_cast<const Bytef*>(stream.data()), stream.size()) == Z_OK);
  REQUIRE(size == bytes);
  return data;
}

// The PNG specification, section 9.4.
std::uint8_t paeth(int left, int above, int corner) {
  const int estimate = left + above - corner;
  const int to_left = std::abs(estimate - left);
  const int to_above = std::abs(estimate - above);
  const int to_corner = std::abs(estimate - corner);
  if (to_left <= to_above && to_left <= to_corner) return static_cast<std::uint8_t>(left);
  return static_cast<std::uint8_t>(to_above <= to_corner ? above : corner);
}

using Row = std::vector<std::uint8_t>;

// A row without its filter (section 9.2); `filtered` begins with the filter's type.
Row unfilter(std::string_view filtered, const Row& above, std::size_t pixel_bytes) {
  const int filter = filtered.front();
  REQUIRE(filter >= 0);
  REQUIRE(filter <= 4);
  Row row(filtered.begin() + 1, filtered.end());
  for (std::size_t i = 0; i < row.size(); ++i) {
    const int left = i < pixel_bytes ? 0 : row[i - pixel_bytes];
    const int up = above[i];
    const int corner = i < pixel_bytes ? 0 : above[i - pixel_bytes];
    const int predictions[] = {0, left, up, (left + up) / 2, paeth(left, up, corner)};
    row[i] = static_cast<std::uint8_t>(row[i] + predictions[filter]);
  }
  return row;
}

std::uint32_t colour_at(const Row& bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at] << 16 | bytes[at + 1] << 8 | bytes[at + 2]);
}

// How many bytes a pixel has, by the colour type.
std::size_t pixel_bytes_of(char colour_type) {
  switch (colour_type) {
    case 2: return 3;  // RGB
    case 3: return 1;  // palette
    case 6: return 4;  // RGB and opacity
    default: FAIL("colour type " << int{colour_type}); return 0;
  }
}

}  // namespace

std::uint32_t png_number(std::string_view bytes, std::size_t at) {
  REQUIRE(at + 4 <= bytes.size());
  std::uint32_t number = 0;
  for (const char byte : bytes.substr(at, 4))
    number = number << 8 | static_cast<std::uint8_t>(byte);
  return number;
}

std::vector<PngChunk> png_chunks(std::string_view png) {
  REQUIRE(png.starts_with("\x89PNG\r\n\x1a\n"));
  png.remove_prefix(8);
  std::vector<PngChunk> chunks;
  while (!png.empty()) {
    const std::size_t bytes = png_number(png, 0);
    REQUIRE(png.size() >= 12 + bytes);
    CHECK(png_number(png, 8 + bytes) == crc32(png.substr(4, 4 + bytes)));
    chunks.push_back({std::string(png.substr(4, 4)), std::string(png.substr(8, bytes))});
    png.remove_prefix(12 + bytes);
  }
  return chunks;
}

void check_paletted_png(std::string_view png) {
  const std::vector<PngChunk> chunks = png_chunks(png);
  // One of each in this order, and private ones, with a small first letter, anywhere
  // between the first and the last.
  std::vector<PngChunk> critical;
  for (const PngChunk& chunk : chunks) {
    if (chunk.type[0] < 'a') critical.push_back(chunk);
  }
  REQUIRE(critical.size() == 4);
  CHECK(critical[1].type == "PLTE");
  CHECK(critical[2].type == "IDAT");
  REQUIRE(chunks.front().type == "IHDR");
  REQUIRE(chunks.back().type == "IEND");
  CHECK(chunks.back().data.empty());

  const std::string& header = critical[0].data;
  REQUIRE(header.size() == 13);
  const std::size_t width = png_number(header, 0);
  const std::size_t height = png_number(header, 4);
  REQUIRE(width > 0);
  REQUIRE(height > 0);
  CHECK(header.substr(8) == std::string("\x08\x03\x00\x00\x00", 5));
  const std::size_t colours = critical[1].data.size() / 3;
  CHECK(critical[1].data.size() == 3 * colours);

  const std::string rows = inflate_stored(critical[2].data);
  REQUIRE(rows.size() == height * (1 + width));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t bound = i % (1 + width) == 0 ? 1 : colours;  // the filter must be none
    if (static_cast<std::uint8_t>(rows[i]) >= bound) FAIL("byte " << i << " of the rows is wrong");
  }
}

Picture decode_png(std::string_view png) {
  std::string header;
  Row palette;
  std::string stream;
  for (const PngChunk& chunk : png_chunks(png)) {
    if (chunk.type == "IHDR") header = chunk.data;
    if (chunk.type == "PLTE") palette.assign(chunk.data.begin(), chunk.data.end());
    if (chunk.type == "IDAT") stream += chunk.data;
  }
  REQUIRE(header.size() == 13);
  REQUIRE(header[8] == 8);
  REQUIRE(header[12] == 0);  // not interlaced
  Picture picture{png_number(header, 0), png_number(header, 4), {}};
  const std::size_t pixel_bytes = pixel_bytes_of(header[9]);
  const std::size_t row_bytes = picture.width * pixel_bytes;
  const std::string rows = inflate(stream, picture.height * (1 + row_bytes));
  Row row(row_bytes);
  for (std::size_t y = 0; y < picture.height; ++y) {
    row = unfilter(std::string_view(rows).substr(y * (1 + row_bytes), 1 + row_bytes), row,
                   pixel_bytes);
    for (std::size_t at = 0; at < row_bytes; at += pixel_bytes) {
      if (pixel_bytes == 1 && 3u * row[at] + 3 > palette.size()) FAIL("a pixel has no colour");
      picture.pixels.push_back(pixel_bytes == 1 ? colour_at(palette, 3u * row[at])
                                                : colour_at(row, at));
    }
  }
  return picture;
}

}  // namespace imgcached::loadgen
