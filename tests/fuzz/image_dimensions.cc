// Dimensions of images: found within the bytes that there are, and never 0.
#include "images/image_dimensions.h"

#include <string>

#include "images/image_type.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  // A copy of just that size, so that the sanitizer sees who reads beyond it.
  const std::vector<char> copy(data, data + size);
  const std::string_view bytes(copy.data(), copy.size());
  const auto found = images::image_dimensions(bytes);
  if (!found) return 0;
  fuzz::require(found->width > 0 && found->height > 0, "an image has pixels");
  fuzz::require(images::sniff_image_type(bytes.substr(0, images::sniffed_bytes)).has_value(),
                "what has dimensions is an image");
  return 0;
}
