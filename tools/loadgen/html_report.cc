#include "tools/loadgen/html_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <kainjow/mustache.hpp>
#include <set>
#include <string_view>

#include "net/file.h"
#include "tools/loadgen/figure_text.h"

namespace imgcached::loadgen {
namespace {

namespace mustache = kainjow::mustache;

constexpr std::size_t template_bytes_max = 1 << 20;

// An SVG file within a page has no XML declaration. gnuplot titles the plots that it was told to
// leave without a title "gnuplot_plot_3", which browsers would show when the mouse is there.
std::string inline_svg(const std::string& file) {
  constexpr std::string_view untitled = "<title>gnuplot_plot_", end_of_title = "</title>";
  const std::size_t start = file.find("<svg");
  if (start == std::string::npos) return "";
  std::string svg = file.substr(start);
  for (std::size_t at = svg.find(untitled); at != std::string::npos; at = svg.find(untitled, at)) {
    const std::size_t end = svg.find(end_of_title, at);
    if (end == std::string::npos) break;
    svg.erase(at, end + end_of_title.size() - at);
  }
  return svg;
}

std::string estimate_text(const ResultFile& point, std::string_view name,
                          std::string (*text)(double)) {
  const auto found = point.estimates.find(name);
  if (found == point.estimates.end()) return "–";
  const Estimate& estimate = found->second;
  if (!estimate.half_width) return text(estimate.mean);
  return text(estimate.mean) + " ± " + text(*estimate.half_width);
}

std::string mean_text(const ResultFile& point, std::string_view name, std::string (*text)(double)) {
  const auto found = point.estimates.find(name);
  return found == point.estimates.end() ? "–" : text(found->second.mean);
}

std::string count_text(double value) { return fmt::format("{:.0f}", value); }

std::string remarks_of(const ResultFile& point) {
  std::string remarks;
  const auto remark = [&](const std::string& text) {
    remarks += (remarks.empty() ? "" : "; ") + text;
  };
  if (point.failed_checks > 0)
    remark(fmt::format("{} reads failed the check", point.failed_checks));
  for (const std::string& reason : point.invalid) remark("invalid: " + reason);
  if (point.interrupted) remark("interrupted");
  return remarks;
}

mustache::data point_data(const Line& line, const ResultFile& point) {
  mustache::data row;
  row.set("label", line.label);
  row.set("load", fmt::format("{:.10g}", load_of(point)));
  row.set("throughput", estimate_text(point, "throughput", number_text));
  row.set("read_p50", estimate_text(point, "read.p50", milliseconds_text));
  row.set("read_p99", estimate_text(point, "read.p99", milliseconds_text));
  row.set("write_p50", estimate_text(point, "write.p50", milliseconds_text));
  row.set("write_p99", estimate_text(point, "write.p99", milliseconds_text));
  row.set("hit_ratio", mean_text(point, "hit_ratio", percent_text));
  row.set("evictions", mean_text(point, "evictions", count_text));
  row.set("errors", mean_text(point, "error_ratio", percent_text));
  row.set("remarks", remarks_of(point));
  return row;
}

mustache::data chart_data(const ChartGraphs& graphs) {
  mustache::data section;
  section.set("ratio", graphs.chart->ratio);
  section.set("name", graphs.chart->name);
  section.set("latency_svg", inline_svg(graphs.latency_svg));
  section.set("throughput_svg", inline_svg(graphs.throughput_svg));
  mustache::data points(mustache::data::type::list);
  bool has_remarks = false;
  for (const Line& line : graphs.chart->lines) {
    for (const ResultFile* point : line.points) {
      points.push_back(point_data(line, *point));
      has_remarks = has_remarks || !remarks_of(*point).empty();
    }
  }
  section.set("points", points);
  section.set("has_remarks", has_remarks);
  return section;
}

// How the points were measured: each property once, with all the values that it had.
class Properties {
 public:
  void add(const std::string& name, const std::string& value) {
    const auto at = std::find_if(values_.begin(), values_.end(),
                                 [&](const auto& entry) { return entry.first == name; });
    std::set<std::string>& values =
        at != values_.end() ? at->second
                            : values_.emplace_back(name, std::set<std::string>{}).second;
    if (!value.empty()) values.insert(value);
  }

  mustache::data data() const {
    mustache::data list(mustache::data::type::list);
    for (const auto& [name, values] : values_) {
      if (values.empty()) continue;
      std::string text;
      for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
      mustache::data row;
      row.set("name", name);
      row.set("values", text);
      list.push_back(row);
    }
    return list;
  }

 private:
  std::vector<std::pair<std::string, std::set<std::string>>> values_;
};

}  // namespace

Result<std::string> html_report(const std::string& template_path,
                                const std::vector<ChartGraphs>& graphs) {
  const Result<Blob> text = net::read_file(template_path, template_bytes_max);
  if (!text) return text.error();
  mustache::mustache page{std::string(text->view())};
  if (!page.is_valid()) {
    return Error{Errc::invalid_argument, template_path + ": " + page.error_message()};
  }

  Properties machine, flags;
  std::string first = "~", last;
  mustache::data charts(mustache::data::type::list);
  for (const ChartGraphs& each : graphs) {
    charts.push_back(chart_data(each));
    for (const Line& line : each.chart->lines) {
      for (const ResultFile* point : line.points) {
        const Environment& environment = point->environment;
        machine.add("Server", point->server);
        machine.add("Generator on", environment.machine_text());
        machine.add("Kernel", environment.kernel);
        machine.add("Generator's commit", environment.commit);
        first = std::min(first, point->started);
        last = std::max(last, point->started);
        for (const auto& [name, value] : point->flags) {
          // Those that are the axes and the lines are in the tables.
          if (name != "reads" && name != "connections" && name != "rate") flags.add(name, value);
        }
      }
    }
  }
  mustache::data data;
  data.set("charts", charts);
  data.set("machine", machine.data());
  data.set("flags", flags.data());
  data.set("first", first);
  data.set("last", first == last ? "" : last);
  const bool open = graphs[0].chart->lines[0].points[0]->model == Model::open;
  data.set("loop", open ? "an open" : "a closed");
  data.set("is_open", open);
  data.set("load_name", open ? "Offered, operations/s" : "Connections");
  return page.render(data);
}

}  // namespace imgcached::loadgen
