#include "tools/loadgen/progress.h"

#include <fmt/format.h>

#include <cstdio>

namespace imgcached::loadgen {
namespace {

double in_ms(std::uint64_t ns) { return static_cast<double>(ns) / 1e6; }

}  // namespace

void Progress::note(std::string_view text) {
  if (quiet_) return;
  end();
  fmt::print(stderr, "{}\n", text);
}

void Progress::preloaded(std::uint64_t done, std::uint64_t total) {
  show(fmt::format("preload  {} of {} keys", done, total), done == total);
}

void Progress::warming_up(std::uint64_t left_s) {
  show(fmt::format("warm-up  {} s left", left_s), false);
}

void Progress::second(const SecondSample& sample, std::uint64_t total_s, const Checks& checks) {
  const std::uint64_t elapsed_s = sample.second + 1;
  std::string line =
      fmt::format("{:>4} s of {} s  {:>7}/s", elapsed_s, total_s, sample.reads + sample.writes);
  if (sample.reads > 0) {
    line += fmt::format("  read p50 {:.2f} p99 {:.2f} ms  hits {:.0f} %", in_ms(sample.read_p50_ns),
                        in_ms(sample.read_p99_ns), 100.0 * sample.hits / sample.reads);
  }
  if (sample.writes > 0) {
    line += fmt::format("  write p50 {:.2f} p99 {:.2f} ms", in_ms(sample.write_p50_ns),
                        in_ms(sample.write_p99_ns));
  }
  line += fmt::format("  errors {}", sample.errors);
  if (checks.failed()) {
    line += fmt::format("  WRONG IMAGES {}",
                        checks.corrupt + checks.stale + checks.lost + checks.foreign);
  }
  show(line, elapsed_s % plain_interval_s == 0 || elapsed_s == total_s);
}

// `is_due`: a log gets this line too.
void Progress::show(const std::string& line, bool is_due) {
  if (quiet_ || (!is_terminal_ && !is_due)) return;
  if (is_terminal_) {
    fmt::print(stderr, "\r\x1b[K{}", line);  // back to the first column, and clear
    std::fflush(stderr);
    line_is_open_ = true;
  } else {
    fmt::print(stderr, "{}\n", line);
  }
}

void Progress::end() {
  if (line_is_open_) std::fputc('\n', stderr);
  line_is_open_ = false;
}

}  // namespace imgcached::loadgen
