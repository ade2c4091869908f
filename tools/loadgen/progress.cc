#include "tools/loadgen/progress.h"

#include <fmt/format.h>

namespace imgcached::loadgen {
namespace {

// Three digits, or the whole of a larger number: 0.12, 12.3, 1234.
std::string ms_text(std::uint64_t ns) {
  const double ms = static_cast<double>(ns) / 1e6;
  return fmt::format("{:.{}f}", ms, ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0);
}

}  // namespace

void Progress::note(std::string_view text) {
  if (quiet_) return;
  end();
  fmt::print(to_, "{}\n", text);
}

void Progress::preloaded(std::uint64_t done, std::uint64_t total) {
  show(fmt::format("preload  {} of {} keys", done, total), done == total);
}

void Progress::warming_up(std::uint64_t left_s) {
  show(fmt::format("warm-up  {} s left", left_s), false);
}

// The line fits into 80 columns. What matters most stands first, in case it does not.
void Progress::second(const SecondSample& sample, std::uint64_t total_s, const Checks& checks) {
  const std::uint64_t elapsed_s = sample.second + 1;
  std::string line = fmt::format("{:>4}/{} s", elapsed_s, total_s);
  if (checks.failed()) {
    line += fmt::format("  WRONG IMAGES {}",
                        checks.corrupt + checks.stale + checks.lost + checks.foreign);
  }
  line += fmt::format("  {:>6}/s  err {}", sample.reads + sample.writes, sample.errors);
  if (sample.reads > 0) {
    line += fmt::format("  r p50/p99 {}/{} ms  hits {:.0f} %", ms_text(sample.read_p50_ns),
                        ms_text(sample.read_p99_ns), 100.0 * sample.hits / sample.reads);
  }
  if (sample.writes > 0) {
    line += fmt::format("  w {}/{} ms", ms_text(sample.write_p50_ns), ms_text(sample.write_p99_ns));
  }
  show(line, elapsed_s % plain_interval_s == 0 || elapsed_s == total_s);
}

// `is_due`: a log gets this line too.
void Progress::show(const std::string& line, bool is_due) {
  if (quiet_ || (!is_terminal_ && !is_due)) return;
  if (is_terminal_) {
    // Back to the first column, clear, and no wrapping while it is written.
    fmt::print(to_, "\r\x1b[K\x1b[?7l{}\x1b[?7h", line);
    std::fflush(to_);
    line_is_open_ = true;
  } else {
    fmt::print(to_, "{}\n", line);
  }
}

void Progress::end() {
  if (line_is_open_) std::fputc('\n', to_);
  line_is_open_ = false;
}

}  // namespace imgcached::loadgen
