#include "tools/loadgen/runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "tools/loadgen/process_usage.h"
#include "tools/loadgen/server_counters.h"

namespace imgcached::loadgen {
namespace {

constexpr std::uint64_t ms_ns = second_ns / 1'000;
constexpr int preload_attempts_max = 5;
constexpr std::uint64_t preload_retry_ms = 200;
constexpr std::uint64_t reconnect_pause_ms = 100;
// Numbers of keys that nobody ever writes.
constexpr std::uint64_t absent_keys_begin = std::uint64_t{1} << 40;
constexpr std::uint64_t absent_keys = 1 << 20;

std::string describe(const Observation& seen) {
  if (!seen.failure) return fmt::format("the server answered {}", seen.status);
  switch (*seen.failure) {
    case Errc::timed_out: return "no answer in time";
    case Errc::closed: return "the connection was closed";
    case Errc::unavailable: return "no connection";
    default: return "the answer was no HTTP";
  }
}

// Why an open loop's figures are the generator's own.
std::vector<std::string> find_invalid(const RunResult& result) {
  std::vector<std::string> reasons;
  if (result.cpu_share() > Runner::cpu_share_max) {
    reasons.push_back(fmt::format("the generator used {:.0f} % of a core, over {:.0f} %",
                                  100 * result.cpu_share(), 100 * Runner::cpu_share_max));
  }
  const std::uint64_t lag_ns = result.dispatch_lag.percentile(99);
  if (lag_ns > Runner::dispatch_lag_p99_max_ns) {
    reasons.push_back(fmt::format(
        "requests were sent {:.1f} ms late (p99) although connections were free, over {:.0f} ms",
        static_cast<double>(lag_ns) / 1e6,
        static_cast<double>(Runner::dispatch_lag_p99_max_ns) / 1e6));
  }
  return reasons;
}

}  // namespace

// The arrivals of an open loop: the warm-up at the first rate, then the run.
struct Runner::Phases {
  Phases(net::Loop& loop, const Load& load, std::uint64_t start_ns, std::uint64_t begin_ns,
         std::uint64_t end_ns, Random& random)
      : warm_up(loop,
                Schedule({load.rate.from, load.rate.from}, load.arrivals,
                         std::max<std::uint64_t>(begin_ns - start_ns, 1), Random(random.next())),
                start_ns, begin_ns),
        measured(loop, Schedule(load.rate, load.arrivals, end_ns - begin_ns, Random(random.next())),
                 begin_ns, end_ns) {}

