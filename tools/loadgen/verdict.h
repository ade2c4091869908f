// Verdict: whether a run was as it has to be: right images always, and what
// --slo and --max-error-rate ask for.
//
// A request that got no answer has no time, so it breaks no condition on times.
// In an open loop that would let a server pass that stopped answering: whoever
// was due and never sent counts as an error, and a run that is to meet a
// condition may have hardly any of either.
#pragma once

#include <string>
#include <vector>

#include "tools/loadgen/run_result.h"
#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

struct Verdict {
  // Of the requests of an open loop that met its conditions, so many may have
  // had no answer, unless --max-error-rate says otherwise.
  static constexpr double unanswered_share_max = 0.001;

  bool met = true;
  std::vector<std::string> sentences;  // one for each condition, met or missed
};

// `result` is of one run, or of all its repeats together.
Verdict judge(const Settings& settings, const RunResult& result);

}  // namespace imgcached::loadgen
