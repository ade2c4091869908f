#include "tools/loadgen/commands.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/gate.h"
#include "base/log.h"
#include "net/signal_watcher.h"
#include "tools/loadgen/bench.h"
#include "tools/loadgen/compare.h"
#include "tools/loadgen/options.h"
#include "tools/loadgen/output_file.h"
#include "tools/loadgen/plot.h"

namespace imgcached::loadgen {
namespace {

// Descriptors beyond those of the connections.
constexpr rlim_t reserved_descriptors = 64;

Result<void> allow_descriptors(unsigned connections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = connections + reserved_descriptors;
  if (limit.rlim_cur >= needed) return {};
  return Error{Errc::unavailable,
               fmt::format("{} connections need {} descriptors and this process may have {}; "
                           "raise the limit with `ulimit -n {}`",
                           connections, needed, limit.rlim_cur, needed)};
}

unsigned most_connections(const Settings& settings) {
  unsigned most = std::max(settings.load.connections, Runner::preload_connections);
  if (settings.command == Settings::Command::sweep) {
    for (const unsigned connections : settings.sweep_connections) {
      most = std::max(most, connections);
    }
  }
  return most;
}

// Before anything is measured, that the results will have a place.
Result<void> prepare_output(const Settings& settings) {
  Result<void> prepared;
  if (settings.command == Settings::Command::sweep) {
    prepared = make_output_directory(settings.out);
  } else if (!settings.out.empty()) {
    prepared = try_output_file(settings.out + ".json");
  }
  if (!prepared) return Error{Errc::unavailable, "--out: " + prepared.error().message};
  return prepared;
}

Task<void> drive(Bench& bench, net::SignalWatcher& signals, int& status) {
  status = co_await bench.execute();
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

int generate_load(const Settings& settings) {
  const Workload& workload = settings.workload;
  Result<void> prepared = allow_descriptors(most_connections(settings));
  if (prepared) prepared = prepare_output(settings);
  if (!prepared) return fail(prepared.error());
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

int compare_results(const Settings& settings) {
  Result<std::string> table = compare(settings.inputs[0], settings.inputs[1]);
  if (!table) return fail(Error{Errc::unavailable, std::move(table).error().message});
  std::fputs(table->c_str(), stdout);
  return exit_ok;
}

int plot_results(const Settings& settings) {
  const std::string& out = settings.out.empty() ? settings.inputs[0] : settings.out;
  Result<std::vector<std::string>> files = plot(settings.inputs[0], out);
  if (!files) return fail(Error{Errc::unavailable, std::move(files).error().message});
  for (const std::string& file : *files) std::printf("%s\n", file.c_str());
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
