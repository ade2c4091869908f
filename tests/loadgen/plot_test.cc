#include "tools/loadgen/plot.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/loadgen/graph_check.h"
#include "tests/loadgen/synthetic.h"
#include "tools/loadgen/gnuplot.h"

using namespace imgcached;
using namespace imgcached::loadgen;

namespace {

ResultFile point(const Settings& settings, const std::string& path = "x.json") {
  Result<ResultFile> result = parse_result(
      result_json(settings, synthetic::environment(), 0, synthetic::runs(settings, {}, 1)));
  REQUIRE(result);
  result->path = path;
  return std::move(*result);
}

void write_point(const synthetic::Directory& directory, const std::string& name,
                 const Settings& settings, unsigned repeats = 2) {
  std::vector<RunResult> runs = synthetic::runs(settings, {}, repeats);
  if (settings.load.connections == 16) runs[0].invalid = {"it used 95 % of a core"};
  directory.write(name, result_json(settings, synthetic::environment(), 0, runs));
}

std::string message_of(const Result<std::vector<std::string>>& result) {
  REQUIRE(!result);
  return result.error().message;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Sets a variable of the environment while it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name), before_(std::getenv(name)) {
    ::setenv(name, value, 1);
  }
  ~Variable() { ::setenv(name_, before_.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};

}  // namespace

TEST_CASE("points become charts by ratio, lines by label, in the order of their load") {
  const std::vector<ResultFile> results{
      point(synthetic::closed_loop(80, 4, "LRU")),
      point(synthetic::closed_loop(20, 16, "no cache")),
      point(synthetic::closed_loop(20, 16, "LRU")),
      point(synthetic::closed_loop(20, 2, "LRU")),
      point(synthetic::closed_loop(33.3, 2, "")),
  };
  const Result<std::vector<Chart>> charts = charts_of(results);
  REQUIRE(charts);
  REQUIRE(charts->size() == 3);
  const Chart& first = (*charts)[0];
  CHECK(first.name == "20-80");
  CHECK(first.ratio == "20 % reads : 80 % writes");
  REQUIRE(first.lines.size() == 2);
  CHECK(first.lines[0].label == "LRU");
  REQUIRE(first.lines[0].points.size() == 2);
  CHECK(load_of(*first.lines[0].points[0]) == 2);
  CHECK(load_of(*first.lines[0].points[1]) == 16);
  CHECK(first.lines[1].label == "no cache");
  CHECK((*charts)[1].name == "33.3-66.7");
  CHECK((*charts)[1].lines[0].label == "no label");
  CHECK((*charts)[2].name == "80-20");
}

TEST_CASE("what does not belong into one figure is refused") {
  const auto refusal = [](std::vector<ResultFile> results) {
    const Result<std::vector<Chart>> charts = charts_of(results);
    REQUIRE(!charts);
    return charts.error().message;
  };
  const ResultFile closed = point(synthetic::closed_loop(20, 2, "LRU"), "a.json");
  const ResultFile open = point(synthetic::open_loop(20, 2'000, "LRU"), "b.json");
  CHECK(refusal({closed, open}) ==
        "a.json is of a closed loop, b.json of an open loop: they need a directory each");
  CHECK(contains(refusal({closed, point(synthetic::closed_loop(20, 2, "LRU"), "c.json")}),
                 "a.json and c.json are the same point"));
  Settings ramp = synthetic::open_loop(20, 2'000, "LRU");
  ramp.load.rate.to = 4'000;
  CHECK(refusal({point(ramp, "ramp.json")}) ==
        "ramp.json is of a ramp, which is no point of a graph");
}

TEST_CASE("ticks are left out where their texts would touch") {
  CHECK(ticks_of({4, 1, 2, 2, 8, 16, 32, 64}) == std::vector<double>{1, 2, 4, 8, 16, 32, 64});
  CHECK(ticks_of({7}) == std::vector<double>{7});
  std::vector<double> many;
  for (double rate = 1'000; rate <= 20'000; rate += 1'000) many.push_back(rate);
  const std::vector<double> ticks = ticks_of(many);
  CHECK(ticks.front() == 1'000);
  CHECK(ticks.size() >= 5);
  CHECK(ticks.size() <= 9);
}

TEST_CASE("plot writes two graphs for each ratio, in two formats, and a report") {
  const synthetic::Directory directory;
  for (const double reads : {20.0, 50.0, 80.0}) {
    for (const char* label : {"LRU", "it's \"Random\" {x}_y", "no cache"}) {
      for (const unsigned connections : {1u, 4u, 16u}) {
        static int number = 0;
        write_point(directory, std::to_string(++number) + ".json",
                    synthetic::closed_loop(reads, connections, label));
      }
    }
  }
  directory.write("notes.txt", "no result");
  const std::string out = directory.file("graphs of it's");
  const Result<std::vector<std::string>> written = plot(directory.path(), out);
  REQUIRE_MESSAGE(written, written.error().message);
  CHECK(written->size() == 3 * 5 + 1);
  for (const std::string& path : *written) {
    CAPTURE(path);
    CHECK(std::filesystem::file_size(path) > 500);
  }

  for (const std::string name : {"20-80", "50-50", "80-20"}) {
    for (const std::string kind : {"latency", "throughput"}) {
      const std::string path = out + "/" + kind + "-" + name;
      CAPTURE(path);
      const std::string svg = synthetic::read(path + ".svg");
      check_graph(svg, synthetic::read(path + ".png"), 3);
      for (const std::string& text :
           {name.substr(0, 2) + " % reads : " + name.substr(3) + " % writes", std::string("LRU"),
            std::string("no cache"), std::string("{x}_y"), std::string("Concurrent connections"),
            std::string("95 % confidence interval of 2 repeats"), std::string("invalid"),
            std::string(kind == "latency" ? "Response time (ms)" : "operations/s")}) {
        CAPTURE(text);
        CHECK(contains(svg, text));
      }
      CHECK(contains(svg, "p99") == (kind == "latency"));
    }
  }

  const std::string report = synthetic::read(out + "/report.html");
  CHECK(report.starts_with("<!doctype html>"));
  for (const char* text : {"20 % reads : 80 % writes", "<svg", "no cache", "{x}_y",
                           "invalid: repeat 1: it used 95 % of a core", "Example CPU 3.0 GHz",
                           "0123abc", "--warm-up"}) {
    CAPTURE(text);
    CHECK(contains(report, text));
  }
  // Self-contained: nothing is fetched, and what is no markup is escaped.
  for (const char* text : {"<?xml", "src=", "<link", "<script", "url(http", "{{", "\"Random\""}) {
    CAPTURE(text);
    CHECK(!contains(report, text));
  }
}

TEST_CASE("plot draws an open loop over the rate, reads alone, and a single point") {
  const synthetic::Directory directory;
  write_point(directory, "a.json", synthetic::open_loop(100, 2'000, ""), 1);
  const Result<std::vector<std::string>> written = plot(directory.path(), directory.path());
  REQUIRE_MESSAGE(written, written.error().message);
  const std::string latency = synthetic::read(directory.file("latency-100-0.svg"));
  CHECK(contains(latency, "Offered rate (operations/s)"));
  CHECK(contains(latency, ">Reads<"));
  CHECK(!contains(latency, ">Writes<"));
  CHECK(!contains(latency, "confidence"));
  const std::string throughput = synthetic::read(directory.file("throughput-100-0.svg"));
  CHECK(contains(throughput, "offered"));
  CHECK(!contains(throughput, "invalid"));
  check_graph(latency, synthetic::read(directory.file("latency-100-0.png")));
  check_graph(throughput, synthetic::read(directory.file("throughput-100-0.png")));
  // Again, over what is there.
  CHECK(plot(directory.path(), directory.path()));
}

TEST_CASE("plot says what is wrong with a directory") {
  const synthetic::Directory directory;
  const auto refusal = [&] { return message_of(plot(directory.path(), directory.file("out"))); };
  CHECK(contains(message_of(plot(directory.file("none"), directory.path())), "none"));
  CHECK(refusal() ==
        "no results in " + directory.path() + ": there is no *.json; `sweep --out` writes them");
  write_point(directory, "a.json", synthetic::closed_loop(20, 1, "LRU"));
  directory.write("b.json", R"({"schema": "imgcached-loadgen/2"})");
  CHECK(contains(refusal(), "/b.json: its schema is \"imgcached-loadgen/2\""));
  directory.write("b.json", R"({"schema": )");
  CHECK(contains(refusal(), "/b.json: bad JSON"));
  directory.write("b.json", "{}");
  CHECK(contains(refusal(), "/b.json: this is no result of the load generator"));
  // None of these left anything.
  CHECK(!std::filesystem::exists(directory.file("out")));
}

TEST_CASE("without gnuplot the error names the package") {
  const synthetic::Directory directory;
  write_point(directory, "a.json", synthetic::closed_loop(20, 1, "LRU"));
  const Variable path("PATH", directory.path().c_str());
  const Result<std::vector<std::string>> result = plot(directory.path(), directory.path());
  REQUIRE(!result);
  CHECK(result.error().code == Errc::unavailable);
  CHECK(contains(result.error().message, "apt-get install gnuplot-nox"));
}

TEST_CASE("what gnuplot complains of is in the error") {
  const synthetic::Directory directory;
  directory.write("bad.gp", "print 'value: '.value\nplot oops\n");
  const Result<void> result = run_gnuplot(directory.file("bad.gp"), {{"value", "it's"}});
  REQUIRE(!result);
  CHECK(contains(result.error().message, "bad.gp"));
  CHECK(contains(result.error().message, "value: it's"));
  CHECK(contains(result.error().message, "oops"));
}
