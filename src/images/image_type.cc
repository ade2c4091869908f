#include "images/image_type.h"

namespace imgcached::images {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t ftyp_bytes_max = 4096;  // a thousand brands; files have three or four

// ISO base media: a box `ftyp` that begins with its size and lists brands of
// four letters, the major one first. AVIF stills are `avif`, sequences `avis`.
bool is_avif(std::string_view bytes) {
  if (bytes.size() < 12 || bytes.substr(4, 4) != "ftyp"sv) return false;
  std::size_t box_bytes = 0;
  for (const char c : bytes.substr(0, 4)) {
    box_bytes = box_bytes << 8 | static_cast<unsigned char>(c);
  }
  // A size that is letters is the beginning of a text, `<svg` say.
  if (box_bytes > ftyp_bytes_max) return false;
  const std::string_view box = bytes.substr(0, box_bytes);
  for (std::size_t at = 8; at + 4 <= box.size(); at += 4) {
    if (at == 12) continue;  // the minor version is no brand
    const std::string_view brand = box.substr(at, 4);
    if (brand == "avif"sv || brand == "avis"sv) return true;
  }
  return false;
}

// ICONDIR: reserved 0, type 1, and at least one image, whose entry says 0 in
// its reserved byte.
bool is_ico(std::string_view bytes) {
  return bytes.size() >= 10 && bytes.starts_with("\0\0\1\0"sv) && bytes.substr(4, 2) != "\0\0"sv &&
         bytes[9] == '\0';
}

// BITMAPFILEHEADER: "BM", the size, and four reserved bytes that are 0.
bool is_bmp(std::string_view bytes) {
  return bytes.size() >= 14 && bytes.starts_with("BM"sv) && bytes.substr(6, 4) == "\0\0\0\0"sv;
}

}  // namespace

std::optional<std::string_view> sniff_image_type(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return "image/png"sv;
  if (bytes.starts_with("\xff\xd8\xff"sv)) return "image/jpeg"sv;
  if (bytes.starts_with("GIF87a"sv) || bytes.starts_with("GIF89a"sv)) return "image/gif"sv;
  if (bytes.starts_with("RIFF"sv) && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP"sv) {
    return "image/webp"sv;
  }
  if (bytes.starts_with("II*\0"sv) || bytes.starts_with("MM\0*"sv)) return "image/tiff"sv;
  if (is_avif(bytes)) return "image/avif"sv;
  if (is_bmp(bytes)) return "image/bmp"sv;
  if (is_ico(bytes)) return "image/vnd.microsoft.icon"sv;
  return std::nullopt;
}

}  // namespace imgcached::images
