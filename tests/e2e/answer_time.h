// How long an answer may take, and how long it took.
#pragma once

#include <chrono>

namespace imgcached::e2e {

// The contract says two seconds, and the server's own limits add up to less. What
// is more here is for a loaded machine, and for a sanitizer.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long answer_ms_max = 8'000;
#else
constexpr long answer_ms_max = 2'500;
#endif

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
