#include "tools/loadgen/compare.h"

#include <fmt/core.h>

#include <string_view>

#include "tools/loadgen/figure_text.h"

namespace imgcached::loadgen {
namespace {

std::string heading(std::string_view name, const ResultFile& file) {
  std::string out = fmt::format("{}  {}, {}", name, file.path, file.started);
  if (!file.label.empty()) out += ", label " + file.label;
  out += "\n";
  if (file.failed_checks > 0) {
    out += fmt::format("   CHECKS FAILED in {}: {} reads\n", name, file.failed_checks);
  }
  for (const std::string& reason : file.invalid) {
    out += fmt::format("   {} is INVALID: {}\n", name, reason);
  }
  if (file.interrupted) out += fmt::format("   {} was INTERRUPTED\n", name);
  return out;
}

std::string differences(const ResultFile& a, const ResultFile& b) {
  std::string out;
  const auto add = [&](std::string_view what, std::string_view of_a, std::string_view of_b) {
    const auto text = [](std::string_view value) { return value.empty() ? "nothing" : value; };
    if (of_a != of_b) out += fmt::format("  {}: {} in A, {} in B\n", what, text(of_a), text(of_b));
  };
  for (std::size_t i = 0; i < a.flags.size(); ++i) {
    add("--" + a.flags[i].first, a.flags[i].second, b.flags[i].second);
  }
  add("server", a.server, b.server);
  add("machine", a.environment.machine_text(), b.environment.machine_text());
  add("kernel", a.environment.kernel, b.environment.kernel);
  add("generator", a.environment.commit, b.environment.commit);
  return out.empty() ? "" : "\nWARNING: they were not measured alike:\n" + out;
}

std::string value_text(const Figure& figure, double value) {
  switch (figure.unit) {
    case Figure::Unit::nanoseconds: return milliseconds_text(value);
    case Figure::Unit::share: return percent_text(value);
    case Figure::Unit::per_second: return number_text(value);
    case Figure::Unit::count: return fmt::format("{:.0f}", value);
  }
  return "";
}

std::string_view unit_text(Figure::Unit unit) {
  switch (unit) {
    case Figure::Unit::nanoseconds: return ", ms";
    case Figure::Unit::per_second: return ", /s";
    case Figure::Unit::share:
    case Figure::Unit::count: return "";
  }
  return "";
}

std::string estimate_text(const Figure& figure, const Estimate& estimate) {
  std::string out = value_text(figure, estimate.mean);
  if (estimate.half_width) out += " ± " + value_text(figure, *estimate.half_width);
  return out;
}

std::string ratio_of(double a, double b) { return a > 0 ? fmt::format("{:.3f}", b / a) : "-"; }

std::string_view verdict(const Figure& figure, const Estimate& a, const Estimate& b) {
  if (!a.half_width || !b.half_width) return "";
  if (a.low() <= b.high() && b.low() <= a.high()) return "overlap";
  if (figure.better == Figure::Better::neither) return "differ";
  return (b.mean > a.mean) == (figure.better == Figure::Better::more) ? "better" : "worse";
}

std::string figures_table(const ResultFile& a, const ResultFile& b) {
  std::string out =
      fmt::format("{:<21}{:>20}{:>20}{:>8}  {}\n", "mean ± 95 %", "A", "B", "B/A", "intervals");
  for (const Figure& figure : figures) {
    const auto of_a = a.estimates.find(figure.name);
    const auto of_b = b.estimates.find(figure.name);
    const bool in_a = of_a != a.estimates.end();
    const bool in_b = of_b != b.estimates.end();
    if (!in_a && !in_b) continue;
    out += fmt::format("{:<21}{:>20}{:>20}{:>8}  {}",
                       std::string(figure.name) + std::string(unit_text(figure.unit)),
                       in_a ? estimate_text(figure, of_a->second) : "-",
                       in_b ? estimate_text(figure, of_b->second) : "-",
                       in_a && in_b ? ratio_of(of_a->second.mean, of_b->second.mean) : "-",
                       in_a && in_b ? verdict(figure, of_a->second, of_b->second) : "");
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

std::string distribution_table(std::string_view title, const Histogram& a, const Histogram& b) {
  if (a.count() == 0 || b.count() == 0) return "";
  constexpr double percents[] = {50, 75, 90, 95, 99, 99.9, 99.99, 100};
  std::string names = fmt::format("\n{:<15}", title);
  std::string values_a = fmt::format("{:<15}", "  A");
  std::string values_b = fmt::format("{:<15}", "  B");
  std::string ratios = fmt::format("{:<15}", "  B/A");
  for (const double percent : percents) {
    const auto of_a = static_cast<double>(a.percentile(percent));
    const auto of_b = static_cast<double>(b.percentile(percent));
    names += fmt::format("{:>8}", percent == 100 ? "max" : fmt::format("p{}", percent));
    values_a += fmt::format("{:>8}", milliseconds_text(of_a));
    values_b += fmt::format("{:>8}", milliseconds_text(of_b));
    ratios += fmt::format("{:>8}", ratio_of(of_a, of_b));
  }
  return names + "\n" + values_a + "\n" + values_b + "\n" + ratios + "\n";
}

}  // namespace

std::string comparison_text(const ResultFile& a, const ResultFile& b) {
  std::string out = heading("A", a) + heading("B", b) + differences(a, b) + "\n";
  out += figures_table(a, b);
  out += distribution_table("all reads, ms", a.read_response, b.read_response);
  out += distribution_table("all writes, ms", a.write_response, b.write_response);
  if (a.repeats < 2 || b.repeats < 2) {
    out +=
        "\nWithout repeats in both nobody can tell these differences from chance: measure with "
        "--repeat 5.\n";
  }
  return out;
}

Result<std::string> compare(const std::string& path_a, const std::string& path_b) {
  const Result<ResultFile> a = read_result(path_a);
  if (!a) return a.error();
  const Result<ResultFile> b = read_result(path_b);
  if (!b) return b.error();
  return comparison_text(*a, *b);
}

}  // namespace imgcached::loadgen
