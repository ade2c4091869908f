#include "tests/e2e/test_images.h"

#include <cassert>

#include "base/random.h"
#include "http/base64.h"

namespace imgcached::e2e {
namespace {

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    table[i] = i;
    for (int bit = 0; bit < 8; ++bit) table[i] = (table[i] >> 1) ^ (table[i] & 1 ? 0xEDB88320 : 0);
  }
  return table;
}();

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes)
    crc = crc_table[(crc ^ static_cast<std::uint8_t>(byte)) & 255] ^ (crc >> 8);
  return ~crc;
}

std::uint32_t adler32(std::string_view bytes) {
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  for (const char byte : bytes) {
    a = (a + static_cast<std::uint8_t>(byte)) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

std::string noise(std::size_t count, Random& random) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; i += 8) {
    const std::uint64_t word = random.next();
    for (std::size_t j = i; j < count && j < i + 8; ++j)
      bytes[j] = static_cast<char>(word >> (8 * (j - i)));
  }
  return bytes;
}

constexpr std::size_t chunk_overhead_bytes = 12;  // length, type, checksum

std::string chunk(std::string_view type, std::string_view data) {
  const std::string checked = std::string(type).append(data);
  return big_endian(static_cast<std::uint32_t>(data.size())) + checked + big_endian(crc32(checked));
}

// A zlib stream of one stored (uncompressed) block.
std::string zlib_stored(std::string_view data) {
  assert(data.size() < 65536);
  const auto low = static_cast<char>(data.size());
  const auto high = static_cast<char>(data.size() >> 8);
  std::string stream{
      0x78, 0x01, 0x01, low, high, static_cast<char>(~low), static_cast<char>(~high)};
  return stream.append(data) + big_endian(adler32(data));
}

std::string from_base64(std::string_view text) {
  return std::string(http::base64::decode(text).value().view());
}

}  // namespace

// 8 by 8 grey pixels of noise; the rest is noise in a private ancillary chunk,
// which decoders skip.
std::string png(std::size_t bytes, std::uint64_t seed) {
  assert(bytes >= png_bytes_min);
  Random random(seed);
  std::string rows;
  for (int row = 0; row < 8; ++row) rows += '\0' + noise(8, random);
  using namespace std::string_literals;
  const std::string image = "\x89PNG\r\n\x1a\n"s +
                            chunk("IHDR", big_endian(8) + big_endian(8) + "\x08\x00\x00\x00\x00"s) +
                            chunk("IDAT", zlib_stored(rows));
  const std::string end = chunk("IEND", "");
  const std::size_t padding = bytes - image.size() - end.size() - chunk_overhead_bytes;
  return image + chunk("noIs", noise(padding, random)) + end;
}

const std::array<Sample, 8>& samples() {
  static const std::array<Sample, 8> all{{
      {"image/png", png(png_bytes_min, 1)},
      {"image/jpeg",
       from_base64(
           "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP////////////////////////////////////////////////"
           "//////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAA"
           "AAAP/aAAgBAQABPxA=")},
      {"image/gif", from_base64("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")},
      {"image/webp", from_base64("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")},
      {"image/bmp",
       from_base64(
           "Qk06AAAAAAAAADYAAAAoAAAAAQAAAAEAAAABABgAAAAAAAQAAAATCwAAEwsAAAAAAAAAAAAA////AA==")},
      {"image/tiff",
       from_base64(
           "SUkqAAgAAAAJAAABAwABAAAAAQAAAAEBAwABAAAAAQAAAAIBAwABAAAACAAAAAMBAwABAAAAAQAAAAYBAw"
           "ABAAAAAQAAABEBBAABAAAAegAAABUBAwABAAAAAQAAABYBAwABAAAAAQAAABcBBAABAAAAAQAAAAAAAAD/")},
      {"image/avif",
       from_base64(
           "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADybWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcG"
           "ljdAAAAAAAAAAAAAAAAGxpYmF2aWYAAAAADnBpdG0AAAAAAAEAAAAeaWxvYwAAAABEAAABAAEAAAABAAAB"
           "GgAAAB0AAAAoaWluZgAAAAAAAQAAABppbmZlAgAAAAABAABhdjAxQ29sb3IAAAAAamlwcnAAAABLaXBjbw"
           "AAABRpc3BlAAAAAAAAAAEAAAABAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgQ0MAAAAABNjb2xybmNseAAC"
           "AAIAAYAAAAAXaXBtYQAAAAAAAAABAAEEAQKDBAAAACVtZGF0EgAKCBgANogQEAwgMg8f8D///8WfhwB8+E"
           "rK42A=")},
      {"image/vnd.microsoft.icon",
       from_base64(
           "AAABAAEAAQEAAAEAIAAwAAAAFgAAACgAAAABAAAAAgAAAAEAIAAAAAAACAAAAAAAAAAAAAAAAAAAAAAAAA"
           "D/////AAAAAA==")},
  }};
  return all;
}

}  // namespace imgcached::e2e
