#include "tools/loadgen/slo.h"

#include <fmt/format.h>

#include <vector>

#include "tools/loadgen/figure_text.h"
#include "tools/loadgen/nearest.h"
#include "tools/loadgen/quantity.h"

namespace imgcached::loadgen {
namespace {

using Operation = Slo::Operation;
using Quantity = Slo::Quantity;

constexpr double throughput_max = 1e9;

bool is_time(Quantity quantity) {
  return quantity != Quantity::throughput && quantity != Quantity::hit_ratio;
}

Result<void> parse_operation(std::string_view text, Slo& slo) {
  if (text == "read") slo.operation = Operation::read;
  else if (text == "write") slo.operation = Operation::write;
  else if (text == "all") slo.operation = Operation::all;
  else {
    return refused(fmt::format("\"{}\" is none of read, write and all{}", text,
                               did_you_mean(text, {"read", "write", "all"})));
  }
  return {};
}

Result<void> parse_time_quantity(std::string_view text, Slo& slo) {
  if (text == "mean") {
    slo.quantity = Quantity::mean;
  } else if (text == "max") {
    slo.quantity = Quantity::max;
  } else if (text.starts_with('p')) {
    Result<double> percent = parse_number_between(text.substr(1), 0, 100);
    if (!percent || *percent == 0) {
      return refused(fmt::format("\"{}\" is no percentile: write p50, p99 or p99.9", text));
    }
    slo.quantity = Quantity::percentile;
    slo.percent = *percent;
  } else {
    return refused(fmt::format("\"{}\" is none of p99 (or another percentile), mean and max{}",
                               text, did_you_mean(text, {"mean", "max"})));
  }
  return {};
}

Result<void> parse_subject(std::string_view text, Slo& slo) {
  if (text == "throughput") {
    slo.operation = Operation::all;
    slo.quantity = Quantity::throughput;
    return {};
  }
  if (text == "hit_ratio") {
    slo.operation = Operation::read;
    slo.quantity = Quantity::hit_ratio;
    return {};
  }
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) {
    return refused(
        fmt::format("\"{}\" is nothing that is measured: write read.p99, write.mean, "
                    "all.max, throughput or hit_ratio{}",
                    text, did_you_mean(text, {"throughput", "hit_ratio"})));
  }
  Result<void> parsed = parse_operation(text.substr(0, dot), slo);
  return parsed ? parse_time_quantity(text.substr(dot + 1), slo) : parsed;
}

Result<double> parse_bound(std::string_view text, Quantity quantity) {
  if (quantity == Quantity::throughput) return parse_number_between(text, 0, throughput_max);
  if (quantity == Quantity::hit_ratio) return parse_number_between(text, 0, 1);
  return parse_duration_ns(text);
}

std::string subject_text(const Slo& slo) {
  switch (slo.quantity) {
    case Quantity::throughput: return "throughput";
    case Quantity::hit_ratio: return "hit_ratio";
    default: break;
  }
  const std::string_view operation = slo.operation == Operation::read    ? "read"
                                     : slo.operation == Operation::write ? "write"
                                                                         : "all";
  switch (slo.quantity) {
    case Quantity::mean: return fmt::format("{}.mean", operation);
    case Quantity::max: return fmt::format("{}.max", operation);
    default: return fmt::format("{}.p{:.10g}", operation, slo.percent);
  }
}

std::string comparison_text(const Slo& slo) {
  return std::string(slo.at_most ? "<" : ">") + (slo.or_equal ? "=" : "");
}

std::string value_text(const Slo& slo, double value, int significant_digits) {
  if (is_time(slo.quantity)) return time_text(value, significant_digits);
  const std::string digits = digits_text(value, significant_digits);
  return slo.quantity == Quantity::throughput ? digits + "/s" : digits;
}

// To three digits, but to more where those would print what was measured as the
// bound itself: nobody understands "< 20 ms: missed, 20 ms".
std::string measured_text(const Slo& slo, double measured) {
  constexpr int digits_min = 3, digits_max = 9;
  const std::string bound = value_text(slo, slo.bound, digits_max);
  for (int digits = digits_min; digits < digits_max; ++digits) {
    std::string text = value_text(slo, measured, digits);
    if (measured == slo.bound || text != bound) return text;
  }
  return value_text(slo, measured, digits_max);
}

bool holds(const Slo& slo, double measured) {
  if (measured == slo.bound) return slo.or_equal;
  return slo.at_most == (measured < slo.bound);
}

Histogram response_times(Operation operation, const RunResult& result) {
  if (operation == Operation::write) return result.of(Outcome::write).response;
  Histogram times = result.reads().response;
  if (operation == Operation::all) times.add(result.of(Outcome::write).response);
  return times;
}

std::optional<double> measure_time(const Slo& slo, const RunResult& result) {
  const Histogram times = response_times(slo.operation, result);
  if (times.count() == 0) return std::nullopt;
  if (slo.quantity == Quantity::mean) return times.mean();
  if (slo.quantity == Quantity::max) return static_cast<double>(times.max());
  return static_cast<double>(times.percentile(slo.percent));
}

std::optional<double> measure(const Slo& slo, const RunResult& result) {
  if (slo.quantity == Quantity::throughput) return result.per_second(result.operations());
  if (slo.quantity == Quantity::hit_ratio) return result.hit_ratio();
  return measure_time(slo, result);
}

std::string nothing_measured(const Slo& slo) {
  if (slo.operation == Operation::read) return "there were no reads";
  return slo.operation == Operation::write ? "there were no writes" : "there were no operations";
}

}  // namespace

Result<Slo> parse_slo(std::string_view text) {
  const std::size_t sign = text.find_first_of("<>");
  if (sign == std::string_view::npos) {
    return refused(
        fmt::format("\"{}\" compares nothing: write read.p99<20ms or hit_ratio>=0.9", text));
  }
  Slo slo;
  slo.text = text;
  slo.at_most = text[sign] == '<';
  slo.or_equal = text.substr(sign + 1).starts_with('=');
  const std::string_view subject = text.substr(0, sign);
  Result<void> parsed = parse_subject(subject, slo);
  if (!parsed) return std::move(parsed).error();
  if (slo.at_most != is_time(slo.quantity)) {
    return refused(fmt::format("\"{}\": {} is bounded from {}, by {}", text, subject,
                               slo.at_most ? "below" : "above",
                               slo.at_most ? "> or >=" : "< or <="));
  }
  Result<double> bound = parse_bound(text.substr(sign + (slo.or_equal ? 2 : 1)), slo.quantity);
  if (!bound) return std::move(bound).error();
  slo.bound = *bound;
  return slo;
}

SloVerdict evaluate(const Slo& slo, const RunResult& result) {
  constexpr int bound_digits = 9;  // as it was given
  SloVerdict verdict;
  verdict.measured = measure(slo, result);
  verdict.met = verdict.measured && holds(slo, *verdict.measured);
  verdict.sentence =
      fmt::format("{} {} {}: {}, {}", subject_text(slo), comparison_text(slo),
                  value_text(slo, slo.bound, bound_digits), verdict.met ? "met" : "missed",
                  verdict.measured ? measured_text(slo, *verdict.measured) : nothing_measured(slo));
  return verdict;
}

}  // namespace imgcached::loadgen
