// Conditions on a run: how they are written, and what becomes of them.
#include "tools/loadgen/slo.h"

#include <doctest/doctest.h>

namespace imgcached::loadgen {
namespace {

using Operation = Slo::Operation;
using Quantity = Slo::Quantity;

constexpr std::uint64_t ms_ns = 1'000'000;

Slo parsed(const std::string& text) {
  const Result<Slo> slo = parse_slo(text);
  CAPTURE(text);
  REQUIRE(slo.ok());
  return *slo;
}

std::string refusal_of(const std::string& text) {
  const Result<Slo> slo = parse_slo(text);
  if (slo) return "accepted";
  CHECK(slo.error().code == Errc::invalid_argument);
  return slo.error().message;
}

// Ten hits of 1 to 10 ms, ten misses of 11 to 20 ms, an absent read of 30 ms and
// a write of 100 ms, within two seconds.
RunResult some_run() {
  RunResult result;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    result.of(Outcome::read_hit).response.record(i * ms_ns);
    result.of(Outcome::read_miss).response.record((10 + i) * ms_ns);
  }
  result.of(Outcome::read_absent).response.record(30 * ms_ns);
  result.of(Outcome::write).response.record(100 * ms_ns);
  // None of these may count: time on the wire only, and the time of errors.
  result.of(Outcome::read_hit).service.record(7'000 * ms_ns);
  result.of(Outcome::error).response.record(9'000 * ms_ns);
  result.measured_s = 2;
  return result;
}

std::string sentence(const std::string& slo, const RunResult& result = some_run()) {
  const SloVerdict verdict = evaluate(parsed(slo), result);
  CHECK(verdict.met == (verdict.sentence.find(": met, ") != std::string::npos));
  CHECK(verdict.met != (verdict.sentence.find(": missed, ") != std::string::npos));
  return verdict.sentence;
}

TEST_CASE("slo: what is bounded, how, and by what") {
  Slo slo = parsed("read.p99<20ms");
  CHECK(slo.operation == Operation::read);
  CHECK(slo.quantity == Quantity::percentile);
  CHECK(slo.percent == 99);
  CHECK(slo.at_most);
  CHECK_FALSE(slo.or_equal);
  CHECK(slo.bound == 20e6);
  CHECK(slo.text == "read.p99<20ms");

  slo = parsed("write.p99.9<=1s");
  CHECK(slo.operation == Operation::write);
  CHECK(slo.percent == 99.9);
  CHECK(slo.or_equal);
  CHECK(slo.bound == 1e9);

  slo = parsed("all.mean<1.5ms");
  CHECK(slo.operation == Operation::all);
  CHECK(slo.quantity == Quantity::mean);
  CHECK(slo.bound == 1.5e6);

  slo = parsed("read.max<1m");
  CHECK(slo.quantity == Quantity::max);
  CHECK(slo.bound == 60e9);

  slo = parsed("throughput>10000");
  CHECK(slo.operation == Operation::all);
  CHECK(slo.quantity == Quantity::throughput);
  CHECK_FALSE(slo.at_most);
  CHECK_FALSE(slo.or_equal);
  CHECK(slo.bound == 10000);

  slo = parsed("hit_ratio>=0.9");
  CHECK(slo.operation == Operation::read);
  CHECK(slo.quantity == Quantity::hit_ratio);
  CHECK_FALSE(slo.at_most);
  CHECK(slo.or_equal);
  CHECK(slo.bound == 0.9);
}

TEST_CASE("slo: a refusal says what is accepted") {
  CHECK(refusal_of("read.p99") ==
        "\"read.p99\" compares nothing: write read.p99<20ms or hit_ratio>=0.9");
  CHECK(refusal_of("") == "\"\" compares nothing: write read.p99<20ms or hit_ratio>=0.9");
  CHECK(refusal_of("raed.p99<1s") == "\"raed\" is none of read, write and all; did you mean read?");
  CHECK(refusal_of("reads.p99<1s") ==
        "\"reads\" is none of read, write and all; did you mean read?");
  CHECK(refusal_of("get.p99<1s") == "\"get\" is none of read, write and all");
  CHECK(refusal_of("read.maen<1s") ==
        "\"maen\" is none of p99 (or another percentile), mean and max; did you mean mean?");
  CHECK(refusal_of("read.99<1s") == "\"99\" is none of p99 (or another percentile), mean and max");
  for (const std::string percentile : {"p", "p0", "p100.1", "p-1", "pq", "p99%", "pinf"}) {
    CHECK(refusal_of("read." + percentile + "<1s") ==
          "\"" + percentile + "\" is no percentile: write p50, p99 or p99.9");
  }
  const std::string subjects =
      " is nothing that is measured: write read.p99, write.mean, all.max, throughput or hit_ratio";
  CHECK(refusal_of("throughtput>1") == "\"throughtput\"" + subjects + "; did you mean throughput?");
  CHECK(refusal_of("hitratio>1") == "\"hitratio\"" + subjects + "; did you mean hit_ratio?");
  CHECK(refusal_of("read<1s") == "\"read\"" + subjects);
  CHECK(refusal_of("<1s") == "\"\"" + subjects);

  CHECK(refusal_of("read.p99>1s") == "\"read.p99>1s\": read.p99 is bounded from above, by < or <=");
  CHECK(refusal_of("throughput<1") ==
        "\"throughput<1\": throughput is bounded from below, by > or >=");
  CHECK(refusal_of("hit_ratio<=1") ==
        "\"hit_ratio<=1\": hit_ratio is bounded from below, by > or >=");

  CHECK(refusal_of("read.p99<20") == "\"20\" has no unit: write 20s or 20ms");
  CHECK(refusal_of("read.p99<") == "\"\" is no duration: write 500ms, 30s or 5m");
  CHECK(refusal_of("read.p99<<1s") == "\"<1s\" is no duration: write 500ms, 30s or 5m");
  CHECK(refusal_of("read.p99=<1s") != "accepted");
  CHECK(refusal_of("read.p99< 1s") == "\" 1s\" is no duration: write 500ms, 30s or 5m");
  CHECK(refusal_of("hit_ratio>=90") == "\"90\" is no number from 0 to 1");
  CHECK(refusal_of("throughput>fast") == "\"fast\" is no number from 0 to 1000000000");
}

TEST_CASE("slo: response times of reads, of writes, and of both") {
  CHECK(sentence("read.p50<20ms") == "read.p50 < 20 ms: met, 11 ms");
  CHECK(sentence("read.max<=20ms") == "read.max <= 20 ms: missed, 30 ms");
  CHECK(sentence("read.p100<1s") == "read.p100 < 1 s: met, 30 ms");
  CHECK(sentence("write.max<1s") == "write.max < 1 s: met, 100 ms");
  CHECK(sentence("all.max<50ms") == "all.max < 50 ms: missed, 100 ms");
  CHECK(sentence("all.p50<1s") == "all.p50 < 1 s: met, 11 ms");
  CHECK(sentence("all.p99.9<1.5s") == "all.p99.9 < 1.5 s: met, 100 ms");
  // (55 + 155 + 30) / 21
  CHECK(sentence("read.mean<11.5ms") == "read.mean < 11.5 ms: met, 11.4 ms");
  CHECK(evaluate(parsed("write.mean<1s"), some_run()).measured ==
        doctest::Approx(1e8).epsilon(1e-3));
}

TEST_CASE("slo: throughput and hit ratio") {
  // 22 operations in 2 s; the error is none of them.
  CHECK(sentence("throughput>10") == "throughput > 10/s: met, 11/s");
  CHECK(sentence("throughput>11") == "throughput > 11/s: missed, 11/s");
  CHECK(sentence("throughput>=11") == "throughput >= 11/s: met, 11/s");
  // What does not exist can't hit.
  CHECK(sentence("hit_ratio>=0.5") == "hit_ratio >= 0.5: met, 0.5");
  CHECK(sentence("hit_ratio>0.5") == "hit_ratio > 0.5: missed, 0.5");
  CHECK(sentence("hit_ratio>=0.9") == "hit_ratio >= 0.9: missed, 0.5");
}

TEST_CASE("slo: equality is met by <= and missed by <") {
  CHECK(evaluate(parsed("read.max<=30ms"), some_run()).met);
  CHECK_FALSE(evaluate(parsed("read.max<30ms"), some_run()).met);
}

TEST_CASE("slo: what is missed by a hair is told to the hair") {
  RunResult result;
  result.of(Outcome::read_hit).response.record(20'001'000);
  CHECK(sentence("read.max<20ms", result) == "read.max < 20 ms: missed, 20.001 ms");
}

TEST_CASE("slo: what was not measured is missed") {
  const RunResult nothing;
  CHECK(sentence("read.p99<1h", nothing) == "read.p99 < 3600 s: missed, there were no reads");
  CHECK(sentence("write.max<1s", nothing) == "write.max < 1 s: missed, there were no writes");
  CHECK(sentence("all.mean<1s", nothing) == "all.mean < 1 s: missed, there were no operations");
  CHECK(sentence("hit_ratio>=0", nothing) == "hit_ratio >= 0: missed, there were no reads");
  CHECK(sentence("throughput>0", nothing) == "throughput > 0/s: missed, 0/s");
  CHECK_FALSE(evaluate(parsed("read.p99<1s"), nothing).measured);
}

}  // namespace
}  // namespace imgcached::loadgen
