#include "tools/loadgen/report.h"

#include <doctest/doctest.h>

#include <sstream>

#include "tests/loadgen/synthetic.h"

using namespace imgcached;
using namespace imgcached::loadgen;

namespace {

std::vector<std::string> report_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The first line that begins with it.
std::string line(const std::string& text, std::string_view begin) {
  for (const std::string& line : report_lines(text)) {
    if (line.starts_with(begin)) return line;
  }
  FAIL_CHECK("no line begins with " << begin << " in:\n" << text);
  return "";
}

void check_fits(const std::string& text) {
  INFO(text);
  CHECK(report_lines(text).size() <= 24);
  for (const std::string& line : report_lines(text)) CHECK(line.size() <= 80);
}

// A run whose every figure is known.
RunResult known_run() {
  RunResult run;
  run.measured_s = 10;
  const auto fill = [](Timings& timings, std::uint64_t count, double response_ms,
                       double service_ms) {
    timings.response.record(static_cast<std::uint64_t>(response_ms * 1e6), count);
    timings.service.record(static_cast<std::uint64_t>(service_ms * 1e6), count);
    timings.first_byte.record(static_cast<std::uint64_t>(service_ms * 1e6 / 2), count);
    timings.bytes = count * 1'000;
  };
  fill(run.of(Outcome::read_hit), 9'000, 100, 2);
  fill(run.of(Outcome::read_miss), 1'000, 300, 4);
  fill(run.of(Outcome::write), 40'000, 250, 8);
  run.checks.checked = 10'000;
  run.cpu_s = 3.4;
  run.resident_bytes = 24 << 20;
  return run;
}

}  // namespace

TEST_CASE("the summary of a closed loop") {
  const std::vector<RunResult> repeats{known_run()};
  const std::string text = summary_text(synthetic::closed_loop(20, 32, "LRU"), repeats);
  check_fits(text);
  CHECK(line(text, "closed loop") == "closed loop  32 connections, 10 s after 2 s of warm-up");
  CHECK(line(text, "workload").find("20 % reads : 80 % writes, 1000 keys, uniform") !=
        std::string::npos);
  CHECK(line(text, "server") == "server       127.0.0.1:5000, label LRU");
  //                                    /s   MB/s     p50     p90     p99   p99.9     max    mean
  CHECK(line(text, "reads ") ==
        "reads       1000   1.00     100     100     300     300     300     120    2.00");
  CHECK(line(text, "  hits ").starts_with("  hits       900"));
  CHECK(line(text, "  misses ").starts_with("  misses     100"));
  CHECK(line(text, "writes ").starts_with("writes      4000"));
  CHECK(line(text, "all ").starts_with("all         5000"));
  CHECK(text.find("absent") == std::string::npos);
  CHECK(line(text, "errors") == "errors       none");
  CHECK(line(text, "checks") == "checks       10000 reads, all right");
  CHECK(line(text, "cache") == "cache        90.0 % hits");
  CHECK(line(text, "generator") ==
        "generator    34.0 % of a core, 24.0 MiB resident, in flight 0.00, at most 0");
  CHECK(text.find("95 % sure") == std::string::npos);
  CHECK(text.find("INVALID") == std::string::npos);
  CHECK(text.find("INTERRUPTED") == std::string::npos);
}

TEST_CASE("the summary of an open loop has response and service time side by side") {
  Settings settings = synthetic::open_loop(20, 5'000, "");
  RunResult run = known_run();
  run.send_lag.record(92'000'000);
  run.dispatch_lag.record(10'000);
  run.never_sent = 7;
  const std::string text = summary_text(settings, std::vector<RunResult>{run});
  check_fits(text);
  CHECK(line(text, "open loop").find("5000 operations/s, Poisson, at most 256 connections") !=
        std::string::npos);
  CHECK(line(text, "reads ") ==
        "reads       1000     100     300     300     300    2.00    4.00    4.00    4.00");
  CHECK(line(text, "sent late by") ==
        "sent late by p50 92.0 ms, p99 92.0 ms, own part p99 0.010 ms");
  CHECK(line(text, "errors") == "errors       7 of 50007 (0.014 %), 7 never sent");
}

TEST_CASE("the summary says what went wrong") {
  RunResult run = known_run();
  run.of(Outcome::error).response.record(5'000'000'000, 50);
  run.errors.connect = 3;
  run.errors.timed_out = 40;
  run.errors.by_status = {{429, 1}, {503, 6}};
  run.checks.stale = 2;
  run.invalid = {"the generator used 95 % of a core"};
  run.interrupted = true;
  const std::string text =
      summary_text(synthetic::closed_loop(20, 32, ""), std::vector<RunResult>{run});
  check_fits(text);
  CHECK(line(text, "errors       50") ==
        "errors       50 of 50050 (0.1 %), 3 not connected, 40 timed out, 1 status 429,");
  CHECK(text.find(",\n             6 status 503\n") != std::string::npos);
  CHECK(line(text, "CHECKS FAIL") ==
        "CHECKS FAIL  0 corrupt, 2 stale, 0 lost, 0 foreign, of 10000 reads");
  CHECK(text.find("\nINVALID: the generator used 95 % of a core\n") != std::string::npos);
  CHECK(text.find("\nINTERRUPTED") != std::string::npos);
}

TEST_CASE("the summary of everything fits the screen") {
  Settings settings =
      synthetic::open_loop(33.3, 12'345.6, "a label of forty characters and no more");
  settings.workload.keys = 10'000'000;
  std::vector<RunResult> repeats = synthetic::runs(settings, {}, 5);
  for (RunResult& run : repeats) {
    run.of(Outcome::read_absent).response.record(1'000'000, 1'000);
    run.of(Outcome::error).response.record(5'000'000'000, 1'000);
    run.errors.closed = 1'000;
    run.errors.timed_out = 1'000;
    run.checks.foreign = 1;
  }
  const std::string text = summary_text(settings, repeats);
  check_fits(text);
  CHECK(line(text, "95 % sure").find("operations/s 10045 ± ") != std::string::npos);
}

TEST_CASE("the per-second series as CSV") {
  const Settings settings = synthetic::closed_loop(50, 4, "");
  const std::string text = seconds_csv(synthetic::runs(settings, {}, 2));
  const std::vector<std::string> lines = report_lines(text);
  REQUIRE(lines.size() == 21);
  CHECK(lines[0].starts_with("repeat,second,reads,hits,writes,errors,read_p50_ms"));
  CHECK(lines[1].starts_with("1,0,"));
  CHECK(lines[1].ends_with(",0,1,5,4,20,4,12000000"));
  CHECK(lines[20].starts_with("2,9,"));
}

TEST_CASE("the summary as CSV has as many values as names") {
  Settings settings = synthetic::closed_loop(100, 4, "say \"a, b\"");
  const auto fields = [](const std::string& line) {
    bool quoted = false;
    std::size_t count = 1;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (c == ',' && !quoted) ++count;
    }
    return count;
  };
  for (const unsigned repeats : {1u, 3u}) {
    const std::vector<std::string> lines =
        report_lines(summary_csv(settings, synthetic::runs(settings, {}, repeats)));
    REQUIRE(lines.size() == 2);
    CHECK(fields(lines[0]) == fields(lines[1]));
    CHECK(lines[0].find(",read.p99_ms,read.p99_95_ms,") != std::string::npos);
    CHECK(lines[1].starts_with("\"say \"\"a, b\"\"\",100,closed,4,,"));
  }
}

TEST_CASE("hgrm_text is what HdrHistogram prints") {
  Histogram histogram;
  for (std::uint64_t ms = 1; ms <= 10; ++ms) histogram.record(ms * 1'000'000);
  const std::vector<std::string> lines = report_lines(hgrm_text(histogram));
  CHECK(lines[0] == "       Value     Percentile TotalCount 1/(1-Percentile)");
  CHECK(lines[1].empty());
  const auto fields = [](const std::string& line) {
    std::istringstream stream(line);
    std::vector<double> numbers;
    for (double number; stream >> number;) numbers.push_back(number);
    return numbers;
  };
  // Levels 0, 10, ... 50, then 55, ... 75, 77.5, ...: as HdrHistogram goes with five ticks.
  const double levels[] = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.775, 0.8};
  const double values[] = {1, 1, 2, 3, 4, 5, 6, 6, 7, 7, 8, 8, 8};
  for (std::size_t i = 0; i < std::size(levels); ++i) {
    const std::vector<double> numbers = fields(lines[i + 2]);
    CAPTURE(lines[i + 2]);
    REQUIRE(numbers.size() == 4);
    CHECK(numbers[0] == doctest::Approx(values[i]).epsilon(Histogram::relative_error_max));
    CHECK(numbers[1] == doctest::Approx(levels[i]));
    CHECK(numbers[2] == values[i]);
    CHECK(numbers[3] == doctest::Approx(1 / (1 - levels[i])).epsilon(0.005));
  }
  REQUIRE(lines.size() > 6);
  const std::vector<double> last = fields(lines[lines.size() - 4]);
  REQUIRE(last.size() == 3);
  CHECK(last[0] == 10);
  CHECK(last[1] == 1);
  CHECK(last[2] == 10);
  CHECK(lines[lines.size() - 3].starts_with("#[Mean    =     5."));
  CHECK(lines[lines.size() - 2] == "#[Max     =    10.000000, Total count    =           10]");
  CHECK(lines[lines.size() - 1] == "#[Buckets =           30, SubBuckets     =         2048]");
}

TEST_CASE("hgrm_text of nothing is still such a file") {
  const std::vector<std::string> lines = report_lines(hgrm_text(Histogram{}));
  REQUIRE(lines.size() == 5);
  CHECK(lines[2].starts_with("#[Mean"));
}
