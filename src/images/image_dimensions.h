// How many pixels an image is wide and high, read from where each format says so,
// without decoding it. As it is stored: a rotation that a viewer is told to make
// (Exif, irot) is not carried out.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace imgcached::images {

struct Dimensions {
  std::uint32_t width = 0;
  std::uint32_t height = 0;

  friend bool operator==(const Dimensions&, const Dimensions&) = default;
};

// Of the accepted types (image_type.h), each given whole: a JPEG may say it behind
// a preview, an AVIF behind its other properties. Of an icon, those of its largest
// picture. Nothing when the bytes do not say, or say 0.
std::optional<Dimensions> image_dimensions(std::string_view bytes);

}  // namespace imgcached::images
