// Progress: what a person sees while the generator runs, on standard error.
//
// On a terminal one line that is written anew each second, and is cut off rather
// than wrapped where the terminal is narrow; otherwise a plain line now and then,
// for logs; nothing when quiet.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "tools/loadgen/run_result.h"

namespace imgcached::loadgen {

class Progress {
 public:
  // How often a log gets a line.
  static constexpr std::uint64_t plain_interval_s = 5;

  // `to` must outlive it.
  Progress(bool quiet, bool is_terminal, std::FILE* to = stderr)
      : quiet_(quiet), is_terminal_(is_terminal), to_(to) {}

  // Something that stays to be read, such as the name of the run that begins.
  void note(std::string_view text);
  // `done` of `total` keys are preloaded.
  void preloaded(std::uint64_t done, std::uint64_t total);
  void warming_up(std::uint64_t left_s);
  void second(const SecondSample& sample, std::uint64_t total_s, const Checks& checks);
  // The live line is over; what follows begins on a line of its own.
  void end();

 private:
  void show(const std::string& line, bool is_due);

  bool quiet_;
  bool is_terminal_;
  std::FILE* to_;
  bool line_is_open_ = false;
};

}  // namespace imgcached::loadgen
