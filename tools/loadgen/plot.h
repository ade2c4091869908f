// Graphs of many results: latency and throughput over load.
//
// A directory holds one result for each measured point, such as those of a
// sweep. Points of one ratio of reads to writes share two graphs, points with
// one label share a line, and along the line goes the load: connections of a
// closed loop or the rate that was offered in an open one. Colours and shapes go
// with the label, in all graphs alike.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/loadgen/result_file.h"

namespace imgcached::loadgen {

// The points with one label, from little load to much.
struct Line {
  std::string label;
  std::vector<const ResultFile*> points;
};

// What the two graphs of one ratio show.
struct Chart {
  std::string ratio;  // "20 % reads : 80 % writes"
  std::string name;   // "20-80": latency-20-80.svg
  std::vector<Line> lines;
};

// Connections, or the rate of an open loop.
double load_of(const ResultFile& point);

// The charts from few reads to many; the results must outlive them. Refuses, by
// invalid_argument, what does not belong into one figure: two results for the
// same point, closed loops with open ones, and ramps, which have no one rate.
Result<std::vector<Chart>> charts_of(const std::vector<ResultFile>& results);

// The values among these that are to have a tick on a logarithmic axis: all,
// unless their texts would touch one another.
std::vector<double> ticks_of(std::vector<double> values);

// Reads every *.json of the directory and writes, for each ratio,
// latency-R-W.{svg,png}, throughput-R-W.{svg,png} and the points as graphs-R-W.dat,
// and report.html with all of it, which needs no other file. The result is the
// paths of what was written. Blocks.
Result<std::vector<std::string>> plot(const std::string& results_directory,
                                      const std::string& out_directory);

}  // namespace imgcached::loadgen
