// Image types: nothing is read beyond the first bytes, however few there are, and
// markup is no image.
#include "images/image_type.h"

#include <algorithm>

#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  const fuzz::ExactCopy copy(data, std::min(size, images::sniffed_bytes));
  const std::string_view first = copy.text();
  const auto type = images::sniff_image_type(first);
  fuzz::require(!type || type->starts_with("image/"), "a type is one of images");
  fuzz::require(!type || (!first.starts_with("<svg") && !first.starts_with("<?xml")),
                "SVG is none of ours");
  return 0;
}
