// Runner: drives a server with a workload and measures what comes of it.
//
// One loop, one thread. Each connection is a coroutine that takes its next
// operation: in a closed loop as soon as it has its answer, in an open loop when
// the Dispatcher says that one is due. A run is a warm-up, which nothing is
// recorded of but failed checks, and the measured time; operations under way at
// its end are waited for.
//
// A Runner knows what it has written (Ledger), over all of its runs: sweeps and
// searches use one Runner.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/gate.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "net/loop.h"
#include "net/timer.h"
#include "tools/loadgen/dispatcher.h"
#include "tools/loadgen/image_set.h"
#include "tools/loadgen/key_chooser.h"
#include "tools/loadgen/ledger.h"
#include "tools/loadgen/progress.h"
#include "tools/loadgen/recorder.h"
#include "tools/loadgen/run_result.h"
#include "tools/loadgen/session.h"
#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

class Runner {
 public:
  // An open loop whose generator needs more than this share of a core, or hands
  // out its arrivals later than this, measures itself.
  static constexpr double cpu_share_max = 0.9;
  static constexpr std::uint64_t dispatch_lag_p99_max_ns = 2'000'000;

  // Of a preload before a run: uploads that wait together share their syncs.
  static constexpr unsigned preload_connections = 32;

  // `settings`, `images` and `progress` must outlive it.
  Runner(net::Loop& loop, const Settings& settings, const ImageSet& images, Progress& progress);
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner();

  // Writes every key once. Errors: the first key that could not be written, after
  // several attempts, and why; closed after an interrupt.
  Task<Result<void>> preload();

  // One run with a load that need not be the settings' own.
  Task<RunResult> run(Load load, double reads_percent);

  // Ends the run under way: what was measured so far is its result. The second
  // time, operations under way are ended as well.
  void interrupt();
  bool interrupted() const { return interrupted_; }

 private:
  struct Phases;

  Task<void> preload_keys(Session& session, std::uint64_t& next_key, std::optional<Error>& failed);
  Task<void> serve_closed(Session& session, Recorder& recorder, std::uint64_t end_ns);
  Task<void> serve_open(Session& session, Recorder& recorder, Phases& phases);
  Task<void> serve_arrivals(Session& session, Recorder& recorder, Dispatcher& arrivals);
  Task<bool> perform(Session& session, Recorder& recorder, std::uint64_t due_ns,
                     std::uint64_t free_ns);
  Task<void> watch_seconds(Recorder& recorder, std::uint64_t begin_ns, std::uint64_t end_ns);
  Task<void> note_counters(ServerCounters& counters);
  Task<void> wait_until(std::uint64_t at_ns);
  Operation next_operation();
  void open_sessions(const Load& load);

  net::Loop& loop_;
  const Settings& settings_;
  const ImageSet& images_;
  Progress& progress_;
  Random random_;
  KeyChooser chooser_;
  Ledger ledger_;
  double reads_percent_ = 0;
  std::vector<std::unique_ptr<Session>> sessions_;  // of the run under way
  net::Timer timer_;
  Phases* phases_ = nullptr;  // of the open loop under way
  bool interrupted_ = false;
};

}  // namespace imgcached::loadgen
