#include "tools/loadgen/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "tools/loadgen/estimate.h"
#include "tools/loadgen/figure_text.h"
#include "tools/loadgen/words.h"

namespace imgcached::loadgen {
namespace {

constexpr std::size_t line_columns = 80;

// A line of the summary: a heading, then parts, which go on below the first of
// them where the line is full.
std::string line_of(std::string_view heading, const std::vector<std::string>& parts) {
  constexpr std::size_t indent = 13;
  std::string out = fmt::format("{:<{}}", heading, indent);
  std::size_t column = out.size();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string part = parts[i] + (i + 1 < parts.size() ? "," : "");
    if (i > 0 && column + 1 + part.size() > line_columns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (i > 0) {
      out += ' ';
      ++column;
    }
    out += part;
    column += part.size();
  }
  return out + "\n";
}

std::string heading_lines(const Settings& settings, std::size_t repeats) {
  const Workload& workload = settings.workload;
  const Load& load = settings.load;
  const bool open = load.model == Model::open;
  std::vector<std::string> how;
  if (open) {
    how.push_back(load.rate.text() + " operations/s");
    how.emplace_back(load.arrivals == Arrivals::poisson ? "Poisson" : "evenly spaced");
  }
  how.push_back(fmt::format("{}{} connections", open ? "at most " : "", load.connections));
  how.push_back(fmt::format("{}{} s after {} s of warm-up",
                            repeats > 1 ? fmt::format("{} times ", repeats) : "",
                            load.duration_ms / 1000.0, load.warm_up_ms / 1000.0));
  const std::vector<std::string> what{
      workload.ratio_text(),
      fmt::format("{} keys", workload.keys),
      workload.distribution.text(),
      workload.images_directory.empty() ? workload.sizes.text() : workload.images_directory,
      word_for(dialect_words, workload.dialect),
  };
  std::vector<std::string> where{settings.server.text()};
  if (!settings.label.empty()) where.push_back("label " + settings.label);
  return line_of(open ? "open loop" : "closed loop", how) + line_of("workload", what) +
         line_of("server", where);
}

// --- The table of times --------------------------------------------------------------------------

std::string cells(const Histogram& times, std::initializer_list<double> percents) {
  std::string out;
  for (const double percent : percents) {
    const bool none = times.count() == 0;
    out += fmt::format("{:>8}", none ? "-" : milliseconds_text(times.percentile(percent)));
  }
  return out;
}

std::string row(std::string_view name, const RunResult& run, const Timings& timings, Model model) {
  std::string out =
      fmt::format("{:<8}{:>8}", name, number_text(run.per_second(timings.response.count())));
  if (model == Model::open) {
    out += cells(timings.response, {50, 99, 99.9, 100});
    out += cells(timings.service, {50, 99, 99.9, 100});
  } else {
    out += fmt::format("{:>7}", number_text(run.per_second(timings.bytes) / 1e6));
    out += cells(timings.response, {50, 90, 99, 99.9, 100});
    out += fmt::format("{:>8}", milliseconds_text(timings.response.mean()));
    out += cells(timings.first_byte, {99});
  }
  return out + "\n";
}

std::string table(const RunResult& run, Model model) {
  std::string out;
  if (model == Model::open) {
    out += fmt::format("{:>39}{:>32}\n", "response time in ms", "service time in ms");
    out += fmt::format("{:>16}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}\n", "/s", "p50", "p99",
                       "p99.9", "max", "p50", "p99", "p99.9", "max");
  } else {
    out += fmt::format("{:>57}{:>22}\n", "response time in ms", "first byte");
    out += fmt::format("{:>16}{:>7}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}\n", "/s", "MB/s", "p50",
                       "p90", "p99", "p99.9", "max", "mean", "p99");
  }
  const Timings reads = run.reads();
  Timings all = reads;
  all.add(run.of(Outcome::write));
  const std::pair<std::string_view, const Timings*> rows[] = {
      {"reads", &reads},
      {"  hits", &run.of(Outcome::read_hit)},
      {"  misses", &run.of(Outcome::read_miss)},
      {"  absent", &run.of(Outcome::read_absent)},
      {"writes", &run.of(Outcome::write)},
      {"all", &all},
      {"errors", &run.of(Outcome::error)},
  };
  for (const auto& [name, timings] : rows) {
    if (timings->response.count() > 0 || name == "all") out += row(name, run, *timings, model);
  }
  return out;
}

// --- The lines below it --------------------------------------------------------------------------

std::string errors_line(const RunResult& run) {
  const std::uint64_t errors = run.errors_count() + run.never_sent;
  if (errors == 0) return line_of("errors", {"none"});
  std::vector<std::string> parts{fmt::format("{} of {} ({})", errors, errors + run.operations(),
                                             percent_text(run.error_ratio()))};
  const auto add = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) parts.push_back(fmt::format("{} {}", count, what));
  };
  add(run.errors.connect, "not connected");
  add(run.errors.closed, "closed early");
  add(run.errors.timed_out, "timed out");
  add(run.errors.protocol, "no proper answer");
  for (const auto& [status, count] : run.errors.by_status) {
    add(count, fmt::format("status {}", status));
  }
  add(run.never_sent, "never sent");
  return line_of("errors", parts);
}

