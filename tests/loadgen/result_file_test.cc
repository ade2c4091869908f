#include "tools/loadgen/result_file.h"

#include <doctest/doctest.h>

#include "http/json.h"
#include "tests/loadgen/synthetic.h"
#include "tools/loadgen/estimate.h"

using namespace imgcached;
using namespace imgcached::loadgen;

namespace {

constexpr std::int64_t started_ms = 1'714'564'800'000;  // 2024-05-01 12:00 UTC

std::string example(unsigned repeats = 3) {
  const Settings settings = synthetic::closed_loop(20, 32, "LRU");
  return result_json(settings, synthetic::environment(), started_ms,
                     synthetic::runs(settings, {}, repeats));
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string message_of(std::string_view json) {
  const Result<ResultFile> result = parse_result(json);
  REQUIRE(!result);
  CHECK(result.error().code == Errc::invalid_argument);
  return result.error().message;
}

}  // namespace

TEST_CASE("student_t_95 is that of the tables") {
  // Fisher and Yates, Statistical Tables, table III.
  CHECK(student_t_95(1) == doctest::Approx(12.706));
  CHECK(student_t_95(4) == doctest::Approx(2.776));
  CHECK(student_t_95(30) == doctest::Approx(2.042));
  CHECK(student_t_95(40) == doctest::Approx(2.0211).epsilon(1e-4));
  CHECK(student_t_95(60) == doctest::Approx(2.0003).epsilon(1e-4));
  CHECK(student_t_95(120) == doctest::Approx(1.9799).epsilon(1e-4));
  CHECK(student_t_95(1'000'000) == doctest::Approx(1.95996).epsilon(1e-5));
}

TEST_CASE("estimate: mean and half width of known samples") {
  const double samples[] = {10, 12, 14, 16, 18};  // s = sqrt(10), t(4) = 2.776
  const Estimate several = estimate(samples);
  CHECK(several.mean == doctest::Approx(14));
  REQUIRE(several.half_width);
  CHECK(*several.half_width == doctest::Approx(3.926).epsilon(1e-3));
  CHECK(several.low() == doctest::Approx(10.074).epsilon(1e-3));

  const Estimate one = estimate(std::span(samples, 1));
  CHECK(one.mean == 10);
  CHECK(!one.half_width);
  CHECK(one.low() == 10);

  const double same[] = {7, 7, 7};
  CHECK(*estimate(same).half_width == doctest::Approx(0));
}

TEST_CASE("estimates: what a run did not have is not among them") {
  const Settings settings = synthetic::closed_loop(100, 8, "");
  std::vector<RunResult> repeats = synthetic::runs(settings, {}, 2);
  for (RunResult& run : repeats) run.server = {};
  const Estimates figures = estimates(repeats);
  CHECK(figures.contains("read.p99"));
  CHECK(!figures.contains("write.p99"));
  CHECK(!figures.contains("evictions"));
  CHECK(figures.at("write.throughput").mean == 0);
  CHECK(figures.at("hit_ratio").mean == doctest::Approx(0.8).epsilon(1e-4));
  CHECK(figures.at("error_ratio").mean == 0);
}

TEST_CASE("combined: repeats add up") {
  const Settings settings = synthetic::open_loop(50, 5'000, "");
  std::vector<RunResult> repeats = synthetic::runs(settings, {}, 2);
  repeats[0].errors.by_status = {{404, 1}, {503, 2}};
  repeats[1].errors.by_status = {{500, 4}, {503, 8}};
  repeats[1].errors.timed_out = 3;
  repeats[1].checks.stale = 1;
  repeats[1].invalid = {"it was tired"};
  repeats[1].server.cached_items = 7;

  const RunResult sum = combined(repeats);
  CHECK(sum.operations() == repeats[0].operations() + repeats[1].operations());
  CHECK(sum.measured_s == doctest::Approx(20));
  CHECK(sum.errors.by_status ==
        std::vector<std::pair<int, std::uint64_t>>{{404, 1}, {500, 4}, {503, 10}});
  CHECK(sum.errors.timed_out == 3);
  CHECK(sum.checks.failed());
  CHECK(sum.invalid == std::vector<std::string>{"repeat 2: it was tired"});
  CHECK(*sum.server.evictions == *repeats[0].server.evictions + *repeats[1].server.evictions);
  CHECK(*sum.server.cached_items == 7);
  CHECK(sum.in_flight_mean == doctest::Approx(repeats[0].in_flight_mean));
  CHECK(sum.seconds.empty());
}

TEST_CASE("a result is read back as it was written") {
  Settings settings = synthetic::open_loop(33.3, 20'000, "LRU, \"big\"");
  settings.slos.push_back({.text = "read.p99<20ms"});
  settings.max_error_percent = 0.5;
  std::vector<RunResult> repeats = synthetic::runs(settings, {}, 3);
  repeats[1].checks.stale = 2;
  repeats[2].checks.lost = 1;
  repeats[2].invalid = {"the generator was busy"};
  repeats[2].interrupted = true;

  const Result<ResultFile> read =
      parse_result(result_json(settings, synthetic::environment(), started_ms, repeats));
  REQUIRE(read);
  CHECK(read->label == "LRU, \"big\"");
  CHECK(read->ratio == "33.3 % reads : 66.7 % writes");
  CHECK(read->reads_percent == 33.3);
  CHECK(read->model == Model::open);
  CHECK(read->connections == 256);
  CHECK(read->rate.from == 20'000);
  CHECK(read->rate.to == 20'000);
  CHECK(read->flags == flags_of(settings));
  CHECK(read->server == "127.0.0.1:5000");
  CHECK(read->started == "2024-05-01T12:00:00Z");
  CHECK(read->environment == synthetic::environment());
  CHECK(read->repeats == 3);
  CHECK(read->invalid == std::vector<std::string>{"repeat 3: the generator was busy"});
  CHECK(read->interrupted);
  CHECK(read->failed_checks == 3);

  const Estimates expected = estimates(repeats);
  REQUIRE(read->estimates.size() == expected.size());
  for (const auto& [name, estimate] : expected) {
    CAPTURE(name);
    CHECK(read->estimates.at(name).mean == estimate.mean);
    CHECK(read->estimates.at(name).half_width == estimate.half_width);
  }
  const RunResult all = combined(repeats);
  for (const double percent : {0.0, 50.0, 99.0, 99.9, 100.0}) {
    // The maximum is exact in memory, the file has its bucket.
    CHECK(read->read_response.percentile(percent) ==
          doctest::Approx(static_cast<double>(all.reads().response.percentile(percent)))
              .epsilon(Histogram::relative_error_max));
  }
  CHECK(read->read_response.count() == all.reads().response.count());
  CHECK(read->write_response.count() == all.of(Outcome::write).response.count());
}

TEST_CASE("one repeat has no intervals, a run without writes no times of them") {
  const Settings settings = synthetic::closed_loop(100, 1, "");
  const Result<ResultFile> read = parse_result(
      result_json(settings, synthetic::environment(), 0, synthetic::runs(settings, {}, 1)));
  REQUIRE(read);
  CHECK(read->started == "1970-01-01T00:00:00Z");
  CHECK(read->invalid.empty());
  CHECK(!read->estimates.at("throughput").half_width);
  CHECK(!read->estimates.contains("write.p50"));
  CHECK(read->write_response.count() == 0);
}

TEST_CASE("a result tells everything that was measured") {
  Settings settings = synthetic::closed_loop(50, 2, "");
  std::vector<RunResult> repeats = synthetic::runs(settings, {}, 1);
  repeats[0].errors.by_status = {{503, 6}};
  repeats[0].server.evictions.reset();
  const Result<http::JsonDocument> document = http::JsonDocument::parse(
      result_json(settings, synthetic::environment(), started_ms, repeats));
  REQUIRE(document);
  const http::JsonValue run = (*document->root().find("repeats")->elements())[0];
  CHECK(run.find("operations")->integer() == repeats[0].operations());
  CHECK(run.find("errors")->find("by_status")->find("503")->integer() == 6);
  CHECK(run.find("seconds")->elements()->size() == 10);
  CHECK(run.find("server")->find("evictions")->is_null());
  CHECK(run.find("server")->find("cached_items")->integer() == 3'000);
  CHECK(run.find("read_hit")->find("service")->find("p99.9")->integer() > 0);
  CHECK(run.find("error")->find("response")->find("count")->integer() == 0);
  CHECK(!run.find("error")->find("response")->find("p50"));
}

TEST_CASE("what is no result is refused with the reason") {
  CHECK(message_of("{").find("JSON") != std::string::npos);
  CHECK(message_of("{}") == "this is no result of the load generator: no \"schema\"");
  CHECK(message_of("[1]") == "this is no result of the load generator: no \"schema\"");
  CHECK(message_of(replaced(example(), "imgcached-loadgen/1", "imgcached-loadgen/2")) ==
        "its schema is \"imgcached-loadgen/2\", this program reads imgcached-loadgen/1");
  CHECK(message_of(replaced(example(), "\"label\":\"LRU\"", "\"label\":1")) ==
        "\"label\" is missing or not what it must be");
  CHECK(message_of(replaced(example(), "\"cores\":", "\"sores\":")) ==
        "\"machine.cores\" is missing or not what it must be");
  CHECK(message_of(replaced(example(), "\"half_width_95\":", "\"width\":")) ==
        "\"estimates.error_ratio.half_width_95\" is missing or not what it must be");
  CHECK(message_of(replaced(example(), "\"throughput\":", "\"put\":")) ==
        "\"estimates.throughput\" is missing or not what it must be");
  CHECK(message_of(replaced(example(), "\"stale\":0", "\"stale\":-1")) ==
        "\"repeats.checks.stale\" is missing or not what it must be");
  CHECK(message_of(
            replaced(example(), "\"histograms\":{\"read\":[[", "\"histograms\":{\"read\":[[-")) ==
        "\"histograms.read\" is missing or not what it must be");
}

TEST_CASE("read_result names the file") {
  const synthetic::Directory directory;
  directory.write("bad.json", "{\"schema\": \"other/1\"}");
  directory.write("good.json", example());
  const Result<ResultFile> bad = read_result(directory.file("bad.json"));
  REQUIRE(!bad);
  CHECK(bad.error().message.starts_with(directory.file("bad.json") + ": its schema is"));
  const Result<ResultFile> none = read_result(directory.file("none.json"));
  REQUIRE(!none);
  CHECK(none.error().code == Errc::not_found);
  const Result<ResultFile> good = read_result(directory.file("good.json"));
  REQUIRE(good);
  CHECK(good->path == directory.file("good.json"));
}
