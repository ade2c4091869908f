#include "tools/loadgen/runner.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/loadgen/faulty_server.h"

namespace imgcached::loadgen {
namespace {

using test::Fault;
using test::FaultyServer;
using test::run_task;
using test::run_until;

constexpr Dialect dialects[] = {Dialect::raw, Dialect::api};

// A generator and the server it drives.
struct Fixture {
  explicit Fixture(Dialect dialect = Dialect::raw) {
    settings.workload.dialect = dialect;
    settings.workload.keys = 20;
    settings.workload.sizes.median_bytes = 2'000;
    settings.load.connections = 4;
    settings.load.warm_up_ms = 0;
    settings.load.duration_ms = 500;  // some operations, on any machine
    settings.server = server.address();
  }
  ~Fixture() {
    runner.reset();
    loop_is_empty();
  }
  void loop_is_empty() { uv_run(loop.raw(), UV_RUN_NOWAIT); }

  Runner& start() {
    images.emplace(ImageSet::generated(settings.workload.sizes, settings.workload.seed));
    runner.emplace(loop, settings, *images, progress);
    return *runner;
  }
  RunResult run(double reads_percent = 50) {
    return run_task(loop, runner->run(settings.load, reads_percent));
  }
  // Preloads, then lets `fault` happen to every `every`-th request of the method.
  RunResult run_with(Fault fault, const std::string& method = "GET", unsigned every = 5) {
    REQUIRE(run_task(loop, start().preload()).ok());
    server.misbehave(fault, method, every);
    const RunResult result = run();
    CHECK(server.faults > 0);
    return result;
  }

  // That the faults were counted: at least one, and all but those of operations that
  // were not done within the measured time.
  void check_found(std::uint64_t count) const {
    CHECK(count > 0);
    CHECK(count <= server.faults);
    CHECK(count + settings.load.connections >= server.faults);
  }

