// The rule for keys: 1 to 255 bytes of UTF-8 without control characters.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace imgcached::cache {

inline constexpr std::size_t key_bytes_max = 255;

// Error invalid_argument says which part of the rule the key breaks.
Result<void> validate_key(std::string_view key);

}  // namespace imgcached::cache
