// Reading quantities as people write them: counts, percentages, durations. Every error
// says what is accepted, so that a flag's message is its name and the error's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace imgcached::loadgen {

// The error of whatever can't be read.
Error refused(std::string message);

// All bounds are inclusive.
Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t min, std::uint64_t max);
Result<double> parse_number_between(std::string_view text, double min, double max);
// `80`, `80%` or `0.5`, from 0 to 100.
Result<double> parse_percent(std::string_view text);

// `500ms`, `1.5s`, `5m`; the units are ns, us, ms, s, m and h. Nanoseconds, at most 24 h.
// Zero needs no unit.
Result<double> parse_duration_ns(std::string_view text);
// The same in whole milliseconds, within bounds.
Result<std::uint64_t> parse_duration_ms(std::string_view text, std::uint64_t min_ms,
                                        std::uint64_t max_ms);

}  // namespace imgcached::loadgen
