// Options: the command line, read and validated once, into Settings.
//
//   loadgen run [FLAGS] [URL]      one workload under one load
//   loadgen sweep [FLAGS] [URL]    every ratio with every number of connections
//   loadgen preload [FLAGS] [URL]  fills the store
//   loadgen plot DIR               draws what a sweep wrote
//   loadgen compare A B            two results of run side by side
//
// What goes together is decided here, so that nobody else has to ask:
//  * --rate and --find-max mean the open mode; --mode open needs one of them.
//  * --find-max searches from --rate upwards or downwards, for every --slo at once.
//  * A flag that would have no effect is an error, not a surprise.
#pragma once

#include <optional>
#include <string>

#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

inline constexpr const char* version = "0.1.0";

enum ExitStatus {
  exit_ok = 0,
  exit_could_not_run = 1,
  exit_usage = 2,
  exit_missed = 3,         // an SLO, the error rate, or a check of the images
  exit_interrupted = 130,  // as a shell says of SIGINT
};

// What to do; or, for --help, --version and an error, what to print and the
// status to exit with.
struct ParsedOptions {
  std::optional<Settings> settings;
  std::string message;
  int exit_status = exit_ok;
};

ParsedOptions parse_options(int argument_count, const char* const* arguments);

}  // namespace imgcached::loadgen
