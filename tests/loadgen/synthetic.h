// Results of runs that never were, for the tests of what is made of results.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/e2e/fixture.h"
#include "tools/loadgen/environment.h"
#include "tools/loadgen/run_result.h"
#include "tools/loadgen/settings.h"

namespace imgcached::loadgen::synthetic {

struct Shape {
  double throughput = 10'000;  // operations a second
  double read_ms = 1;          // the median; the slowest are some twenty times slower
  double write_ms = 4;
  double hit_share = 0.8;
};

Settings closed_loop(double reads_percent, unsigned connections, std::string label);
Settings open_loop(double reads_percent, double rate, std::string label);

// Ten seconds of it. The same seed gives the same run, another one a slightly
// different run.
RunResult run(const Settings& settings, const Shape& shape, std::uint64_t seed);
std::vector<RunResult> runs(const Settings& settings, const Shape& shape, unsigned repeats);

Environment environment();

// A directory that goes with the object, and all that is in it.
class Directory : public e2e::ScratchDirectory {
 public:
  std::string file(const std::string& name) const { return path() + "/" + name; }
  void write(const std::string& name, const std::string& text) const;
};

std::string read(const std::string& path);

}  // namespace imgcached::loadgen::synthetic
