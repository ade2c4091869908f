// RunResult: what one measured run saw. Filled by runner.h, told by report.h.
//
// Times are nanoseconds of the monotonic clock. The warm-up is not in it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tools/loadgen/histogram.h"

namespace imgcached::loadgen {

// The kinds of operations that are counted apart.
enum class Outcome {
  read_hit,     // X-Cache: hit
  read_miss,    // X-Cache: miss
  read_absent,  // a 404 of a key that nobody ever wrote, as asked for
  write,
  error,  // no answer, or a status that is none of these; see Errors
};
inline constexpr std::size_t outcomes = 5;

// The times of one kind of operations.
struct Timings {
  Histogram response;       // from the moment it was due (closed loop: sent) to the last byte
  Histogram service;        // from the moment it was sent to the last byte
  Histogram first_byte;     // from the moment it was sent to the first byte of the answer
  std::uint64_t bytes = 0;  // of images, read or written

  void add(const Timings& other);
};

// Of the errors, why; by status for answers.
struct Errors {
  std::uint64_t connect = 0;    // no connection
  std::uint64_t closed = 0;     // the connection ended before the answer was whole
  std::uint64_t timed_out = 0;  // no answer in time
  std::uint64_t protocol = 0;   // an answer that is no HTTP, or no JSON where it should be
  std::vector<std::pair<int, std::uint64_t>> by_status;  // sorted

  void add(const Errors& other);
};

// Every read was compared with what the store must hold. Any of these fails the run.
struct Checks {
  std::uint64_t checked = 0;
  std::uint64_t corrupt = 0;  // other bytes than were written
  std::uint64_t stale = 0;    // older than a write acknowledged before the read was sent
  std::uint64_t lost = 0;     // 404 for a key whose write had been acknowledged
  std::uint64_t foreign = 0;  // an image of another workload

  bool failed() const { return corrupt + stale + lost + foreign > 0; }
};

// What happened within one second of the run.
struct SecondSample {
  std::uint64_t second = 0;  // since the measured part began
  std::uint64_t reads = 0;
  std::uint64_t hits = 0;
  std::uint64_t writes = 0;
  std::uint64_t errors = 0;
  std::uint64_t read_p50_ns = 0, read_p99_ns = 0;    // response times; 0 without reads
  std::uint64_t write_p50_ns = 0, write_p99_ns = 0;  // likewise
  std::uint64_t in_flight = 0;                       // at its end
  std::uint64_t resident_bytes = 0;                  // of this process, likewise
};

// The server's own counters over the run (/metrics after, minus before).
struct ServerCounters {
  std::optional<std::uint64_t> hits, misses, evictions;     // nothing: not told
  std::optional<std::uint64_t> cached_bytes, cached_items;  // at the end
  std::optional<std::uint64_t> backend_bytes_written;
};

struct RunResult {
  Timings timings[outcomes];
  Errors errors;
  Checks checks;
  Histogram send_lag;  // open loop: from due to sent
  // The part of it for which a connection was free: ours, not the server's.
  Histogram dispatch_lag;
  std::uint64_t never_sent = 0;  // open loop: due, but no connection was free until the end
  double in_flight_mean = 0;
  std::uint64_t in_flight_max = 0;
  std::vector<SecondSample> seconds;
  ServerCounters server;
  double measured_s = 0;
  double cpu_s = 0;                  // of this process, user and system, within measured_s
  std::uint64_t resident_bytes = 0;  // of this process, at the end
  bool interrupted = false;
  // Why the figures are the generator's rather than the server's; empty: they are not.
  std::vector<std::string> invalid;

  const Timings& of(Outcome outcome) const { return timings[static_cast<std::size_t>(outcome)]; }
  Timings& of(Outcome outcome) { return timings[static_cast<std::size_t>(outcome)]; }
  // Hits, misses and absent ones together.
  Timings reads() const;
  std::uint64_t operations() const;  // without errors
  std::uint64_t errors_count() const { return of(Outcome::error).response.count(); }
  // Of all that was to be sent, what had an error or was never sent; 0 to 1.
  double error_ratio() const;
  // Of the reads that found an image; nothing when there were none.
  std::optional<double> hit_ratio() const;
  double per_second(std::uint64_t count) const { return measured_s > 0 ? count / measured_s : 0; }
  double cpu_share() const { return measured_s > 0 ? cpu_s / measured_s : 0; }
};

// The repeats of a run as if they were one long run, but for the per-second
// series, which is left out; what the cache holds is that of the last one.
RunResult combined(std::span<const RunResult> repeats);

}  // namespace imgcached::loadgen
