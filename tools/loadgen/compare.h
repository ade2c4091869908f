// Comparison of two results: what changed from A to B, and is it more than chance?
//
// Where both have repeats, a figure whose 95 % intervals do not overlap is called
// better or worse. That is stricter than a t test of the difference, which is as
// well with so many figures in one table: one of twenty would differ by chance.
// Results that were not measured alike are compared all the same, below a warning
// of everything in which they differ.
#pragma once

#include <string>

#include "base/result.h"
#include "tools/loadgen/result_file.h"

namespace imgcached::loadgen {

std::string comparison_text(const ResultFile& a, const ResultFile& b);

// The same of two files. Blocks.
Result<std::string> compare(const std::string& path_a, const std::string& path_b);

}  // namespace imgcached::loadgen
