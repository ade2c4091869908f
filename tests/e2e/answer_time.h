// How long an answer may take, and how long it took.
#pragma once

#include <chrono>

#include "tests/e2e/fixture.h"

namespace imgcached::e2e {

// The contract says two seconds, and the server's own limits add up to less. What
// is more here is for a loaded machine, and for a sanitizer.
inline long answer_ms_max() { return is_sanitized() ? 8'000 : 2'500; }

class Stopwatch {
 public:
  long elapsed_ms() const {
    const auto elapsed = std::chrono::steady_clock::now() - begin_;
    return std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace imgcached::e2e
