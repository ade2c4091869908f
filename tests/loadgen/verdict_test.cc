#include "tools/loadgen/verdict.h"

#include <doctest/doctest.h>

#include "tools/loadgen/slo.h"

namespace imgcached::loadgen {
namespace {

// Reads that took a millisecond each, and errors.
RunResult result_of(std::uint64_t reads, std::uint64_t errors = 0, std::uint64_t never_sent = 0) {
  RunResult result;
  result.measured_s = 1;
  result.of(Outcome::read_hit).response.record(1'000'000, reads);
  result.of(Outcome::error).response.record(5'000'000'000, errors);
  result.never_sent = never_sent;
  return result;
}

Settings open_loop(const char* slo = nullptr) {
  Settings settings;
  settings.load.model = Model::open;
  if (slo) settings.slos.push_back(*parse_slo(slo));
  return settings;
}

TEST_CASE("a run without conditions is met by whatever it measured") {
  const Verdict verdict = judge(Settings(), result_of(10, 90));
  CHECK(verdict.met);
  CHECK(verdict.sentences.empty());
}

TEST_CASE("a wrong image misses, whatever was asked for") {
  RunResult result = result_of(100);
  result.checks.stale = 1;
  const Verdict verdict = judge(Settings(), result);
  CHECK_FALSE(verdict.met);
  CHECK(verdict.sentences.at(0).find("1 stale") != std::string::npos);
}

TEST_CASE("every condition has its sentence, met or missed") {
  Settings settings = open_loop("read.p99<20ms");
  settings.slos.push_back(*parse_slo("throughput>1000"));
  const Verdict verdict = judge(settings, result_of(100));
  CHECK_FALSE(verdict.met);
  CHECK(verdict.sentences.size() == 2);
}

TEST_CASE("an open loop whose requests were never sent meets no condition") {
  CHECK(judge(open_loop("read.p99<20ms"), result_of(10'000)).met);
  CHECK(judge(open_loop("read.p99<20ms"), result_of(10'000, 5, 5)).met);  // 0.1 %
  CHECK_FALSE(judge(open_loop("read.p99<20ms"), result_of(10'000, 0, 100)).met);
  CHECK_FALSE(judge(open_loop("read.p99<20ms"), result_of(10'000, 100, 0)).met);
}

TEST_CASE("the error rate counts what was never sent, and decides how much of it may be") {
  Settings settings = open_loop("read.p99<20ms");
  settings.max_error_percent = 1;
  CHECK(judge(settings, result_of(9'900, 50, 50)).met);
  CHECK_FALSE(judge(settings, result_of(9'800, 100, 100)).met);
}

TEST_CASE("an invalid run meets no condition") {
  RunResult result = result_of(100);
  result.invalid.emplace_back("the generator used 99 % of a core");
  CHECK(judge(open_loop(), result).met);  // nothing was asked for
  CHECK_FALSE(judge(open_loop("read.p99<20ms"), result).met);
}

}  // namespace
}  // namespace imgcached::loadgen
