#include "tools/loadgen/estimate.h"

#include <cassert>
#include <cmath>
#include <optional>
#include <vector>

namespace imgcached::loadgen {
namespace {

void times_of(const Histogram& times, const std::string& kind,
              std::map<std::string, double>& values) {
  if (times.count() == 0) return;
  values[kind + ".mean"] = times.mean();
  values[kind + ".p50"] = static_cast<double>(times.percentile(50));
  values[kind + ".p90"] = static_cast<double>(times.percentile(90));
  values[kind + ".p99"] = static_cast<double>(times.percentile(99));
  values[kind + ".p99.9"] = static_cast<double>(times.percentile(99.9));
  values[kind + ".max"] = static_cast<double>(times.max());
}

std::map<std::string, double> values_of(const RunResult& run) {
  const Histogram reads = run.reads().response;
  const Histogram& writes = run.of(Outcome::write).response;

  std::map<std::string, double> values;
  values["throughput"] = run.per_second(run.operations());
  values["read.throughput"] = run.per_second(reads.count());
  values["write.throughput"] = run.per_second(writes.count());
  times_of(reads, "read", values);
  times_of(writes, "write", values);
  if (const std::optional<double> ratio = run.hit_ratio()) values["hit_ratio"] = *ratio;
  values["error_ratio"] = run.error_ratio();
  if (run.server.evictions) values["evictions"] = static_cast<double>(*run.server.evictions);
  return values;
}

}  // namespace

double student_t_95(std::size_t degrees_of_freedom) {
  assert(degrees_of_freedom > 0);
  static constexpr double table[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                     2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                     2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                     2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
  if (degrees_of_freedom <= std::size(table)) return table[degrees_of_freedom - 1];
  // The expansion about the normal quantile (Abramowitz and Stegun 26.7.5), right to four digits
  // from here on.
  const double z = 1.959964;
  const auto n = static_cast<double>(degrees_of_freedom);
  return z + (std::pow(z, 3) + z) / (4 * n) +
         (5 * std::pow(z, 5) + 16 * std::pow(z, 3) + 3 * z) / (96 * n * n);
}

Estimate estimate(std::span<const double> samples) {
  assert(!samples.empty());
  const auto n = static_cast<double>(samples.size());
  Estimate result;
  for (const double sample : samples) result.mean += sample / n;
  if (samples.size() == 1) return result;
  double squares = 0;
  for (const double sample : samples) squares += (sample - result.mean) * (sample - result.mean);
  const double deviation = std::sqrt(squares / (n - 1));
  result.half_width = student_t_95(samples.size() - 1) * deviation / std::sqrt(n);
  return result;
}

Estimates estimates(std::span<const RunResult> repeats) {
  std::map<std::string, std::vector<double>> samples;
  for (const RunResult& run : repeats) {
    for (const auto& [name, value] : values_of(run)) samples[name].push_back(value);
  }
  Estimates result;
  for (const auto& [name, values] : samples) result[name] = estimate(values);
  return result;
}

}  // namespace imgcached::loadgen
