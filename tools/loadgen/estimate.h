// Estimates: the figures a run is judged by, and how far repeats bear them out.
//
// A figure is measured once in every repeat. Of the repeats the mean is given,
// and half the width of its 95 % confidence interval by Student's t: with n
// repeats the interval is  mean +- t(n - 1) * s / sqrt(n). It says how far the
// mean of few repeats may be off by chance, so two runs whose intervals do not
// overlap differ. It does not say how much single requests vary: that is what
// percentiles are for. Percentiles are averaged over repeats rather than taken
// of all requests together for that reason alone.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tools/loadgen/run_result.h"

namespace imgcached::loadgen {

struct Estimate {
  double mean = 0;
  std::optional<double> half_width;  // nothing: there was one repeat only

  double low() const { return mean - half_width.value_or(0); }
  double high() const { return mean + half_width.value_or(0); }
};

// REQUIRES: there is a sample.
Estimate estimate(std::span<const double> samples);

// The two-sided 95 % quantile of Student's distribution.
// REQUIRES: degrees_of_freedom > 0.
double student_t_95(std::size_t degrees_of_freedom);

// The figures, by the names that they have in --slo and in result files. Times
// are response times; throughput counts what was answered, hit_ratio the reads
// of keys that exist, error_ratio all that was sent, evictions what the server
// tells.
struct Figure {
  enum class Unit { per_second, nanoseconds, share, count };
  enum class Better { more, less, neither };
  std::string_view name;
  Unit unit;
  Better better;
};
inline constexpr Figure figures[] = {
    {"throughput", Figure::Unit::per_second, Figure::Better::more},
    {"read.throughput", Figure::Unit::per_second, Figure::Better::more},
    {"write.throughput", Figure::Unit::per_second, Figure::Better::more},
    {"read.mean", Figure::Unit::nanoseconds, Figure::Better::less},
    {"read.p50", Figure::Unit::nanoseconds, Figure::Better::less},
    {"read.p90", Figure::Unit::nanoseconds, Figure::Better::less},
    {"read.p99", Figure::Unit::nanoseconds, Figure::Better::less},
    {"read.p99.9", Figure::Unit::nanoseconds, Figure::Better::less},
    {"read.max", Figure::Unit::nanoseconds, Figure::Better::less},
    {"write.mean", Figure::Unit::nanoseconds, Figure::Better::less},
    {"write.p50", Figure::Unit::nanoseconds, Figure::Better::less},
    {"write.p90", Figure::Unit::nanoseconds, Figure::Better::less},
    {"write.p99", Figure::Unit::nanoseconds, Figure::Better::less},
    {"write.p99.9", Figure::Unit::nanoseconds, Figure::Better::less},
    {"write.max", Figure::Unit::nanoseconds, Figure::Better::less},
    {"hit_ratio", Figure::Unit::share, Figure::Better::more},
    {"error_ratio", Figure::Unit::share, Figure::Better::less},
    {"evictions", Figure::Unit::count, Figure::Better::neither},
};

// By the figure's name. What a run did not have (times of writes where there
// were none, evictions that the server does not tell) is not among them.
using Estimates = std::map<std::string, Estimate, std::less<>>;
Estimates estimates(std::span<const RunResult> repeats);

}  // namespace imgcached::loadgen
