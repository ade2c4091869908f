#include "tools/loadgen/recorder.h"

#include <doctest/doctest.h>

namespace imgcached::loadgen {
namespace {

constexpr std::uint64_t ms = 1'000'000;

Observation answered(std::uint64_t sent_ns, std::uint64_t done_ns, int status = 200) {
  Observation seen;
  seen.sent_ns = sent_ns;
  seen.first_byte_ns = done_ns;
  seen.done_ns = done_ns;
  seen.status = status;
  return seen;
}

Operation write_of(Ledger& ledger) {
  Operation operation;
  operation.kind = Operation::Kind::write;
  operation.write = ledger.begin_write(0);
  return operation;
}

// One write, from when it was due until it was done.
std::uint64_t counted(Model model, std::uint64_t due_ms, std::uint64_t done_ms) {
  Ledger ledger(1, 1);
  Recorder recorder(model);
  recorder.begin(100 * ms, 200 * ms);
  const Operation operation = write_of(ledger);
  recorder.sent(due_ms * ms);
  recorder.done(operation, answered(due_ms * ms, done_ms * ms), due_ms * ms, ledger);
  return recorder.finish().of(Outcome::write).response.count();
}

TEST_CASE("a closed loop counts what is done within the measured time") {
  CHECK(counted(Model::closed, 50, 99) == 0);
  CHECK(counted(Model::closed, 50, 150) == 1);
  CHECK(counted(Model::closed, 150, 250) == 0);
}

TEST_CASE("an open loop counts what was due within the measured time, however late it is done") {
  CHECK(counted(Model::open, 50, 150) == 0);
  CHECK(counted(Model::open, 150, 160) == 1);
  CHECK(counted(Model::open, 150, 1'000) == 1);
  CHECK(counted(Model::open, 250, 260) == 0);
}

TEST_CASE("response counts from due, service and first byte from sent") {
  Ledger ledger(1, 1);
  Recorder recorder(Model::open);
  recorder.begin(0, 1'000 * ms);
  Observation seen = answered(30 * ms, 60 * ms);
  seen.first_byte_ns = 50 * ms;
  const Operation operation = write_of(ledger);
  recorder.sent(30 * ms);
  recorder.lag(10 * ms, 25 * ms, 30 * ms);
  recorder.done(operation, seen, 10 * ms, ledger);
  const RunResult result = recorder.finish();
  const Timings& writes = result.of(Outcome::write);
  CHECK(writes.response.max() == 50 * ms);
  CHECK(writes.service.max() == 30 * ms);
  CHECK(writes.first_byte.max() == 20 * ms);
  CHECK(result.send_lag.max() == 20 * ms);
  CHECK(result.dispatch_lag.max() == 5 * ms);  // it was due while no connection was free
}

TEST_CASE("what is in flight is averaged over the measured time") {
  Ledger ledger(1, 1);
  Recorder recorder(Model::closed);
  recorder.begin(0, 100 * ms);
  const Operation first = write_of(ledger);
  const Operation second = write_of(ledger);
  recorder.sent(0);
  recorder.sent(50 * ms);
  recorder.done(first, answered(0, 75 * ms), 0, ledger);
  recorder.done(second, answered(50 * ms, 300 * ms), 50 * ms, ledger);
  const RunResult result = recorder.finish();
  CHECK(result.in_flight_max == 2);
  CHECK(result.in_flight_mean == doctest::Approx(0.5 + 2 * 0.25 + 0.25));
}

TEST_CASE(
    "the ledger waits for the other copy of a write that was sent twice, however it was answered") {
  for (const int status : {201, 409, 503}) {
    CAPTURE(status);
    Ledger ledger(1, 1);
    Recorder recorder(Model::closed);
    recorder.begin(0, 100 * ms);
    const auto write = [&](int answer, bool sent_twice) {
      const Operation operation = write_of(ledger);
      recorder.sent(0);
      Observation seen = answered(0, ms, answer);
      seen.sent_twice = sent_twice;
      recorder.done(operation, seen, 0, ledger);
      return operation.write.version;
    };
    const Version once = write(201, false);
    const Version twice = write(status, true);
    write(201, false);
    const Ledger::Expectation expected = ledger.before_read(0);
    CHECK(ledger.judge(0, expected, twice) == Ledger::Verdict::right);
    CHECK(ledger.judge(0, expected, once) == Ledger::Verdict::stale);
  }
}

TEST_CASE("a cut run counts nothing after the cut") {
  Ledger ledger(1, 1);
  Recorder recorder(Model::open);
  recorder.begin(0, 1'000 * ms);
  recorder.cut(100 * ms);
  const Operation operation = write_of(ledger);
  recorder.sent(150 * ms);
  recorder.done(operation, answered(150 * ms, 160 * ms), 150 * ms, ledger);
  CHECK(recorder.finish().operations() == 0);
}

TEST_CASE("each second begins anew, the sums do not") {
  Ledger ledger(1, 1);
  Recorder recorder(Model::closed);
  recorder.begin(0, 2'000 * ms);
  for (const std::uint64_t at : {10, 20, 1'500}) {
    if (at == 1'500) CHECK(recorder.end_second(0, 0).writes == 2);
    const Operation operation = write_of(ledger);
    recorder.sent(at * ms);
    recorder.done(operation, answered(at * ms, (at + 5) * ms), at * ms, ledger);
  }
  const SecondSample second = recorder.end_second(1, 0);
  CHECK(second.writes == 1);
  CHECK(second.reads == 0);
  CHECK(second.write_p99_ns == doctest::Approx(5.0 * ms).epsilon(0.002));
  const RunResult result = recorder.finish();
  CHECK(result.seconds.size() == 2);
  CHECK(result.of(Outcome::write).response.count() == 3);
}

}  // namespace
}  // namespace imgcached::loadgen
