#include "tools/loadgen/png.h"

#include <zlib.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

namespace imgcached::loadgen::png {
namespace {

// All of a file's numbers have 32 bits.
std::string number(std::uint64_t value) { return big_endian(static_cast<std::uint32_t>(value)); }

const Bytef* bytes_of(std::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }

// Deflate's largest stored (uncompressed) block, and its header.
constexpr std::size_t block_bytes_max = 65'535;
constexpr std::size_t block_header_bytes = 5;

std::size_t blocks_of(std::size_t bytes) { return (bytes + block_bytes_max - 1) / block_bytes_max; }

constexpr std::size_t zlib_overhead_bytes = 6;  // header and checksum of the stream

// zlib at level 0 would store as well, but in blocks of a size of its own choice;
// here the image's size depends on their number.
void append_zlib_stored(std::string& to, std::string_view data) {
  to += "\x78\x01";
  const uLong checksum = adler32_z(adler32_z(0, nullptr, 0), bytes_of(data), data.size());
  while (!data.empty()) {
    const std::string_view block = data.substr(0, block_bytes_max);
    data.remove_prefix(block.size());
    const auto low = static_cast<char>(block.size());
    const auto high = static_cast<char>(block.size() >> 8);
    const char is_last = data.empty() ? 1 : 0;
    to += {is_last, low, high, static_cast<char>(~low), static_cast<char>(~high)};
    to += block;
  }
  to += number(checksum);
}

// append_data() is to append the chunk's data to `to`: in place, since images are large.
template <class AppendData>
void append_chunk(std::string& to, std::string_view type, AppendData append_data) {
  assert(type.size() == 4);
  const std::size_t length_at = to.size();
  to += number(0);
  const std::size_t checked_at = to.size();
  to += type;
  const std::size_t data_at = to.size();
  append_data();
  to.replace(length_at, 4, number(to.size() - data_at));
  const std::string_view checked = std::string_view(to).substr(checked_at);
  to += number(crc32_z(crc32_z(0, nullptr, 0), bytes_of(checked), checked.size()));
}

std::string noise(std::size_t bytes, Random& random) {
  std::string result(bytes, '\0');
  for (std::size_t i = 0; i < bytes; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next();
    std::memcpy(result.data() + i, &word, std::min(sizeof word, bytes - i));
  }
  return result;
}

// Rows of pixels, each a byte below `colours`, behind the number of their filter: none.
std::string noise_rows(std::size_t width, std::size_t height, Random& random) {
  std::string rows = noise(height * (1 + width), random);
  for (char& pixel : rows) pixel = static_cast<char>(pixel & (colours - 1));
  for (std::size_t i = 0; i < rows.size(); i += 1 + width) rows[i] = 0;
  return rows;
}

}  // namespace

std::string chunk(std::string_view type, std::string_view data) {
  std::string result;
  result.reserve(chunk_overhead_bytes + data.size());
  append_chunk(result, type, [&] { result += data; });
  return result;
}

// About as wide as high. What is left over, less than a row and a block's header,
// is noise in a private chunk that decoders skip.
std::string noise_without_palette(std::size_t bytes, Random& random) {
  assert(bytes >= noise_bytes_min);
  // For the rows, the headers of their blocks, and the leftover.
  const std::size_t available =
      bytes - header_bytes - 3 * chunk_overhead_bytes - zlib_overhead_bytes;
  const std::size_t rows_bytes_max = available - blocks_of(available) * block_header_bytes;
  const auto width = static_cast<std::size_t>(std::sqrt(static_cast<double>(rows_bytes_max)));
  const std::size_t height = rows_bytes_max / (1 + width);
  const std::string rows = noise_rows(width, height, random);
  const std::size_t leftover =
      available - rows.size() - blocks_of(rows.size()) * block_header_bytes;

  using namespace std::string_literals;
  // 8 bits a pixel, of a palette; deflate, the usual filters, not interlaced.
  const std::string header = number(width) + number(height) + "\x08\x03\x00\x00\x00"s;
  std::string image(signature);
  image.reserve(bytes);
  image += chunk("IHDR", header);
  append_chunk(image, "IDAT", [&] { append_zlib_stored(image, rows); });
  image += chunk("noIs", noise(leftover, random));
  image += chunk("IEND", {});
  assert(image.size() == bytes);
  return image;
}

}  // namespace imgcached::loadgen::png
