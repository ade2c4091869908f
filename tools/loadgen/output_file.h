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

// Whether that could be done: for before a measurement of an hour. Leaves nothing.
Result<void> try_output_file(const std::string& path);

// For everybody to read, as the files are. One that exists will do.
Result<void> make_output_directory(const std::string& path);

}  // namespace imgcached::loadgen
