// Which kind of image some bytes are, told by their first bytes only: names and
// declared types lie. SVG is text that can carry script, so it is none of ours.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace imgcached::images {

// How many of the first bytes are looked at; fewer are judged as they are.
inline constexpr std::size_t sniffed_bytes = 64;

// The media type (`image/png` ...), or nothing when it is no accepted image.
std::optional<std::string_view> sniff_image_type(std::string_view first_bytes);

// The accepted types in words, for error messages.
inline constexpr std::string_view accepted_types = "PNG, JPEG, GIF, WebP, BMP, TIFF, AVIF or ICO";

}  // namespace imgcached::images
