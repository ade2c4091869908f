#include "tools/loadgen/commands.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <span>

#include "base/clock.h"
#include "base/log.h"
#include "net/signal_watcher.h"
#include "tools/loadgen/compare.h"
#include "tools/loadgen/environment.h"
#include "tools/loadgen/options.h"
#include "tools/loadgen/output_file.h"
#include "tools/loadgen/plot.h"
#include "tools/loadgen/rate_search.h"
#include "tools/loadgen/report.h"
#include "tools/loadgen/result_file.h"
#include "tools/loadgen/runner.h"
#include "tools/loadgen/slo.h"

namespace imgcached::loadgen {
namespace {

// Descriptors beyond those of the connections.
constexpr rlim_t reserved_descriptors = 64;
// Of the requests of a rate that held, so many may have had no answer at most.
constexpr double unanswered_share_max = 0.001;

int fail(const Error& error) {
  fmt::print(stderr, "loadgen: {}\n", error.message);
  return error.code == Errc::invalid_argument ? exit_usage : exit_could_not_run;
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Result<void> allow_descriptors(unsigned connections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = connections + reserved_descriptors;
  if (limit.rlim_cur >= needed) return {};
  return Error{Errc::unavailable,
               fmt::format("{} connections need {} descriptors and this process may have {}; "
                           "raise the limit with `ulimit -n {}`",
                           connections, needed, limit.rlim_cur, needed)};
}

// --- Verdicts -----------------------------------------------------------------------------------

// What a run has to be, in sentences; and whether it is.
struct Verdict {
  bool met = true;
  std::vector<std::string> sentences;

  void require(bool holds, std::string sentence) {
    met = met && holds;
    sentences.push_back(std::move(sentence));
  }
};

Verdict judge(const Settings& settings, const RunResult& result) {
  Verdict verdict;
  if (result.checks.failed()) {
    verdict.require(false, fmt::format("wrong images: {} corrupt, {} stale, {} lost, {} foreign",
                                       result.checks.corrupt, result.checks.stale,
                                       result.checks.lost, result.checks.foreign));
  }
  for (const Slo& slo : settings.slos) {
    SloVerdict outcome = evaluate(slo, result);
    verdict.require(outcome.met, std::move(outcome.sentence));
  }
  if (settings.max_error_percent) {
    const std::uint64_t errors = result.of(Outcome::error).response.count();
    const double percent = 100 * share(errors, errors + result.operations());
    const bool met = percent <= *settings.max_error_percent;
    verdict.require(met, fmt::format("errors <= {:g} %: {}, {:.3g} %", *settings.max_error_percent,
                                     met ? "met" : "missed", percent));
  }
  const bool is_judged = !settings.slos.empty() || settings.max_error_percent;
  if (is_judged && !result.invalid.empty()) {
    verdict.require(false, "the run is invalid, so its conditions are not met");
  }
  return verdict;
}

// --- Runs ---------------------------------------------------------------------------------------

// What the loads of one process have in common.
class Bench {
 public:
  Bench(net::Loop& loop, const Settings& settings, const ImageSet& images)
      : settings_(settings),
        images_(images),
        environment_(Environment::current()),
        progress_(settings.quiet, isatty(STDERR_FILENO) == 1),
        runner_(loop, settings, images, progress_) {}

  Task<void> run_command(int& status);
  void interrupt() { runner_.interrupt(); }

 private:
  Task<int> preload();
  Task<int> run();
  Task<int> sweep();
  Task<int> find_max();
  Task<std::vector<RunResult>> measure(Settings settings);
  // The report, the files and the verdict of one measured point.
  int conclude(const Settings& settings, std::span<const RunResult> repeats,
               std::int64_t started_ms, const std::string& files);
  Result<void> write_files(const Settings& settings, std::span<const RunResult> repeats,
                           std::int64_t started_ms, const std::string& base) const;

  const Settings& settings_;
  const ImageSet& images_;
  const Environment environment_;
  Progress progress_;
  Runner runner_;
};

Task<std::vector<RunResult>> Bench::measure(Settings settings) {
  std::vector<RunResult> repeats;
  for (unsigned i = 0; i < settings.load.repeat && !runner_.interrupted(); ++i) {
    if (settings.load.repeat > 1) {
      progress_.note(fmt::format("repeat {} of {}", i + 1, settings.load.repeat));
    }
    RunResult result = co_await runner_.run(settings.load, settings.workload.reads_percent);
    repeats.push_back(std::move(result));
  }
  co_return repeats;
}

Result<void> Bench::write_files(const Settings& settings, std::span<const RunResult> repeats,
                                std::int64_t started_ms, const std::string& base) const {
  const RunResult all = combined(repeats);
  const std::pair<std::string, std::string> files[] = {
      {".json", result_json(settings, environment_, started_ms, repeats)},
      {".csv", summary_csv(settings, repeats)},
      {"-seconds.csv", seconds_csv(repeats)},
      {"-read.hgrm", hgrm_text(all.reads().response)},
      {"-write.hgrm", hgrm_text(all.of(Outcome::write).response)},
  };
  for (const auto& [ending, text] : files) {
    Result<void> written = write_output_file(base + ending, text);
    if (!written) return written;
  }
  return {};
}

int Bench::conclude(const Settings& settings, std::span<const RunResult> repeats,
                    std::int64_t started_ms, const std::string& files) {
  const RunResult all = combined(repeats);
  if (!settings.quiet) print(summary_text(settings, repeats));
  const Verdict verdict = judge(settings, all);
  for (const std::string& sentence : verdict.sentences) print("  " + sentence + "\n");
  if (!files.empty()) {
    Result<void> written = write_files(settings, repeats, started_ms, files);
    if (!written) return fail(written.error());
  }
  if (runner_.interrupted()) return exit_interrupted;
  if (all.operations() == 0) {
    return fail(Error{Errc::unavailable, "no operation at " + settings.server.text() +
                                             " succeeded; is it running, and is it imgcached?"});
  }
  return verdict.met ? exit_ok : exit_missed;
}

Task<int> Bench::preload() {
  if (settings_.command != Settings::Command::preload && !settings_.preload) co_return exit_ok;
  Result<void> loaded = co_await runner_.preload();
  if (runner_.interrupted()) co_return exit_interrupted;
  if (!loaded) co_return fail(loaded.error());
  if (settings_.command == Settings::Command::preload && !settings_.quiet) {
    print(fmt::format("{} keys hold images of {:.0f} bytes on average\n", settings_.workload.keys,
                      images_.mean_bytes()));
  }
  co_return exit_ok;
}

Task<int> Bench::run() {
  const std::int64_t started_ms = unix_ms();
  const std::vector<RunResult> repeats = co_await measure(settings_);
  co_return conclude(settings_, repeats, started_ms, settings_.out);
}

Task<int> Bench::sweep() {
  int worst = exit_ok;
  for (const double reads : settings_.sweep_reads) {
    for (const unsigned connections : settings_.sweep_connections) {
      Settings point = settings_;
      point.workload.reads_percent = reads;
      point.load.connections = connections;
      progress_.note(fmt::format("{}, {} connections", point.workload.ratio_text(), connections));
      const std::int64_t started_ms = unix_ms();
      const std::vector<RunResult> repeats = co_await measure(point);
      const std::string label = settings_.label.empty() ? "" : settings_.label + "-";
      const std::string name = fmt::format("{}r{:g}-c{}", label, reads, connections);
      const int status =
          conclude(point, repeats, started_ms, fmt::format("{}/{}", settings_.out, name));
      if (status == exit_interrupted || status == exit_could_not_run) co_return status;
      worst = std::max(worst, status);
    }
  }
  co_return worst;
}

Task<int> Bench::find_max() {
  RateSearch search(settings_.load.rate.from);
  std::vector<RunResult> best;
  std::int64_t best_started_ms = 0;
  std::string limit;
  while (const auto rate = search.next()) {
    Settings probe = settings_;
    probe.load.rate = {*rate, *rate};
    const std::int64_t started_ms = unix_ms();
    std::vector<RunResult> repeats = co_await measure(probe);
    if (runner_.interrupted()) co_return exit_interrupted;
    const RunResult all = combined(repeats);
    Verdict verdict = judge(probe, all);
    const std::uint64_t errors = all.of(Outcome::error).response.count();
    const std::uint64_t unanswered = all.never_sent + errors;
    if (share(unanswered, unanswered + all.operations()) > unanswered_share_max) {
      verdict.require(
          false, fmt::format("{} requests were never sent, {} had errors", all.never_sent, errors));
    }
    print(fmt::format("{:>9.0f}/s  {}\n", *rate, verdict.met ? "held" : "did not hold"));
    for (const std::string& sentence : verdict.sentences) print("             " + sentence + "\n");
    for (const std::string& reason : all.invalid) print("             " + reason + "\n");
    if (!all.invalid.empty()) limit = "  (the generator's own limit, not the server's)";
    if (all.checks.failed()) co_return exit_missed;
    search.tell(verdict.met);
    if (!verdict.met) continue;
    best = std::move(repeats);
    best_started_ms = started_ms;
  }
  if (!search.best()) {
    print("no rate held\n");
    co_return exit_missed;
  }
  print(fmt::format("\nthe highest rate that held: {:.0f}/s{}\n", *search.best(), limit));
  Settings found = settings_;
  found.load.rate = {*search.best(), *search.best()};
  co_return conclude(found, best, best_started_ms, settings_.out);
}

Task<void> Bench::run_command(int& status) {
  status = co_await preload();
  if (status != exit_ok) co_return;
  switch (settings_.command) {
    case Settings::Command::run:
      if (settings_.find_max) {
        status = co_await find_max();
      } else {
        status = co_await run();
      }
      break;
    case Settings::Command::sweep: status = co_await sweep(); break;
    default: break;  // preload is done
  }
}

Task<void> drive(Bench& bench, net::SignalWatcher& signals, int& status) {
  co_await bench.run_command(status);
  signals.close();
}

Task<void> watch_signals(Bench& bench, net::SignalWatcher& signals) {
  while (true) {
    // GCC 12 makes an illegal instruction of a loop that awaits in its condition.
    const int signal = co_await signals.next();
    if (signal == 0) co_return;
    bench.interrupt();
  }
}

unsigned most_connections(const Settings& settings) {
  unsigned most = std::max(settings.load.connections, 32u);  // preload has that many
  if (settings.command == Settings::Command::sweep) {
    for (const unsigned connections : settings.sweep_connections) {
      most = std::max(most, connections);
    }
  }
  return most;
}

int generate_load(const Settings& settings) {
  const Workload& workload = settings.workload;
  Result<void> allowed = allow_descriptors(most_connections(settings));
  if (!allowed) return fail(allowed.error());
  if (settings.command == Settings::Command::sweep) {
    if (::mkdir(settings.out.c_str(), 0777) != 0 && errno != EEXIST) {
      return fail(Error{Errc::unavailable, "--out: can't make the directory " + settings.out});
    }
  }
  Result<ImageSet> images =
      workload.images_directory.empty()
          ? Result<ImageSet>(ImageSet::generated(workload.sizes, workload.seed))
          : ImageSet::from_directory(workload.images_directory, workload.seed);
  if (!images) return fail(Error{images.error().code, "--images: " + images.error().message});

  net::Loop loop;
  Gate gate;
  int status = exit_could_not_run;
  net::SignalWatcher signals(loop, {SIGINT, SIGTERM});
  Bench bench(loop, settings, *images);
  gate.spawn(watch_signals(bench, signals));
  gate.spawn(drive(bench, signals, status));
  loop.run();
  return status;
}

// --- Results ------------------------------------------------------------------------------------

int compare_results(const Settings& settings) {
  Result<std::string> table = compare(settings.inputs[0], settings.inputs[1]);
  if (!table) return fail(Error{Errc::unavailable, std::move(table).error().message});
  print(*table);
  return exit_ok;
}

int plot_results(const Settings& settings) {
  const std::string& out = settings.out.empty() ? settings.inputs[0] : settings.out;
  Result<std::vector<std::string>> files = plot(settings.inputs[0], out);
  if (!files) return fail(Error{Errc::unavailable, std::move(files).error().message});
  for (const std::string& file : *files) print(file + "\n");
  return exit_ok;
}

}  // namespace

int execute(const Settings& settings) {
  log::set_level(log::Level::error);
  switch (settings.command) {
    case Settings::Command::run:
    case Settings::Command::sweep:
    case Settings::Command::preload: return generate_load(settings);
    case Settings::Command::plot: return plot_results(settings);
    case Settings::Command::compare: return compare_results(settings);
  }
  return exit_could_not_run;
}

}  // namespace imgcached::loadgen
