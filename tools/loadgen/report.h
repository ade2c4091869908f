// Reports: a run as text for a terminal, as CSV, and as the percentile files
// that HdrHistogram's plotters read.
//
// Repeats are told as one: counts and percentiles are those of all of them
// together, and below stands what the repeats say about how sure that is.
#pragma once

#include <span>
#include <string>

#include "tools/loadgen/histogram.h"
#include "tools/loadgen/run_result.h"
#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

// A summary of at most 80 columns and 24 lines, so that it is seen whole. With an
// open loop response and service times stand side by side: where they differ,
// requests waited for their turn, which a closed loop would never have shown.
// Only invalid runs with many reasons take more lines.
// REQUIRES: there is a repeat, as for all that follow.
std::string summary_text(const Settings& settings, std::span<const RunResult> repeats);

// One line for each second of each repeat, below a line with the names.
std::string seconds_csv(std::span<const RunResult> repeats);
// One line of the run, below a line with the names: the estimates and half the
// widths of their 95 % intervals (empty with one repeat).
std::string summary_csv(const Settings& settings, std::span<const RunResult> repeats);

// The percentile distribution as HdrHistogram prints it (outputPercentileDistribution
// with five ticks per half distance): values in milliseconds.
std::string hgrm_text(const Histogram& histogram);

}  // namespace imgcached::loadgen
