// What a run is measured against: `read.p99<20ms`.
//
//   read.QUANTITY   of all reads, hit, missed or absent
//   write.QUANTITY  of all writes
//   all.QUANTITY    of both
//     QUANTITY is p50, p99.9, mean or max: of the response times, which in an
//     open loop count from the moment a request was due; bounded by < or <=
//   throughput      operations a second, errors not counted; bounded by > or >=
//   hit_ratio       hits among the reads of what exists, 0 to 1; by > or >=
//
// Errors have no times, so they break no condition on one: --max-error-rate does.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tools/loadgen/run_result.h"
#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

// invalid_argument says what is accepted.
Result<Slo> parse_slo(std::string_view text);

struct SloVerdict {
  bool met = false;
  // In the unit of Slo::bound. Nothing: there was nothing to measure, and so it is missed.
  std::optional<double> measured;
  std::string sentence;  // "read.p99 < 20 ms: missed, 34.1 ms"
};

SloVerdict evaluate(const Slo& slo, const RunResult& result);

}  // namespace imgcached::loadgen
