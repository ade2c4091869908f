// report.html: the graphs and a table of their points, in one file that needs
// no other. The only file of the load generator that uses Mustache.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "tools/loadgen/plot.h"

namespace imgcached::loadgen {

struct ChartGraphs {
  const Chart* chart;
  std::string latency_svg;  // as gnuplot wrote it
  std::string throughput_svg;
};

// REQUIRES: there is a chart. Errors name the template. Blocks.
Result<std::string> html_report(const std::string& template_path,
                                const std::vector<ChartGraphs>& graphs);

}  // namespace imgcached::loadgen