  net::Loop loop;
  FaultyServer server{loop};
  Settings settings;
  Progress progress{true, false};
  std::optional<ImageSet> images;
  std::optional<Runner> runner;
};

std::uint64_t errors_of(const RunResult& result) {
  return result.of(Outcome::error).response.count();
}

TEST_CASE("preload writes every key once") {
  Fixture fixture;
  CHECK(run_task(fixture.loop, fixture.start().preload()).ok());
  CHECK(fixture.server.images() == 20);
}

TEST_CASE("a preload that can't write says which key and why") {
  Fixture fixture;
  fixture.server.misbehave(Fault::fail, "PUT");
  const Result<void> loaded = run_task(fixture.loop, fixture.start().preload());
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().message.find("loadgen-0000000") != std::string::npos);
  CHECK(loaded.error().message.find("503") != std::string::npos);
}

TEST_CASE("a correct server passes every check, and all outcomes are told apart") {
  Fixture fixture;
  fixture.settings.workload.absent_percent = 10;
  fixture.settings.workload.new_keys_percent = 10;
  REQUIRE(run_task(fixture.loop, fixture.start().preload()).ok());
  const RunResult result = fixture.run();
  CHECK_FALSE(result.checks.failed());
  CHECK(result.checks.checked > 10);
  for (const Outcome outcome :
       {Outcome::read_hit, Outcome::read_miss, Outcome::read_absent, Outcome::write}) {
    CAPTURE(static_cast<int>(outcome));
    CHECK(result.of(outcome).response.count() > 0);
  }
  CHECK(errors_of(result) == 0);
  CHECK(result.of(Outcome::read_hit).bytes == 2'000 * result.of(Outcome::read_hit).service.count());
  CHECK(fixture.server.images() > 20);
  CHECK(result.in_flight_max == 4);
  CHECK(result.in_flight_mean > 1);  // the generator's own time between two is none
  CHECK(result.in_flight_mean <= 4);
  CHECK(result.measured_s == doctest::Approx(0.5).epsilon(0.1));
}

TEST_CASE("the ratio of reads and writes is what was asked for") {
  Fixture fixture;
  REQUIRE(run_task(fixture.loop, fixture.start().preload()).ok());
  for (const double asked : {0.0, 20.0, 80.0, 100.0}) {
    const RunResult result = fixture.run(asked);
    const auto reads = static_cast<double>(result.reads().response.count());
    const auto operations = static_cast<double>(result.operations());
    REQUIRE(operations > 0);
    // Within five standard deviations of a binomial share, on few operations as on many.
    const double share = asked / 100;
    const double sigma = std::sqrt(share * (1 - share) / operations);
    CHECK(std::abs(reads / operations - share) <= 5 * sigma);
  }
}

TEST_CASE("the API's dialect, of a correct server") {
  Fixture fixture(Dialect::api);
  fixture.settings.workload.absent_percent = 10;
  REQUIRE(run_task(fixture.loop, fixture.start().preload()).ok());
  CHECK(fixture.server.images() == 20);
  const RunResult result = fixture.run();
  CHECK_FALSE(result.checks.failed());
  CHECK(result.checks.checked > 50);
  CHECK(errors_of(result) == 0);
  CHECK(result.of(Outcome::read_hit).bytes == 2'000 * result.of(Outcome::read_hit).service.count());
}

TEST_CASE("a corrupt image is counted as corrupt") {
  for (const Dialect dialect : dialects) {
    Fixture fixture(dialect);
    const RunResult result = fixture.run_with(Fault::corrupt);
    fixture.check_found(result.checks.corrupt);
    CHECK(errors_of(result) == 0);
    CHECK(result.checks.stale + result.checks.lost + result.checks.foreign == 0);
  }
}

// It used to be a protocol error, so that --max-error-percent could excuse it.
TEST_CASE("JSON or base64 that is spoilt, or another key's, is a corrupt image") {
  for (const Fault fault : {Fault::spoil_json, Fault::spoil_base64, Fault::misname}) {
    Fixture fixture(Dialect::api);
    const RunResult result = fixture.run_with(fault);
    fixture.check_found(result.checks.corrupt);
    CHECK(errors_of(result) == 0);
  }
}

TEST_CASE("a failure with status 200 is an error, and no wrong image") {
  Fixture fixture(Dialect::api);
  const RunResult result = fixture.run_with(Fault::refuse);
  CHECK(result.errors.protocol > 0);
  CHECK_FALSE(result.checks.failed());
}

TEST_CASE("an image that does not end is refused, and corrupt") {
  for (const Dialect dialect : dialects) {
    Fixture fixture(dialect);
    fixture.settings.load.duration_ms = 2'000;  // each of them takes its time
    const RunResult result = fixture.run_with(Fault::endless, "GET", 50);
    fixture.check_found(result.checks.corrupt);
    CHECK(errors_of(result) == 0);
  }
}

TEST_CASE("another key's image is counted as corrupt") {
  Fixture fixture;
  const RunResult result = fixture.run_with(Fault::swap);
  CHECK(result.checks.corrupt > 0);
}

TEST_CASE("a stale image is counted as stale") {
  for (const Dialect dialect : dialects) {
    Fixture fixture(dialect);
    const RunResult result = fixture.run_with(Fault::stale);
    CHECK(result.checks.stale > 0);
    CHECK(result.checks.corrupt + result.checks.lost + result.checks.foreign == 0);
  }
}

TEST_CASE("a lost image is counted as lost, and as an error") {
  for (const Dialect dialect : dialects) {
    Fixture fixture(dialect);
    const RunResult result = fixture.run_with(Fault::lose);
    CHECK(result.checks.lost > 0);
    REQUIRE(result.errors.by_status.size() == 1);
    CHECK(result.errors.by_status[0].first == 404);
    CHECK(result.checks.corrupt + result.checks.stale + result.checks.foreign == 0);
  }
}

TEST_CASE("an image of another workload is counted as foreign") {
  Fixture fixture;
  REQUIRE(run_task(fixture.loop, fixture.start().preload()).ok());
  fixture.runner.reset();
  ++fixture.settings.workload.seed;
  fixture.start();  // which does not preload
  const RunResult result = fixture.run(100);
  CHECK(result.checks.foreign > 0);
  CHECK(result.checks.foreign == result.checks.checked);
}

TEST_CASE("a truncated answer and a dropped connection are errors, and the run goes on") {
  for (const Fault fault : {Fault::truncate, Fault::drop}) {
    Fixture fixture;
    const RunResult result = fixture.run_with(fault);
    CHECK(result.errors.closed > 0);
    CHECK(errors_of(result) == result.errors.closed);
    CHECK(result.operations() > errors_of(result));
    CHECK_FALSE(result.checks.failed());
  }
}

TEST_CASE("an answer that is no HTTP is a protocol error") {
  Fixture fixture;
  const RunResult result = fixture.run_with(Fault::garbage);
  CHECK(result.errors.protocol > 0);
}

TEST_CASE("a refusal is an error by its status, and a write of unknown outcome accuses nobody") {
  Fixture fixture;
  const RunResult result = fixture.run_with(Fault::fail, "PUT");
  REQUIRE(result.errors.by_status.size() == 1);
  CHECK(result.errors.by_status[0].first == 503);
  CHECK_FALSE(result.checks.failed());
}

TEST_CASE("a server that does not answer is a time-out") {
  Fixture fixture;
  fixture.settings.load.timeout_ms = 100;
  const RunResult result = fixture.run_with(Fault::silent, "GET", 3);
  CHECK(result.errors.timed_out > 0);
  CHECK(result.of(Outcome::error).response.min() >= 90'000'000);
}

// The timeout used to begin anew with every byte.
TEST_CASE("a server that answers byte by byte is a time-out") {
  Fixture fixture;
  fixture.settings.load.timeout_ms = 100;
  const RunResult result = fixture.run_with(Fault::drip, "GET", 3);
  CHECK(result.errors.timed_out > 0);
  CHECK(result.of(Outcome::error).response.min() >= 90'000'000);
  CHECK(result.of(Outcome::error).response.max() < 1'000'000'000);
}

TEST_CASE("a server that is not there is an error of connecting") {
  Fixture fixture;
  net::Address nobody;
  {
    Result<net::Listener> listener =
        net::Listener::open(fixture.loop, test::loopback(fixture.loop));
    nobody = listener->address();
  }
  fixture.loop_is_empty();
  fixture.settings.server = nobody;
  fixture.start();
  const RunResult result = fixture.run();
  CHECK(result.errors.connect > 0);
  CHECK(result.operations() == 0);
}

TEST_CASE("an open loop sends at its rate, and counts from when requests were due") {
  Fixture fixture;
  fixture.settings.load.model = Model::open;
  fixture.settings.load.rate = {1'000, 1'000};
  fixture.settings.load.arrivals = Arrivals::constant;
  fixture.settings.load.duration_ms = 500;
  REQUIRE(run_task(fixture.loop, fixture.start().preload()).ok());
  const RunResult result = fixture.run();
  CHECK(result.operations() + result.never_sent >= 499);
  CHECK(result.operations() + result.never_sent <= 500);
  CHECK(result.send_lag.count() == result.operations());
  CHECK(result.reads().response.min() >= result.reads().service.min());
}

// Coordinated omission: a closed loop, and the service time, see one slow answer
// for each connection; those who would have come meanwhile are not asked.
TEST_CASE("an open loop shows a stall that the service time hides") {
  Fixture fixture;
  fixture.settings.load.model = Model::open;
  fixture.settings.load.rate = {800, 800};
  fixture.settings.load.connections = 2;
  fixture.settings.load.duration_ms = 2'000;
  REQUIRE(run_task(fixture.loop, fixture.start().preload()).ok());
  fixture.server.misbehave(Fault::stall);
  const RunResult result = fixture.run(100);
  const Timings reads = result.reads();
  CHECK(reads.response.percentile(99) > 100'000'000);
  CHECK(reads.service.percentile(99) < 100'000'000);
  CHECK(reads.service.max() > 100'000'000);
}

TEST_CASE("what an overloaded server never got to is counted") {
  Fixture fixture;
  fixture.settings.load.model = Model::open;
  fixture.settings.load.rate = {2'000, 2'000};
  fixture.settings.load.connections = 1;
  fixture.settings.load.timeout_ms = 100;
  const RunResult result = fixture.run_with(Fault::silent, "GET", 2);
  CHECK(result.never_sent > 100);
}

TEST_CASE("a ramp ends faster than it began") {
  Fixture fixture;
  fixture.settings.load.model = Model::open;
  fixture.settings.load.rate = {40, 400};  // far below what a busy machine manages
  fixture.settings.load.duration_ms = 3'000;
  REQUIRE(run_task(fixture.loop, fixture.start().preload()).ok());
  const RunResult result = fixture.run();
  REQUIRE(result.seconds.size() == 3);
  const auto operations = [](const SecondSample& s) { return s.reads + s.writes; };
  CHECK(operations(result.seconds[0]) < operations(result.seconds[1]));
  CHECK(operations(result.seconds[1]) < operations(result.seconds[2]));
}

Task<void> interrupt_after(net::Loop& loop, Runner& runner, std::uint64_t ms) {
  net::Timer timer(loop);
  co_await timer.wait(ms);
  runner.interrupt();
}

TEST_CASE("an interrupted run tells what it saw until then") {
  for (const Model model : {Model::closed, Model::open}) {
    Fixture fixture;
    fixture.settings.load.model = model;
    fixture.settings.load.rate = {1'000, 1'000};
    fixture.settings.load.duration_ms = 60'000;
    REQUIRE(run_task(fixture.loop, fixture.start().preload()).ok());
    Gate gate;
    gate.spawn(interrupt_after(fixture.loop, *fixture.runner, 150));
    const RunResult result = fixture.run();
    run_until(fixture.loop, [&] { return gate.running() == 0; });
    CHECK(result.interrupted);
    CHECK(result.operations() > 10);
    CHECK(result.measured_s < 30);
    CHECK(result.never_sent < 1'000);
  }
}

TEST_CASE("the second interrupt does not wait for answers") {
  Fixture fixture;
  fixture.settings.load.timeout_ms = 60'000;
  REQUIRE(run_task(fixture.loop, fixture.start().preload()).ok());
  fixture.server.misbehave(Fault::silent);
  Gate gate;
  gate.spawn(interrupt_after(fixture.loop, *fixture.runner, 50));
  gate.spawn(interrupt_after(fixture.loop, *fixture.runner, 100));
  const RunResult result = fixture.run(100);
  run_until(fixture.loop, [&] { return gate.running() == 0; });
  CHECK(result.interrupted);
}

TEST_CASE("the same seed chooses the same operations") {
  std::vector<std::string> sent[2];
  for (std::vector<std::string>& operations : sent) {
    Fixture fixture;
    fixture.settings.load.connections = 1;  // so that they come in as they were chosen
    fixture.settings.workload.new_keys_percent = 50;
    fixture.start();
    fixture.run();
    operations = fixture.server.operations();
  }
  // How far a run gets in its time is another matter.
  const std::size_t common = std::min(sent[0].size(), sent[1].size());
  REQUIRE(common >= 10);
  for (std::size_t i = 0; i < common; ++i) CHECK(sent[0][i] == sent[1][i]);
}

}  // namespace
}  // namespace imgcached::loadgen
