#include "tools/loadgen/plot.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "net/file.h"
#include "tools/loadgen/gnuplot.h"
#include "tools/loadgen/html_report.h"
#include "tools/loadgen/output_file.h"

namespace imgcached::loadgen {
namespace {

const std::string source_directory = IMGCACHED_SOURCE_DIRECTORY "/tools/loadgen";

constexpr std::size_t results_max = 500;  // of half a megabyte in memory
constexpr std::size_t graph_bytes_max = 16 << 20;

// What the graphs of latency show.
constexpr std::string_view latencies[] = {"read.p50", "read.p99", "write.p50", "write.p99"};

std::string_view mode_text(Model model) {
  return model == Model::open ? "an open loop" : "a closed loop";
}

std::string tick_text(double value) { return fmt::format("{:.10g}", value); }

// --- Reading -------------------------------------------------------------------------------------

Result<std::vector<ResultFile>> read_results(const std::string& directory) {
  Result<std::vector<std::string>> names = net::list_directory(directory);
  if (!names) return std::move(names).error();
  std::erase_if(*names, [](const std::string& name) { return !name.ends_with(".json"); });
  if (names->empty()) {
    return Error{Errc::not_found,
                 "no results in " + directory + ": there is no *.json; `sweep --out` writes them"};
  }
  if (names->size() > results_max) {
    return Error{Errc::too_large, fmt::format("{} has {} results; the limit is {}", directory,
                                              names->size(), results_max)};
  }
  std::sort(names->begin(), names->end());
  std::vector<ResultFile> results;
  for (const std::string& name : *names) {
    Result<ResultFile> result = read_result(directory + "/" + name);
    if (!result) return std::move(result).error();
    results.push_back(std::move(*result));
  }
  return results;
}

// --- What gnuplot gets ---------------------------------------------------------------------------

std::string cells(const ResultFile& point, std::string_view name, double scale) {
  const auto found = point.estimates.find(name);
  if (found == point.estimates.end()) return " NaN NaN NaN";
  const Estimate& estimate = found->second;
  // A logarithmic axis has no room for an interval down to nothing.
  const double low = std::max(estimate.low(), estimate.mean / 100);
  return fmt::format(" {:.6g} {:.6g} {:.6g}", estimate.mean * scale, low * scale,
                     estimate.high() * scale);
}

std::string data_text(const Chart& chart) {
  std::string out;
  for (const Line& line : chart.lines) {
    // gnuplot has no way to write a quote in a quoted heading.
    std::string label = line.label;
    std::replace(label.begin(), label.end(), '"', '\'');
    out += "\"" + label + "\"\n";
    for (const ResultFile* point : line.points) {
      out += fmt::format("{:.10g}", load_of(*point)) + cells(*point, "throughput", 1);
      for (const std::string_view name : latencies) out += cells(*point, name, 1e-6);
      out += fmt::format(" {}\n", point->invalid.empty() ? 0 : 1);
    }
    out += "\n\n";
  }
  return out;
}

struct Range {
  double min = std::numeric_limits<double>::infinity();
  double max = 0;

