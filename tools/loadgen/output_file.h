// Output files: results and what is made of them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace imgcached::loadgen {

// Puts the file there, in place of an older one, whole or not at all: who looks
// while a sweep is under way, or after it was killed, finds no half results.
// Blocks.
Result<void> write_output_file(const std::string& path, std::string_view bytes);

}  // namespace imgcached::loadgen
