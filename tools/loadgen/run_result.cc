#include "tools/loadgen/run_result.h"

#include <algorithm>

#include <fmt/core.h>

namespace imgcached::loadgen {
namespace {

void add(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& other) {
  if (other) sum = sum.value_or(0) + *other;
}

}  // namespace

void Timings::add(const Timings& other) {
  response.add(other.response);
  service.add(other.service);
  first_byte.add(other.first_byte);
  bytes += other.bytes;
}

void Errors::add(const Errors& other) {
  connect += other.connect;
  closed += other.closed;
  timed_out += other.timed_out;
  protocol += other.protocol;
  for (const auto& [status, count] : other.by_status) {
    const auto at =
        std::lower_bound(by_status.begin(), by_status.end(), status,
                         [](const auto& entry, int wanted) { return entry.first < wanted; });
    if (at != by_status.end() && at->first == status) {
      at->second += count;
    } else {
      by_status.insert(at, {status, count});
    }
  }
}

Timings RunResult::reads() const {
  Timings sum = of(Outcome::read_hit);
  sum.add(of(Outcome::read_miss));
  sum.add(of(Outcome::read_absent));
  return sum;
}

std::uint64_t RunResult::operations() const {
  std::uint64_t count = 0;
  for (const Outcome outcome :
       {Outcome::read_hit, Outcome::read_miss, Outcome::read_absent, Outcome::write}) {
    count += of(outcome).response.count();
  }
  return count;
}

double RunResult::error_ratio() const {
  const std::uint64_t failed = errors_count() + never_sent;
  const std::uint64_t all = failed + operations();
  return all == 0 ? 0 : static_cast<double>(failed) / static_cast<double>(all);
}

std::optional<double> RunResult::hit_ratio() const {
  const auto hits = static_cast<double>(of(Outcome::read_hit).response.count());
  const auto misses = static_cast<double>(of(Outcome::read_miss).response.count());
  if (hits + misses == 0) return std::nullopt;
  return hits / (hits + misses);
}

RunResult combined(std::span<const RunResult> repeats) {
  RunResult sum;
  double in_flight_seconds = 0;
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    const RunResult& run = repeats[i];
    for (std::size_t outcome = 0; outcome < outcomes; ++outcome) {
      sum.timings[outcome].add(run.timings[outcome]);
    }
    sum.errors.add(run.errors);
    sum.checks.checked += run.checks.checked;
    sum.checks.corrupt += run.checks.corrupt;
    sum.checks.stale += run.checks.stale;
    sum.checks.lost += run.checks.lost;
    sum.checks.foreign += run.checks.foreign;
    sum.send_lag.add(run.send_lag);
    sum.dispatch_lag.add(run.dispatch_lag);
    sum.never_sent += run.never_sent;
    in_flight_seconds += run.in_flight_mean * run.measured_s;
    sum.in_flight_max = std::max(sum.in_flight_max, run.in_flight_max);
    add(sum.server.hits, run.server.hits);
    add(sum.server.misses, run.server.misses);
    add(sum.server.evictions, run.server.evictions);
    add(sum.server.backend_bytes_written, run.server.backend_bytes_written);
    sum.server.cached_bytes = run.server.cached_bytes;
    sum.server.cached_items = run.server.cached_items;
    sum.measured_s += run.measured_s;
    sum.cpu_s += run.cpu_s;
    sum.resident_bytes = std::max(sum.resident_bytes, run.resident_bytes);
    sum.interrupted = sum.interrupted || run.interrupted;
    for (const std::string& reason : run.invalid) {
      sum.invalid.push_back(repeats.size() == 1 ? reason
                                                : fmt::format("repeat {}: {}", i + 1, reason));
    }
  }
  if (sum.measured_s > 0) sum.in_flight_mean = in_flight_seconds / sum.measured_s;
  return sum;
}

}  // namespace imgcached::loadgen
