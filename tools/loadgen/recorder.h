// Recorder: sorts what the operations saw into a RunResult.
//
// Times are given, never read: the warm-up, the end and the seconds are the
// runner's. In a closed loop an operation counts when it is done within the
// measured time; in an open loop when it was due within it, however late it is
// done, or the slowest would be left out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "tools/loadgen/ledger.h"
#include "tools/loadgen/run_result.h"
#include "tools/loadgen/session.h"

namespace imgcached::loadgen {

// What was asked for.
struct Operation {
  enum class Kind { read, read_absent, write };
  Kind kind = Kind::read;
  std::uint64_t key = 0;
  Ledger::Expectation expected;  // reads
  Ledger::Write write;           // writes
};

class Recorder {
 public:
  explicit Recorder(Model model) : model_(model) {}

  // The measured time. REQUIRES: called once, before all that follows. (Apart from
  // the constructor, whose histograms take their time.)
  void begin(std::uint64_t begin_ns, std::uint64_t end_ns) {
    begin_ns_ = changed_ns_ = begin_ns;
    end_ns_ = end_ns;
  }

  // The measured time ends earlier than planned.
  void cut(std::uint64_t now_ns) { end_ns_ = std::clamp(now_ns, begin_ns_, end_ns_); }

  void sent(std::uint64_t now_ns) { change_in_flight(now_ns, +1); }
  // Open loop: how late it was, and how late although a connection was free.
  void lag(std::uint64_t due_ns, std::uint64_t free_ns, std::uint64_t sent_ns);
  // Settles a write in the ledger, judges a read by it, and counts both. Checks
  // count during the warm-up too.
  void done(const Operation& operation, const Observation& seen, std::uint64_t due_ns,
            Ledger& ledger);

  // The second that ends now, with the memory that this process has then.
  SecondSample end_second(std::uint64_t second, std::uint64_t resident_bytes);

  // The sums, at the end. What only the runner knows it adds itself.
  RunResult finish();

  // So far, for whoever watches.
  const Checks& checks() const { return result_.checks; }

 private:
  // Since the last end_second().
  struct Second {
    std::uint64_t hits = 0, errors = 0;
    Histogram reads, writes;
  };

  bool is_measured(std::uint64_t due_ns, std::uint64_t done_ns) const;
  Outcome judge(const Operation& operation, const Observation& seen, const Ledger& ledger);
  Outcome judge_read(const Operation& operation, const Observation& seen, const Ledger& ledger);
  void count_error(const Observation& seen);
  void change_in_flight(std::uint64_t now_ns, int change);

  const Model model_;
  std::uint64_t begin_ns_ = 0;
  std::uint64_t end_ns_ = 0;
  RunResult result_;
  std::map<int, std::uint64_t> errors_by_status_;
  Second second_;
  std::uint64_t in_flight_ = 0;
  std::uint64_t changed_ns_ = 0;  // up to when in_flight_ is summed up
  double in_flight_sum_ = 0;      // of in_flight_ over the nanoseconds
};

}  // namespace imgcached::loadgen