  void include(double value) {
    min = std::min(min, value);
    max = std::max(max, value);
  }
};

// What the latencies of all charts lie between, in ms, with room above and below, so that the
// graphs of all ratios have one scale and can be laid side by side.
Range latency_range(const std::vector<Chart>& charts) {
  Range range;
  for (const Chart& chart : charts) {
    for (const Line& line : chart.lines) {
      for (const ResultFile* point : line.points) {
        for (const std::string_view name : latencies) {
          const auto found = point->estimates.find(name);
          if (found == point->estimates.end() || found->second.mean <= 0) continue;
          range.include(found->second.mean / 1e6);
          range.include(found->second.high() / 1e6);
        }
      }
    }
  }
  if (range.max == 0) return {0.1, 10};
  return {range.min / 1.3, range.max * 1.3};
}

// How many entries of the legend fit side by side: a graph is some 95 letters wide, and an entry
// takes 8 more than its text, for its mark and a gap.
std::size_t legend_columns(const Chart& chart) {
  std::size_t letters = std::string_view("offered").size();
  for (const Line& line : chart.lines) letters = std::max(letters, line.label.size());
  return std::max<std::size_t>(95 / (letters + 8), 1);
}

std::vector<std::pair<std::string, std::string>> variables_of(const Chart& chart,
                                                              const Range& latency) {
  Range load;
  std::vector<double> loads;
  bool any_invalid = false, reads = false, writes = false;
  std::size_t repeats_min = SIZE_MAX;
  double throughput_max = 1;
  for (const Line& line : chart.lines) {
    for (const ResultFile* point : line.points) {
      loads.push_back(load_of(*point));
      load.include(loads.back());
      any_invalid = any_invalid || !point->invalid.empty();
      reads = reads || point->estimates.contains("read.p50");
      writes = writes || point->estimates.contains("write.p50");
      repeats_min = std::min(repeats_min, point->repeats);
      throughput_max = std::max(throughput_max, point->estimates.at("throughput").high());
    }
  }
  std::string ticks;
  for (const double tick : ticks_of(loads)) ticks += (ticks.empty() ? "" : " ") + tick_text(tick);
  const bool open = chart.lines[0].points[0]->model == Model::open;
  // One load is a point in the middle.
  const double room = load.max > load.min ? std::pow(load.max / load.min, 0.04) : 2;
  return {
      {"ratio", chart.ratio},
      {"lines", std::to_string(chart.lines.size())},
      {"columns", std::to_string(legend_columns(chart))},
      {"x_label", open ? "Offered rate (operations/s)" : "Concurrent connections"},
      {"ticks", ticks},
      {"x_min", fmt::format("{}", load.min / room)},
      {"x_max", fmt::format("{}", load.max * room)},
      {"latency_min", fmt::format("{}", latency.min)},
      {"latency_max", fmt::format("{}", latency.max)},
      {"throughput_max", fmt::format("{}", throughput_max)},
      {"panels", !writes  ? "Reads"
                 : !reads ? "Writes"
                          : "Reads Writes"},
      {"bars", repeats_min > 1
                   ? fmt::format("Bars: 95 % confidence interval of {} repeats", repeats_min)
                   : ""},
      {"offered", open ? "yes" : ""},
      {"invalid", any_invalid ? "yes" : ""},
  };
}

Result<std::string> read_graph(const std::string& path) {
  Result<Blob> text = net::read_file(path, graph_bytes_max);
  if (!text) return std::move(text).error();
  return std::string(text->view());
}

}  // namespace

double load_of(const ResultFile& point) {
  return point.model == Model::open ? point.rate.from : point.connections;
}

Result<std::vector<Chart>> charts_of(const std::vector<ResultFile>& results) {
  std::map<double, std::map<std::string, std::map<double, const ResultFile*>>> sorted;
  for (const ResultFile& result : results) {
    if (result.model != results[0].model) {
      return Error{Errc::invalid_argument,
                   fmt::format("{} is of {}, {} of {}: they need a directory each", results[0].path,
                               mode_text(results[0].model), result.path, mode_text(result.model))};
    }
    if (result.rate.from != result.rate.to) {
      return Error{Errc::invalid_argument,
                   result.path + " is of a ramp, which is no point of a graph"};
    }
    const auto [at, is_new] =
        sorted[result.reads_percent][result.label].emplace(load_of(result), &result);
    if (!is_new) {
      return Error{Errc::invalid_argument,
                   fmt::format("{} and {} are the same point: remove one of them, or measure with "
                               "another --label",
                               at->second->path, result.path)};
    }
  }
  std::vector<Chart> charts;
  for (const auto& [reads_percent, lines] : sorted) {
    Chart& chart = charts.emplace_back();
    chart.name = fmt::format("{:.10g}-{:.10g}", reads_percent, 100 - reads_percent);
    for (const auto& [label, points] : lines) {
      Line& line = chart.lines.emplace_back();
      line.label = label.empty() ? "no label" : label;
      for (const auto& [load, point] : points) line.points.push_back(point);
    }
    chart.ratio = chart.lines[0].points[0]->ratio;
  }
  return charts;
}

std::vector<double> ticks_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::vector<double> ticks;
  if (values.size() < 2) return values;
  const double length = std::log2(values.back() / values.front());
  for (const double value : values) {
    // A panel is some 50 digits wide; a text needs a gap as well.
    const double width = static_cast<double>(tick_text(value).size() + 1) / 50 * length;
    if (ticks.empty() || std::log2(value / ticks.back()) >= width) ticks.push_back(value);
  }
  return ticks;
}

Result<std::vector<std::string>> plot(const std::string& results_directory,
                                      const std::string& out_directory) {
  const Result<std::vector<ResultFile>> results = read_results(results_directory);
  if (!results) return results.error();
  const Result<std::vector<Chart>> charts = charts_of(*results);
  if (!charts) return charts.error();
  if (Result<void> made = make_output_directory(out_directory); !made) return made.error();

  const Range latency = latency_range(*charts);
  std::vector<std::string> written;
  std::vector<ChartGraphs> graphs;
  for (const Chart& chart : *charts) {
    const auto path = [&](std::string_view kind, std::string_view suffix) {
      return fmt::format("{}/{}-{}{}", out_directory, kind, chart.name, suffix);
    };
    const std::string data = path("graphs", ".dat");
    if (Result<void> done = write_output_file(data, data_text(chart)); !done) return done.error();
    written.push_back(data);

    auto variables = variables_of(chart, latency);
    variables.emplace_back("data", data);
    variables.emplace_back("latency", path("latency", ""));
    variables.emplace_back("throughput", path("throughput", ""));
    if (Result<void> run = run_gnuplot(source_directory + "/graphs.gp", variables); !run) {
      return run.error();
    }
    for (const std::string_view kind : {"latency", "throughput"}) {
      for (const std::string_view suffix : {".svg", ".png"}) written.push_back(path(kind, suffix));
    }
    Result<std::string> latency_svg = read_graph(path("latency", ".svg"));
    if (!latency_svg) return latency_svg.error();
    Result<std::string> throughput_svg = read_graph(path("throughput", ".svg"));
    if (!throughput_svg) return throughput_svg.error();
    graphs.push_back({&chart, std::move(*latency_svg), std::move(*throughput_svg)});
  }

  Result<std::string> html = html_report(source_directory + "/report.mustache", graphs);
  if (!html) return html.error();
  const std::string report = out_directory + "/report.html";
  if (Result<void> done = write_output_file(report, *html); !done) return done.error();
  written.push_back(report);
  return written;
}

}  // namespace imgcached::loadgen
