// gnuplot, as a child process that is waited for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace imgcached::loadgen {

// Runs the script with these string variables set. Errors: unavailable, with the
// name of Debian's package, when there is no gnuplot; internal, with what it
// said, when it failed. Blocks.
Result<void> run_gnuplot(const std::string& script,
                         const std::vector<std::pair<std::string, std::string>>& variables);

}  // namespace imgcached::loadgen
