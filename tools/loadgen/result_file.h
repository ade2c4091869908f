// Result files: one measured point (one run and its repeats) as versioned JSON.
//
//   {"schema": "imgcached-loadgen/1",
//    "label", "ratio", "reads_percent", "mode", "connections", "rate",
//    "flags": {"reads": "20", ...},        all that shaped the run, as one types them
//    "server", "started", "machine", "kernel", "commit",
//    "valid", "invalid": [reasons], "interrupted",
//    "estimates": {"read.p99": {"mean", "half_width_95"}, ...},     see estimate.h
//    "repeats": [{everything that run_result.h has, with percentiles}],
//    "histograms": {"read", "write": [[ns, count], ...]}}      of response times
//
// Times are nanoseconds, rates per second, shares of 1; what was not told is
// null. A reader may rely on what stands here as long as the schema's number
// stays; new members may come without a new number.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tools/loadgen/environment.h"
#include "tools/loadgen/estimate.h"
#include "tools/loadgen/histogram.h"
#include "tools/loadgen/run_result.h"
#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

inline constexpr std::string_view result_schema = "imgcached-loadgen/1";

// Names and values of the flags that shape a run, as the command line has them;
// where results go and what they are called is not among them.
using FlagValues = std::vector<std::pair<std::string, std::string>>;
FlagValues flags_of(const Settings& settings);

// REQUIRES: there is a repeat, and the texts of the settings are UTF-8.
std::string result_json(const Settings& settings, const Environment& environment,
                        std::int64_t started_unix_ms, std::span<const RunResult> repeats);

// What plot and compare need of a result.
struct ResultFile {
  std::string path;  // empty when it was in memory
  std::string label;
  std::string ratio;  // "20 % reads : 80 % writes"
  double reads_percent = 0;
  Model model = Model::closed;
  unsigned connections = 0;
  Rate rate;  // open loop
  FlagValues flags;
  std::string server;
  std::string started;  // 2024-05-01T12:00:00Z
  Environment environment;
  std::size_t repeats = 0;
  std::vector<std::string> invalid;
  bool interrupted = false;
  std::uint64_t failed_checks = 0;
  Estimates estimates;
  Histogram read_response, write_response;  // of all repeats
};

// invalid_argument says what is wrong with it: no JSON, no result, or one of
// another version.
Result<ResultFile> parse_result(std::string_view json);
// The same of a file, whose name is in the errors. Blocks.
Result<ResultFile> read_result(const std::string& path);

}  // namespace imgcached::loadgen
