#include "tools/loadgen/verdict.h"

#include <fmt/format.h>

#include "tools/loadgen/slo.h"

namespace imgcached::loadgen {
namespace {

void require(Verdict& verdict, bool holds, std::string sentence) {
  verdict.met = verdict.met && holds;
  verdict.sentences.push_back(std::move(sentence));
}

}  // namespace

Verdict judge(const Settings& settings, const RunResult& result) {
  Verdict verdict;
  const Checks& checks = result.checks;
  if (checks.failed()) {
    require(verdict, false,
            fmt::format("wrong images: {} corrupt, {} stale, {} lost, {} foreign", checks.corrupt,
                        checks.stale, checks.lost, checks.foreign));
  }
  for (const Slo& slo : settings.slos) {
    SloVerdict outcome = evaluate(slo, result);
    require(verdict, outcome.met, std::move(outcome.sentence));
  }
  const double errors = result.error_ratio();
  if (settings.max_error_percent) {
    const bool met = 100 * errors <= *settings.max_error_percent;
    require(verdict, met,
            fmt::format("errors <= {:g} %: {}, {:.3g} %", *settings.max_error_percent,
                        met ? "met" : "missed", 100 * errors));
  } else if (!settings.slos.empty() && settings.load.model == Model::open &&
             errors > Verdict::unanswered_share_max) {
    require(verdict, false,
            fmt::format("{} requests were never sent and {} had errors, too many to meet a "
                        "condition on the others",
                        result.never_sent, result.errors_count()));
  }
  const bool is_judged = !settings.slos.empty() || settings.max_error_percent;
  if (is_judged && !result.invalid.empty()) {
    require(verdict, false, "the run is invalid, so its conditions are not met");
  }
  return verdict;
}

}  // namespace imgcached::loadgen
