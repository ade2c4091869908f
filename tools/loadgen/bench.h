// Bench: the commands that put load on a server: preload, run, sweep and the
// search for the highest rate. One Runner carries all of it out; what is
// measured is reported, written to files and judged point by point.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "net/loop.h"
#include "tools/loadgen/environment.h"
#include "tools/loadgen/image_set.h"
#include "tools/loadgen/progress.h"
#include "tools/loadgen/run_result.h"
#include "tools/loadgen/runner.h"
#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

class Bench {
 public:
  // All must outlive it.
  Bench(net::Loop& loop, const Settings& settings, const ImageSet& images);

  // The command that the settings name. The exit status.
  Task<int> execute();
  // What ran so far is the result; see Runner::interrupt().
  void interrupt() { runner_.interrupt(); }

 private:
  // One combination of a sweep.
  struct Point {
    Settings settings;
    std::string files;  // their common beginning
    std::int64_t started_ms = 0;
    std::vector<RunResult> repeats;
  };

  Task<int> preload();
  Task<int> run();
  Task<int> sweep();
  Task<int> find_max();
  std::vector<Point> points_of_sweep() const;
  void note_repeat(unsigned number, unsigned repeats);
  Task<std::vector<RunResult>> measure(const Settings& settings);
  // The report, the files and the verdict of one measured point.
  int conclude(const Settings& settings, std::span<const RunResult> repeats,
               std::int64_t started_ms, const std::string& files);
  Result<void> write_files(const Settings& settings, std::span<const RunResult> repeats,
                           std::int64_t started_ms, const std::string& base) const;

  const Settings& settings_;
  const ImageSet& images_;
  const Environment environment_;
  Progress progress_;
  Runner runner_;
};

// Tells an error on standard error. The exit status that goes with it.
int fail(const Error& error);

}  // namespace imgcached::loadgen