std::string checks_line(const Checks& checks) {
  if (!checks.failed())
    return line_of("checks", {fmt::format("{} reads, all right", checks.checked)});
  return line_of("CHECKS FAIL",
                 {fmt::format("{} corrupt", checks.corrupt), fmt::format("{} stale", checks.stale),
                  fmt::format("{} lost", checks.lost), fmt::format("{} foreign", checks.foreign),
                  fmt::format("of {} reads", checks.checked)});
}

std::string cache_line(const RunResult& run, const Estimates& estimates) {
  const ServerCounters& server = run.server;
  std::vector<std::string> parts;
  const auto hit_ratio = estimates.find("hit_ratio");
  if (hit_ratio != estimates.end()) {
    parts.push_back(fmt::format("{} hits", percent_text(hit_ratio->second.mean)));
  }
  if (server.evictions) parts.push_back(fmt::format("{} evictions", *server.evictions));
  if (server.cached_bytes && server.cached_items) {
    parts.push_back(fmt::format("{} images of {}", *server.cached_items,
                                bytes_text(static_cast<double>(*server.cached_bytes))));
  }
  if (server.backend_bytes_written) {
    parts.push_back(
        fmt::format("{} sent", bytes_text(static_cast<double>(*server.backend_bytes_written))));
  }
  if (parts.empty()) parts.emplace_back("nothing known of it");
  return line_of("cache", parts);
}

std::string generator_lines(const RunResult& run, Model model) {
  std::string out = line_of(
      "generator", {fmt::format("{} of a core", percent_text(run.cpu_share())),
                    fmt::format("{} resident", bytes_text(static_cast<double>(run.resident_bytes))),
                    fmt::format("in flight {}, at most {}", number_text(run.in_flight_mean),
                                run.in_flight_max)});
  if (model == Model::open) {
    out += line_of(
        "sent late by",
        {fmt::format("p50 {} ms", milliseconds_text(run.send_lag.percentile(50))),
         fmt::format("p99 {} ms", milliseconds_text(run.send_lag.percentile(99))),
         fmt::format("own part p99 {} ms", milliseconds_text(run.dispatch_lag.percentile(99)))});
  }
  return out;
}

// "1.42 ± 0.04": the half width to as many decimals as the mean.
std::string with_half_width(const std::string& mean, double half_width) {
  const std::size_t point = mean.find('.');
  const std::size_t decimals = point == std::string::npos ? 0 : mean.size() - point - 1;
  return fmt::format("{} ± {:.{}f}", mean, half_width, decimals);
}

std::string confidence_line(const Estimates& estimates) {
  std::vector<std::string> parts;
  for (const auto& [name, title] : {std::pair{"throughput", "operations/s"},
                                    {"read.p50", "read p50"},
                                    {"read.p99", "p99"},
                                    {"write.p50", "write p50"},
                                    {"write.p99", "p99"}}) {
    const auto found = estimates.find(name);
    if (found == estimates.end() || !found->second.half_width) continue;
    const Estimate& estimate = found->second;
    const bool is_rate = found->first == "throughput";
    parts.push_back(fmt::format(
        "{} {}", title,
        is_rate ? with_half_width(number_text(estimate.mean), *estimate.half_width)
                : with_half_width(milliseconds_text(estimate.mean), *estimate.half_width / 1e6)));
  }
  return parts.empty() ? "" : line_of("95 % sure", parts);
}

