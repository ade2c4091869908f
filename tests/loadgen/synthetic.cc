#include "tests/loadgen/synthetic.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/random.h"

namespace imgcached::loadgen::synthetic {
namespace {

constexpr unsigned seconds = 10;

void fill(Timings& timings, std::uint64_t count, double median_ms, Random& random) {
  // A few thousand draws show the shape; each stands for several operations.
  const std::uint64_t draws = std::min<std::uint64_t>(count, 2'000);
  for (std::uint64_t i = 0; i < draws; ++i) {
    const double uniform = (static_cast<double>(random.below(1 << 24)) + 0.5) / (1 << 24);
    const double service_ms = median_ms * (0.5 + 0.72 * -std::log(uniform));
    const std::uint64_t of_it = count / draws + (i < count % draws ? 1 : 0);
    const auto ns = [](double ms) { return static_cast<std::uint64_t>(ms * 1e6); };
    timings.response.record(ns(service_ms * 1.25), of_it);
    timings.service.record(ns(service_ms), of_it);
    timings.first_byte.record(ns(service_ms * 0.9), of_it);
  }
  timings.bytes = count * 15'360;
}

}  // namespace

Settings closed_loop(double reads_percent, unsigned connections, std::string label) {
  Settings settings;
  settings.workload.reads_percent = reads_percent;
  settings.load.connections = connections;
  settings.label = std::move(label);
  return settings;
}

Settings open_loop(double reads_percent, double rate, std::string label) {
  Settings settings = closed_loop(reads_percent, 256, std::move(label));
  settings.load.model = Model::open;
  settings.load.rate = {rate, rate};
  return settings;
}

RunResult run(const Settings& settings, const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  const double luck = 0.97 + 0.06 * static_cast<double>(random.below(1000)) / 1000;
  const auto count = static_cast<std::uint64_t>(shape.throughput * seconds * luck);
  const auto reads = static_cast<std::uint64_t>(count * settings.workload.reads_percent / 100);
  const auto hits = static_cast<std::uint64_t>(reads * shape.hit_share);

  RunResult run;
  run.measured_s = seconds;
  fill(run.of(Outcome::read_hit), hits, shape.read_ms / luck, random);
  fill(run.of(Outcome::read_miss), reads - hits, shape.read_ms * 2 / luck, random);
  fill(run.of(Outcome::write), count - reads, shape.write_ms / luck, random);
  run.checks.checked = reads;
  run.in_flight_mean = settings.load.connections * 0.9;
  run.in_flight_max = settings.load.connections;
  run.server.hits = hits;
  run.server.misses = reads - hits;
  run.server.evictions = (reads - hits) / 2;
  run.server.cached_bytes = 48'000'000;
  run.server.cached_items = 3'000;
  run.server.backend_bytes_written = reads * 15'500;
  run.cpu_s = 3.4;
  run.resident_bytes = 25'000'000;
  if (settings.load.model == Model::open) {
    run.send_lag.record(40'000, count);
    run.dispatch_lag.record(9'000, count);
  }
  for (std::uint64_t second = 0; second < seconds; ++second) {
    run.seconds.push_back({second, reads / seconds, hits / seconds, (count - reads) / seconds, 0,
                           1'000'000, 5'000'000, 4'000'000, 20'000'000, run.in_flight_max,
                           12'000'000});
  }
  return run;
}

std::vector<RunResult> runs(const Settings& settings, const Shape& shape, unsigned repeats) {
  std::vector<RunResult> result;
  for (unsigned i = 0; i < repeats; ++i) result.push_back(run(settings, shape, i + 1));
  return result;
}

Environment environment() {
  return {"Example CPU 3.0 GHz", 4, std::uint64_t{8} << 30, "Linux 6.1.0 x86_64", "0123abc"};
}

void Directory::write(const std::string& name, const std::string& text) const {
  std::ofstream(file(name)) << text;
}

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace imgcached::loadgen::synthetic
