#include "images/image_dimensions.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "images/image_type.h"

namespace imgcached::images {
namespace {

using namespace std::string_view_literals;

enum class Order { little, big };

// Of segments, boxes and list entries that are gone through. Files have tens; one
// that is made of nothing else must not hold up the loop.
constexpr std::size_t steps_max = 10'000;

// Numbers at an offset. Beyond the end there are none: then 0 is read, and ok() is
// false from then on.
class Reader {
 public:
  Reader(std::string_view bytes, Order order) : bytes_(bytes), order_(order) {}

  bool ok() const { return ok_; }
  std::uint32_t u8(std::size_t at) { return number(at, 1); }
  std::uint32_t u16(std::size_t at) { return number(at, 2); }
  std::uint32_t u24(std::size_t at) { return number(at, 3); }
  std::uint32_t u32(std::size_t at) { return number(at, 4); }

 private:
  std::uint32_t number(std::size_t at, std::size_t size) {
    if (at > bytes_.size() || bytes_.size() - at < size) {
      ok_ = false;
      return 0;
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t from = order_ == Order::big ? at + i : at + size - 1 - i;
      value = value << 8 | static_cast<unsigned char>(bytes_[from]);
    }
    return value;
  }

  std::string_view bytes_;
  Order order_;
  bool ok_ = true;
};

std::optional<Dimensions> if_good(const Reader& read, std::uint32_t width, std::uint32_t height) {
  if (!read.ok() || width == 0 || height == 0) return std::nullopt;
  return Dimensions{width, height};
}

// The first chunk is IHDR.
std::optional<Dimensions> of_png(std::string_view bytes) {
  Reader read(bytes, Order::big);
  return if_good(read, read.u32(16), read.u32(20));
}

// The frame header, SOFn, comes behind any number of other segments.
std::optional<Dimensions> of_jpeg(std::string_view bytes) {
  Reader read(bytes, Order::big);
  std::size_t at = 2;
  for (std::size_t steps = 0; steps < steps_max && read.u8(at) == 0xff; ++steps) {
    const std::uint32_t marker = read.u8(at + 1);
    if (marker == 0xff) {  // fills the space up to a segment
      ++at;
      continue;
    }
    const bool is_frame =
        marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (is_frame) {
      const std::uint32_t height = read.u16(at + 5);
      const std::uint32_t width = read.u16(at + 7);
      return if_good(read, width, height);
    }
    const bool has_no_length = marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    const bool ends = marker == 0xd9 || marker == 0xda;  // the image, or its pixels begin
    if (ends) return std::nullopt;
    at += has_no_length ? 2 : 2 + std::max<std::size_t>(read.u16(at + 2), 2);
  }
  return std::nullopt;
}

std::optional<Dimensions> of_gif(std::string_view bytes) {
  Reader read(bytes, Order::little);
  return if_good(read, read.u16(6), read.u16(8));
}

// The first chunk says which of three kinds it is.
std::optional<Dimensions> of_webp(std::string_view bytes) {
  Reader read(bytes, Order::little);
  const std::string_view chunk = bytes.substr(std::min<std::size_t>(12, bytes.size()), 4);
  if (chunk == "VP8X"sv) return if_good(read, read.u24(24) + 1, read.u24(27) + 1);
  if (chunk == "VP8 "sv && bytes.size() > 26 && bytes.substr(23, 3) == "\x9d\x01\x2a"sv) {
    return if_good(read, read.u16(26) & 0x3fff, read.u16(28) & 0x3fff);
  }
  if (chunk == "VP8L"sv && read.u8(20) == 0x2f) {
    const std::uint32_t bits = read.u32(21);
    return if_good(read, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
  }
  return std::nullopt;
}

// A height below 0 means that the rows come from top to bottom.
std::optional<Dimensions> of_bmp(std::string_view bytes) {
  Reader read(bytes, Order::little);
  constexpr std::uint32_t old_header_bytes = 12;
  if (read.u32(14) == old_header_bytes) return if_good(read, read.u16(18), read.u16(20));
  const std::uint32_t height = read.u32(22);
  return if_good(read, read.u32(18), height > 0x7fff'ffff ? 0 - height : height);
}

// The first directory of tags has those of the first page.
std::optional<Dimensions> of_tiff(std::string_view bytes) {
  Reader read(bytes, bytes.front() == 'I' ? Order::little : Order::big);
  constexpr std::uint32_t width_tag = 256;
  constexpr std::uint32_t height_tag = 257;
  constexpr std::uint32_t short_type = 3;
  constexpr std::size_t entry_bytes = 12;
  const std::size_t directory = read.u32(4);
  const std::size_t count = read.u16(directory);
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  for (std::size_t i = 0; i < count && read.ok(); ++i) {
    const std::size_t entry = directory + 2 + i * entry_bytes;
    const std::uint32_t tag = read.u16(entry);
    const bool is_short = read.u16(entry + 2) == short_type;
    const std::uint32_t value = is_short ? read.u16(entry + 8) : read.u32(entry + 8);
    if (tag == width_tag) width = value;
    if (tag == height_tag) height = value;
  }
  return if_good(read, width, height);
}

// In an icon's list 0 stands for 256.
std::optional<Dimensions> of_icon(std::string_view bytes) {
  Reader read(bytes, Order::little);
  constexpr std::size_t entry_bytes = 16;
  const std::size_t count = read.u16(4);
  Dimensions largest;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t width = read.u8(6 + i * entry_bytes);
    const std::uint32_t height = read.u8(7 + i * entry_bytes);
    if (!read.ok()) break;
    const Dimensions picture{width == 0 ? 256 : width, height == 0 ? 256 : height};
    if (picture.width * picture.height > largest.width * largest.height) largest = picture;
  }
  if (largest == Dimensions()) return std::nullopt;
  return largest;
}

// --- AVIF: boxes within boxes (ISO/IEC 14496-12 and 23008-12) -----------------------------------

struct Box {
  std::string_view type;
  std::string_view content;
};

// The boxes that `bytes` consist of, up to one that is cut short.
std::vector<Box> boxes_of(std::string_view bytes) {
  constexpr std::size_t header_bytes = 8;
  std::vector<Box> boxes;
  while (bytes.size() >= header_bytes && boxes.size() < steps_max) {
    Reader read(bytes, Order::big);
    std::uint64_t size = read.u32(0);
    std::size_t header = header_bytes;
    if (size == 0) size = bytes.size();  // up to the end
    if (size == 1) {
      header += 8;
      size = std::uint64_t{read.u32(8)} << 32 | read.u32(12);
    }
    if (size < header || size > bytes.size()) break;
    boxes.push_back({bytes.substr(4, 4), bytes.substr(header, size - header)});
    bytes.remove_prefix(size);
  }
  return boxes;
}

// The content of the first box of that type; empty when there is none.
std::string_view content_of(const std::vector<Box>& boxes, std::string_view type) {
  const auto found =
      std::find_if(boxes.begin(), boxes.end(), [&](const Box& box) { return box.type == type; });
  return found == boxes.end() ? std::string_view() : found->content;
}

constexpr std::size_t version_bytes = 4;  // version and flags, with which a "full" box begins

// Which of the properties belong to an item, counted from 1 (`ipma`).
std::vector<std::size_t> properties_of(std::string_view associations, std::uint32_t item) {
  Reader read(associations, Order::big);
  const bool has_wide_items = read.u8(0) >= 1;
  const bool has_wide_indices = (read.u8(3) & 1) != 0;
  const std::size_t index_bytes = has_wide_indices ? 2 : 1;
  const std::size_t count = std::min<std::size_t>(read.u32(version_bytes), steps_max);
  std::size_t at = version_bytes + 4;
  for (std::size_t i = 0; i < count && read.ok(); ++i) {
    const std::uint32_t id = has_wide_items ? read.u32(at) : read.u16(at);
    at += has_wide_items ? 4 : 2;
    const std::size_t listed = read.u8(at);
    ++at;
    if (id != item) {
      at += listed * index_bytes;
      continue;
    }
    std::vector<std::size_t> indices;
    for (std::size_t j = 0; j < listed; ++j, at += index_bytes) {
      // The topmost bit says whether one has to understand the property.
      indices.push_back(has_wide_indices ? read.u16(at) & 0x7fff : read.u8(at) & 0x7f);
    }
    return indices;
  }
  return {};
}

// The property `ispe` of the item that `pitm` names.
std::optional<Dimensions> of_avif(std::string_view bytes) {
  const std::string_view meta = content_of(boxes_of(bytes), "meta"sv);
  if (meta.size() < version_bytes) return std::nullopt;
  const std::vector<Box> parts = boxes_of(meta.substr(version_bytes));
  Reader primary(content_of(parts, "pitm"sv), Order::big);
  const std::uint32_t item =
      primary.u8(0) == 0 ? primary.u16(version_bytes) : primary.u32(version_bytes);
  if (!primary.ok()) return std::nullopt;
  const std::vector<Box> tables = boxes_of(content_of(parts, "iprp"sv));
  const std::vector<Box> properties = boxes_of(content_of(tables, "ipco"sv));
  for (const std::size_t index : properties_of(content_of(tables, "ipma"sv), item)) {
    if (index == 0 || index > properties.size()) continue;
    const Box& property = properties[index - 1];
    if (property.type != "ispe"sv) continue;
    Reader read(property.content, Order::big);
    return if_good(read, read.u32(version_bytes), read.u32(version_bytes + 4));
  }
  return std::nullopt;
}

}  // namespace

std::optional<Dimensions> image_dimensions(std::string_view bytes) {
  const auto type = sniff_image_type(bytes.substr(0, sniffed_bytes));
  if (type == "image/png"sv) return of_png(bytes);
  if (type == "image/jpeg"sv) return of_jpeg(bytes);
  if (type == "image/gif"sv) return of_gif(bytes);
  if (type == "image/webp"sv) return of_webp(bytes);
  if (type == "image/bmp"sv) return of_bmp(bytes);
  if (type == "image/tiff"sv) return of_tiff(bytes);
  if (type == "image/avif"sv) return of_avif(bytes);
  if (type == "image/vnd.microsoft.icon"sv) return of_icon(bytes);
  return std::nullopt;
}

}  // namespace imgcached::images