  Dispatcher warm_up;
  Dispatcher measured;
};

Runner::Runner(net::Loop& loop, const Settings& settings, const ImageSet& images,
               Progress& progress)
    : loop_(loop),
      settings_(settings),
      images_(images),
      progress_(progress),
      random_(settings.workload.seed),
      chooser_(settings.workload.distribution, Random(settings.workload.seed + 1)),
      ledger_(Random::from_os().next(), settings.workload.keys),
      timer_(loop) {}

Runner::~Runner() = default;

void Runner::interrupt() {
  if (interrupted_) {
    for (const auto& session : sessions_) session->abort();
  }
  interrupted_ = true;
  if (phases_) {
    phases_->warm_up.close();
    phases_->measured.close();
  }
  timer_.wake();
}

void Runner::open_sessions(const Load& load) {
  sessions_.clear();
  for (unsigned i = 0; i < load.connections; ++i) {
    sessions_.push_back(std::make_unique<Session>(loop_, settings_.server, settings_.workload,
                                                  images_, load.timeout_ms));
  }
}

// --- Preload ------------------------------------------------------------------------------------

Task<Result<void>> Runner::preload() {
  Load load = settings_.load;
  if (settings_.command != Settings::Command::preload) load.connections = preload_connections;
  open_sessions(load);
  std::uint64_t next_key = 0;
  std::optional<Error> failed;
  Gate gate;
  for (const auto& session : sessions_) gate.spawn(preload_keys(*session, next_key, failed));
  co_await gate.drained();
  sessions_.clear();
  progress_.end();
  if (failed) co_return std::move(*failed);
  if (interrupted_) co_return Error{Errc::closed, "interrupted"};
  co_return Result<void>();
}

Task<void> Runner::preload_keys(Session& session, std::uint64_t& next_key,
                                std::optional<Error>& failed) {
  net::Timer pause(loop_);
  const std::uint64_t keys = settings_.workload.keys;
  while (next_key < keys && !failed && !interrupted_) {
    const std::uint64_t key = next_key++;
    for (int attempt = 1;; ++attempt) {
      const Ledger::Write write = ledger_.begin_write(key);
      const Observation seen = co_await session.write(key, write.version);
      if (!seen.failure && seen.status / 100 == 2) {
        ledger_.acknowledged(write, seen.sent_twice);
        break;
      }
      ledger_.unknown(write);
      if (attempt == preload_attempts_max || interrupted_) {
        failed = Error{Errc::unavailable, fmt::format("could not write the key \"{}\" to {}: {}",
                                                      key_name(settings_.workload, key),
                                                      settings_.server.text(), describe(seen))};
        co_return;
      }
      co_await pause.wait(preload_retry_ms);
    }
    if (key % 256 == 0 || key + 1 == keys) progress_.preloaded(key + 1, keys);
  }
}

// --- A run --------------------------------------------------------------------------------------

Operation Runner::next_operation() {
  const Workload& workload = settings_.workload;
  Operation operation;
  const bool is_read = random_.unit() * 100 < reads_percent_;
  if (is_read && random_.unit() * 100 < workload.absent_percent) {
    operation.kind = Operation::Kind::read_absent;
    operation.key = absent_keys_begin + random_.below(absent_keys);
  } else if (is_read) {
    operation.key = chooser_.next(ledger_.keys());
    operation.expected = ledger_.before_read(operation.key);
  } else {
    operation.kind = Operation::Kind::write;
    const bool is_new = random_.unit() * 100 < workload.new_keys_percent;
    operation.write =
        is_new ? ledger_.begin_new() : ledger_.begin_write(chooser_.next(ledger_.keys()));
    operation.key = operation.write.key;
  }
  return operation;
}

// False when there was no connection to be had.
Task<bool> Runner::perform(Session& session, Recorder& recorder, std::uint64_t due_ns,
                           std::uint64_t free_ns) {
  const Operation operation = next_operation();
  recorder.sent(monotonic_ns());
  Observation seen;
  if (operation.kind == Operation::Kind::write) {
    seen = co_await session.write(operation.key, operation.write.version);
  } else {
    seen = co_await session.read(operation.key);
  }
  if (due_ns == 0) {
    due_ns = seen.sent_ns;
  } else {
    recorder.lag(due_ns, free_ns, seen.sent_ns);
  }
  recorder.done(operation, seen, due_ns, ledger_);
  co_return seen.failure != Errc::unavailable;
}

Task<void> Runner::serve_closed(Session& session, Recorder& recorder, std::uint64_t end_ns) {
  net::Timer pause(loop_);
  while (!interrupted_ && monotonic_ns() < end_ns) {
    const bool connected = co_await perform(session, recorder, 0, 0);
    // A server that is down refuses a hundred thousand connections a second.
    if (!connected) co_await pause.wait(reconnect_pause_ms);
  }
}

Task<void> Runner::serve_open(Session& session, Recorder& recorder, Phases& phases) {
  co_await serve_arrivals(session, recorder, phases.warm_up);
  co_await serve_arrivals(session, recorder, phases.measured);
}

Task<void> Runner::serve_arrivals(Session& session, Recorder& recorder, Dispatcher& arrivals) {
  while (true) {
    const std::optional<Dispatcher::Arrival> arrival = co_await arrivals.next();
    if (!arrival) co_return;
    const bool connected = co_await perform(session, recorder, arrival->due_ns, arrival->free_ns);
    (void)connected;  // the next arrival comes in its time
  }
}

Task<void> Runner::wait_until(std::uint64_t at_ns) {
  while (!interrupted_) {
    const std::uint64_t now_ns = monotonic_ns();
    if (now_ns >= at_ns) co_return;
    co_await timer_.wait((at_ns - now_ns + ms_ns - 1) / ms_ns);
  }
}

Task<void> Runner::watch_seconds(Recorder& recorder, std::uint64_t begin_ns, std::uint64_t end_ns) {
  const std::uint64_t total_s = (end_ns - begin_ns + second_ns - 1) / second_ns;
  for (std::uint64_t second = 0; second < total_s && !interrupted_; ++second) {
    co_await wait_until(std::min(begin_ns + (second + 1) * second_ns, end_ns));
    if (interrupted_) co_return;
    const SecondSample sample = recorder.end_second(second, resident_bytes());
    progress_.second(sample, total_s, recorder.checks());
  }
}

Task<void> Runner::note_counters(ServerCounters& counters) {
  Task<ServerCounters> reading =
      read_server_counters(loop_, settings_.server, settings_.cache, settings_.workload.token);
  counters = co_await std::move(reading);
}

Task<RunResult> Runner::run(Load load, double reads_percent) {
  reads_percent_ = reads_percent;
  open_sessions(load);
  Recorder recorder(load.model);
  const std::uint64_t start_ns = monotonic_ns();
  const std::uint64_t begin_ns = start_ns + load.warm_up_ms * ms_ns;
  const std::uint64_t end_ns = begin_ns + load.duration_ms * ms_ns;
  recorder.begin(begin_ns, end_ns);
  Gate gate;
  std::unique_ptr<Phases> phases;
  if (load.model == Model::open) {
    phases = std::make_unique<Phases>(loop_, load, start_ns, begin_ns, end_ns, random_);
    phases_ = phases.get();
    gate.spawn(phases->warm_up.run());
    gate.spawn(phases->measured.run());
  }
  for (const auto& session : sessions_) {
    gate.spawn(phases ? serve_open(*session, recorder, *phases)
                      : serve_closed(*session, recorder, end_ns));
  }

  for (std::uint64_t at_ns = start_ns; at_ns < begin_ns && !interrupted_; at_ns += second_ns) {
    progress_.warming_up((begin_ns - at_ns + second_ns - 1) / second_ns);
    co_await wait_until(std::min(at_ns + second_ns, begin_ns));
  }
  const double cpu_before_s = cpu_seconds();
  ServerCounters before;
  gate.spawn(note_counters(before));  // beside the run: a slow answer must not hold up its seconds
  co_await watch_seconds(recorder, begin_ns, end_ns);
  const std::uint64_t ended_ns = std::min(monotonic_ns(), end_ns);
  const double cpu_s = cpu_seconds() - cpu_before_s;
  if (interrupted_) recorder.cut(ended_ns);
  const std::uint64_t never_sent = phases ? phases->measured.take_untaken(ended_ns) : 0;
  co_await gate.drained();
  progress_.end();
  ServerCounters after;
  co_await note_counters(after);

  RunResult result = recorder.finish();
  result.never_sent = never_sent;
  result.server = difference(before, after);
  result.measured_s =
      static_cast<double>(ended_ns - std::min(begin_ns, ended_ns)) / static_cast<double>(second_ns);
  result.cpu_s = cpu_s;
  result.resident_bytes = resident_bytes();
  result.interrupted = interrupted_;
  if (load.model == Model::open) result.invalid = find_invalid(result);
  phases_ = nullptr;
  sessions_.clear();
  co_return result;
}

}  // namespace imgcached::loadgen
