#include "tools/loadgen/bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "tools/loadgen/options.h"
#include "tools/loadgen/output_file.h"
#include "tools/loadgen/rate_search.h"
#include "tools/loadgen/report.h"
#include "tools/loadgen/result_file.h"
#include "tools/loadgen/verdict.h"

namespace imgcached::loadgen {
namespace {

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void print_verdict(const Verdict& verdict, std::string_view indent) {
  for (const std::string& sentence : verdict.sentences) {
    print(fmt::format("{}{}\n", indent, sentence));
  }
}

// Whether there was a server at all. A store that lost everything is one.
bool is_served(const RunResult& result) {
  return result.operations() > 0 || result.checks.checked > 0;
}

Error not_served(const Settings& settings) {
  return Error{Errc::unavailable, "no operation at " + settings.server.text() +
                                      " succeeded; is it running, and is it imgcached?"};
}

}  // namespace

int fail(const Error& error) {
  fmt::print(stderr, "loadgen: {}\n", error.message);
  return error.code == Errc::invalid_argument ? exit_usage : exit_could_not_run;
}

Bench::Bench(net::Loop& loop, const Settings& settings, const ImageSet& images)
    : settings_(settings),
      images_(images),
      environment_(Environment::current()),
      progress_(settings.quiet, isatty(STDERR_FILENO) == 1),
      runner_(loop, settings, images, progress_) {}

Task<int> Bench::execute() {
  const bool only_preloads = settings_.command == Settings::Command::preload;
  if (only_preloads || settings_.preload) {
    const int status = co_await preload();
    if (status != exit_ok || only_preloads) co_return status;
  }
  int status = exit_ok;
  if (settings_.command == Settings::Command::sweep) {
    status = co_await sweep();
  } else if (settings_.find_max) {
    status = co_await find_max();
  } else {
    status = co_await run();
  }
  co_return status;
}

Task<int> Bench::preload() {
  Result<void> loaded = co_await runner_.preload();
  if (runner_.interrupted()) co_return exit_interrupted;
  if (!loaded) co_return fail(loaded.error());
  if (settings_.command == Settings::Command::preload && !settings_.quiet) {
    print(fmt::format("{} keys hold images of {:.0f} bytes on average\n", settings_.workload.keys,
                      images_.mean_bytes()));
  }
  co_return exit_ok;
}

void Bench::note_repeat(unsigned number, unsigned repeats) {
  if (repeats > 1) progress_.note(fmt::format("repeat {} of {}", number, repeats));
}

Task<std::vector<RunResult>> Bench::measure(const Settings& settings) {
  std::vector<RunResult> repeats;
  for (unsigned i = 0; i < settings.load.repeat && !runner_.interrupted(); ++i) {
    note_repeat(i + 1, settings.load.repeat);
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
  if (!settings.quiet || !verdict.met) print_verdict(verdict, "  ");
  if (!files.empty()) {
    Result<void> written = write_files(settings, repeats, started_ms, files);
    if (!written) return fail(written.error());
  }
  if (runner_.interrupted()) return exit_interrupted;
  if (!is_served(all)) return fail(not_served(settings));
  return verdict.met ? exit_ok : exit_missed;
}

Task<int> Bench::run() {
  const std::int64_t started_ms = unix_ms();
  const std::vector<RunResult> repeats = co_await measure(settings_);
  co_return conclude(settings_, repeats, started_ms, settings_.out);
}

std::vector<Bench::Point> Bench::points_of_sweep() const {
  std::vector<Point> points;
  for (const double reads : settings_.sweep_reads) {
    for (const unsigned connections : settings_.sweep_connections) {
      Point& point = points.emplace_back();
      point.settings = settings_;
      point.settings.workload.reads_percent = reads;
      point.settings.load.connections = connections;
      point.files = fmt::format("{}/{}{}r{:g}-c{}", settings_.out, settings_.label,
                                settings_.label.empty() ? "" : "-", reads, connections);
    }
  }
  return points;
}

// Each round measures every point once. What slows the machine down for a while
// then spoils one repeat of some points, and shows in their intervals; with the
// repeats of a point in a row it would spoil all of them, and look like a result.
Task<int> Bench::sweep() {
  std::vector<Point> points = points_of_sweep();
  for (unsigned round = 0; round < settings_.load.repeat; ++round) {
    note_repeat(round + 1, settings_.load.repeat);
    for (Point& point : points) {
      if (runner_.interrupted()) break;
      const Settings& settings = point.settings;
      progress_.note(fmt::format("{}, {} connections", settings.workload.ratio_text(),
                                 settings.load.connections));
      if (round == 0) point.started_ms = unix_ms();
      RunResult result = co_await runner_.run(settings.load, settings.workload.reads_percent);
      if (!is_served(result) && !result.interrupted) co_return fail(not_served(settings));
      point.repeats.push_back(std::move(result));
    }
  }
  int worst = exit_ok;
  for (const Point& point : points) {
    if (point.repeats.empty()) continue;  // interrupted before
    const int status = conclude(point.settings, point.repeats, point.started_ms, point.files);
    if (status == exit_could_not_run) co_return status;
    worst = std::max(worst, status);
  }
  co_return worst;
}

Task<int> Bench::find_max() {
  RateSearch search(settings_.load.rate.from);
  std::vector<RunResult> best;
  std::int64_t best_started_ms = 0;
  bool is_generators_limit = false;
  while (const auto rate = search.next()) {
    Settings probe = settings_;
    probe.load.rate = {*rate, *rate};
    const std::int64_t started_ms = unix_ms();
    std::vector<RunResult> repeats = co_await measure(probe);
    if (runner_.interrupted()) break;
    const RunResult all = combined(repeats);
    if (!is_served(all)) co_return fail(not_served(settings_));
    const Verdict verdict = judge(probe, all);
    if (!settings_.quiet) {
      print(fmt::format("{:>9.0f}/s  {}\n", *rate, verdict.met ? "held" : "did not hold"));
      print_verdict(verdict, "             ");
      for (const std::string& reason : all.invalid) print("             " + reason + "\n");
    }
    if (all.checks.failed()) {
      if (settings_.quiet) print_verdict(verdict, "  ");
      co_return exit_missed;
    }
    search.tell(verdict.met);
    if (verdict.met) {
      best = std::move(repeats);
      best_started_ms = started_ms;
    } else {
      is_generators_limit = !all.invalid.empty();  // the lowest that failed counts
    }
  }
  if (!search.best()) {
    if (runner_.interrupted()) co_return exit_interrupted;
    print("no rate held\n");
    co_return exit_missed;
  }
  print(fmt::format("{}the highest rate that held: {:.0f}/s{}\n", settings_.quiet ? "" : "\n",
                    *search.best(),
                    is_generators_limit ? "  (the generator's own limit, not the server's)" : ""));
  Settings found = settings_;
  found.load.rate = {*search.best(), *search.best()};
  co_return conclude(found, best, best_started_ms, settings_.out);
}

}  // namespace imgcached::loadgen