std::string csv_text(std::string_view text) {
  if (text.find_first_of(",\"\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string summary_text(const Settings& settings, std::span<const RunResult> repeats) {
  const RunResult run = combined(repeats);
  const Estimates estimated = estimates(repeats);
  const Model model = settings.load.model;
  std::string out = heading_lines(settings, repeats.size()) + "\n" + table(run, model) + "\n";
  out += errors_line(run) + checks_line(run.checks) + cache_line(run, estimated);
  out += generator_lines(run, model) + confidence_line(estimated);
  if (run.interrupted) out += "INTERRUPTED: these are the figures up to then\n";
  for (const std::string& reason : run.invalid) out += "INVALID: " + reason + "\n";
  return out;
}

std::string seconds_csv(std::span<const RunResult> repeats) {
  std::string out =
      "repeat,second,reads,hits,writes,errors,read_p50_ms,read_p99_ms,write_p50_ms,write_p99_ms,"
      "in_flight,resident_bytes\n";
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    for (const SecondSample& s : repeats[i].seconds) {
      out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n", i + 1, s.second, s.reads, s.hits,
                         s.writes, s.errors, s.read_p50_ns / 1e6, s.read_p99_ns / 1e6,
                         s.write_p50_ns / 1e6, s.write_p99_ns / 1e6, s.in_flight, s.resident_bytes);
    }
  }
  return out;
}

std::string summary_csv(const Settings& settings, std::span<const RunResult> repeats) {
  const RunResult run = combined(repeats);
  const Estimates estimated = estimates(repeats);
  const bool open = settings.load.model == Model::open;
  std::string names = "label,reads_percent,mode,connections,rate,repeats,valid,checks_failed";
  std::string values =
      fmt::format("{},{},{},{},{},{},{},{}", csv_text(settings.label),
                  settings.workload.reads_percent, word_for(model_words, settings.load.model),
                  settings.load.connections, open ? settings.load.rate.text() : "", repeats.size(),
                  run.invalid.empty() ? "yes" : "no", run.checks.failed() ? "yes" : "no");
  for (const Figure& figure : figures) {
    const bool is_time = figure.unit == Figure::Unit::nanoseconds;
    const double scale = is_time ? 1e-6 : 1;
    const auto found = estimated.find(figure.name);
    names += fmt::format(",{0}{1},{0}_95{1}", figure.name, is_time ? "_ms" : "");
    if (found == estimated.end()) {
      values += ",,";
      continue;
    }
    values += fmt::format(",{:.9g},", found->second.mean * scale);
    if (found->second.half_width)
      values += fmt::format("{:.9g}", *found->second.half_width * scale);
  }
  return names + "\n" + values + "\n";
}

std::string hgrm_text(const Histogram& histogram) {
  constexpr double ticks_per_half_distance = 5;
  const std::uint64_t total = histogram.count();
  std::string out = fmt::format("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile",
                                "TotalCount", "1/(1-Percentile)");
  // A line for each level of percentile that is reached; the levels become denser towards 100 %,
  // with as many of them on each halving of the distance to it. Of the last bucket only the first
  // level is told: it reaches all the others.
  double level = 0;
  std::uint64_t so_far = 0;
  histogram.visit([&](std::uint64_t value, std::uint64_t count) {
    so_far += count;
    while (100.0 * so_far / total >= level) {
      out += fmt::format("{:12.6f} {:2.12f} {:10} {:14.2f}\n", value / 1e6, level / 100, so_far,
                         1 / (1 - level / 100));
      const double half_distance = std::exp2(std::floor(std::log2(100 / (100 - level))) + 1);
      level += 100 / (ticks_per_half_distance * half_distance);
      if (so_far == total) break;
    }
  });
  if (total > 0) out += fmt::format("{:12.6f} {:2.12f} {:10}\n", histogram.max() / 1e6, 1.0, total);
  out += fmt::format("#[Mean    = {:12.6f}, StdDeviation   = {:12.6f}]\n", histogram.mean() / 1e6,
                     histogram.standard_deviation() / 1e6);
  out +=
      fmt::format("#[Max     = {:12.6f}, Total count    = {:12}]\n", histogram.max() / 1e6, total);
  // How HdrHistogram would call this resolution: each of its buckets is a power of two, the lower
  // half of the first one's steps counts too.
  constexpr int sub_buckets = 2 << Histogram::step_bits;
  constexpr int buckets = 40 - Histogram::step_bits;
  out += fmt::format("#[Buckets = {:12}, SubBuckets     = {:12}]\n", buckets, sub_buckets);
  return out;
}

}  // namespace imgcached::loadgen
