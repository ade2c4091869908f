// The load generator as one uses it: its program against the real server.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "http/json.h"
#include "tests/e2e/fixture.h"
#include "tests/loadgen/graph_check.h"

namespace imgcached::e2e {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The server that all of these put load on, each with keys of its own; ended by
// the last test case.
std::unique_ptr<Server> shared_server;

Server& server() {
  if (!shared_server) shared_server = std::make_unique<Server>();
  return *shared_server;
}
std::string url() { return fmt::format("http://127.0.0.1:{}", server().backend_port()); }

std::vector<std::string> command_line(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), fs::path(program_path()).parent_path() / "loadgen");
  return arguments;
}

// Runs the program to its end.
Outcome loadgen(std::vector<std::string> arguments) {
  const ScratchDirectory scratch;
  const std::string errors = scratch.path() + "/errors";
  Process process(command_line(std::move(arguments)), errors);
  std::string output = process.read_all();
  const int status = process.wait();
  return {status, std::move(output), contents(errors)};
}

// A short run, with further flags.
std::vector<std::string> short_run(const std::string& prefix, std::vector<std::string> flags = {}) {
  std::vector<std::string> arguments{"run",
                                     "--keys",
                                     "50",
                                     "--warm-up",
                                     "100ms",
                                     "--duration",
                                     "500ms",
                                     "--connections",
                                     "4",
                                     "--sizes",
                                     "4KiB",
                                     "--cache-url",
                                     server().cache_url(),
                                     "--key-prefix",
                                     prefix + "-"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.push_back(url());
  return arguments;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// How often `part` occurs in `text`.
int times(std::string_view text, std::string_view part) {
  int found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_CASE("loadgen measures a mix in either dialect, checks every image and exits 0") {
  for (const char* dialect : {"raw", "api"}) {
    CAPTURE(dialect);
    const Outcome outcome =
        loadgen(short_run(std::string("mix-") + dialect, {"--reads", "80", "--dialect", dialect,
                                                          "--absent", "5", "--new-keys", "20"}));
    CAPTURE(outcome.output);
    CAPTURE(outcome.errors);
    CHECK(outcome.status == 0);
    CHECK(has(outcome.output, "80 % reads : 20 % writes"));
    CHECK(has(outcome.output, "all right"));
    CHECK(has(outcome.errors, "preload"));
  }
}

TEST_CASE("loadgen finds nothing stale where several loops serve") {
  Server several({.flags = {"--backend-loops", "3"}});
  for (const char* reads : {"90", "40"}) {
    CAPTURE(reads);
    const Outcome outcome =
        loadgen({"run", "--keys", "20", "--sizes", "lognormal:32KiB", "--reads", reads,
                 "--connections", "24", "--warm-up", "100ms", "--duration", "1s", "--absent", "5",
                 "--new-keys", "5", fmt::format("http://127.0.0.1:{}", several.backend_port())});
    CAPTURE(outcome.output);
    CAPTURE(outcome.errors);
    CHECK(outcome.status == 0);
    CHECK(has(outcome.output, "all right"));
  }
}

TEST_CASE("loadgen writes its result as JSON, CSV and percentile files") {
  const ScratchDirectory scratch;
  const std::string base = scratch.path() + "/result";
  const Outcome outcome = loadgen(short_run("files", {"--out", base, "--quiet", "--repeat", "2"}));
  CHECK(outcome.status == 0);
  CHECK(outcome.output.empty());
  CHECK(outcome.errors.empty());
  const auto document = http::JsonDocument::parse(contents(base + ".json"));
  REQUIRE(document.ok());
  CHECK(document->root().find("schema")->string() == "imgcached-loadgen/1");
  CHECK(document->root().find("valid")->boolean() == true);
  CHECK(document->root().find("repeats")->elements()->size() == 2);
  CHECK(has(contents(base + ".csv"), "throughput"));
  CHECK(has(contents(base + "-seconds.csv"), "read_p99"));
  CHECK(has(contents(base + "-read.hgrm"), "Percentile"));
  CHECK(has(contents(base + "-write.hgrm"), "Percentile"));
}

TEST_CASE("loadgen preload fills the store, and a run without preload finds it") {
  const std::vector<std::string> shape{"--keys", "50", "--sizes", "4KiB", "--key-prefix", "pre-"};
  std::vector<std::string> preload{"preload"};
  preload.insert(preload.end(), shape.begin(), shape.end());
  preload.push_back(url());
  const Outcome loaded = loadgen(preload);
  CHECK(loaded.status == 0);
  CHECK(has(loaded.output, "50 keys"));
  CHECK(loadgen(short_run("pre", {"--no-preload", "--reads", "100"})).status == 0);
  // With another seed every image is a different one, and that is told.
  const Outcome other =
      loadgen(short_run("pre", {"--no-preload", "--reads", "100", "--seed", "2"}));
  CHECK(other.status == 3);
  CHECK(has(other.output, "foreign"));
}

TEST_CASE("loadgen exits 1 and says why when there is no server") {
  std::uint16_t port = 0;
  {
    const Server gone;
    port = gone.backend_port();
  }
  const std::string nobody = fmt::format("http://127.0.0.1:{}", port);
  const Outcome outcome = loadgen({"run", "--keys", "1", nobody});
  CHECK(outcome.status == 1);
  CHECK(has(outcome.errors, "no connection"));
  const Outcome unloaded = loadgen(
      {"run", "--keys", "1", "--no-preload", "--warm-up", "0s", "--duration", "200ms", nobody});
  CHECK(unloaded.status == 1);
  CHECK(has(unloaded.errors, "is it running"));
}

TEST_CASE("loadgen exits 2 for a wrong flag and names the nearest") {
  const Outcome outcome = loadgen({"run", "--conections", "4", url()});
  CHECK(outcome.status == 2);
  CHECK(has(outcome.errors, "did you mean --connections?"));
}

TEST_CASE("loadgen exits 3 when a condition is missed, 0 when it is met") {
  CHECK(loadgen(short_run("slo", {"--slo", "read.p99<30s", "--max-error-rate", "0"})).status == 0);
  const Outcome missed = loadgen(short_run("slo", {"--slo", "throughput>1000000000"}));
  CHECK(missed.status == 3);
  CHECK(has(missed.output, "missed"));
}

TEST_CASE("loadgen exits 130 after an interrupt, with the report of what ran so far") {
  const ScratchDirectory scratch;
  Process process(
      command_line(short_run("interrupt", {"--duration", "60s", "--out", scratch.path() + "/cut"})),
      scratch.path() + "/errors");
  // Its log has a line each five seconds: by then it measures.
  eventually("a second is reported",
             [&] { return has(contents(scratch.path() + "/errors"), "/60 s"); });
  process.signal(SIGINT);
  const std::string output = process.read_all();
  CHECK(process.wait() == 130);
  CHECK(has(output, "all right"));
  const auto document = http::JsonDocument::parse(contents(scratch.path() + "/cut.json"));
  REQUIRE(document.ok());
  CHECK(document->root().find("interrupted")->boolean() == true);
}

TEST_CASE("loadgen tells a server that is killed under load from one that is slow") {
  Server victim;
  const ScratchDirectory scratch;
  Process process(command_line({"run", "--keys", "20", "--warm-up", "0s", "--duration", "10s",
                                "--connections", "4", "--max-error-rate", "0",
                                fmt::format("http://127.0.0.1:{}", victim.backend_port())}),
                  scratch.path() + "/errors");
  eventually("a second is reported",
             [&] { return has(contents(scratch.path() + "/errors"), "/10 s"); });
  victim.kill9();
  const std::string output = process.read_all();
  CHECK(process.wait() == 3);
  CHECK(has(output, "missed"));
  CHECK(has(output, "all right"));  // an error is no wrong image
  victim.restart();
}

TEST_CASE("loadgen says at once that its results can't be written") {
  const Outcome nowhere = loadgen(short_run("out", {"--out", "/nonexistent/result"}));
  CHECK(nowhere.status == 1);
  CHECK(has(nowhere.errors, "--out"));
  CHECK_FALSE(has(nowhere.errors, "preload"));
  const ScratchDirectory scratch;
  std::ofstream(scratch.path() + "/file") << "x";
  const Outcome no_directory =
      loadgen({"sweep", "--out", scratch.path() + "/file", "--keys", "1", url()});
  CHECK(no_directory.status == 1);
  CHECK(has(no_directory.errors, "--out"));
}

TEST_CASE("loadgen finds the highest rate that holds") {
  const Outcome outcome =
      // Reads alone: a slow disk has no say in this.
      loadgen(short_run("max",
                        {"--find-max", "--reads", "100", "--rate", "100", "--slo", "all.max<30s"}));
  CAPTURE(outcome.output);
  const bool is_found = has(outcome.output, "the highest rate that held");
  CHECK(outcome.status == (is_found ? 0 : 1));
  // Any rate holds, but where the machine is so busy that the generator itself is late, no
  // run counts, and each says so.
  if (!is_found) {
    CHECK(times(outcome.output, "did not hold") > 1);
    CHECK(times(outcome.output, "did not hold") == times(outcome.output, "the run is invalid"));
  }
}

TEST_CASE("loadgen says the token to a server that asks for it") {
  const ScratchDirectory scratch;
  const std::string token_file = scratch.path() + "/token";
  std::ofstream(token_file) << "a-token-of-some-length\n";
  const Server guarded({.flags = {"--token-file", token_file}});
  const auto run = [&](std::vector<std::string> flags) {
    std::vector<std::string> arguments{
        "run",           "--keys", "10",          "--warm-up",        "0s", "--duration", "100ms",
        "--connections", "2",      "--cache-url", guarded.cache_url()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    arguments.push_back(fmt::format("http://127.0.0.1:{}", guarded.backend_port()));
    return loadgen(arguments);
  };
  const Outcome refused = run({});
  CHECK(refused.status == 1);
  CHECK(has(refused.errors, "401"));
  const Outcome outcome = run({"--token-file", token_file});
  CAPTURE(outcome.errors);
  CHECK(outcome.status == 0);
  CHECK(has(outcome.output, "evictions"));  // which the cache service tells
  CHECK(run({"--token-file", scratch.path()}).status == 2);
}

TEST_CASE("a sweep and its graphs") {
  const ScratchDirectory scratch;
  const std::string results = scratch.path() + "/results";
  for (const char* label : {"one", "two"}) {
    const Outcome swept =
        loadgen({"sweep",    "--reads",    "20,80",   "--connections", "1,4",
                 "--keys",   "20",         "--sizes", "4KiB",          "--warm-up",
                 "0s",       "--duration", "100ms",   "--label",       label,
                 "--out",    results,      "--quiet", "--key-prefix",  "sweep-",
                 "--repeat", "2",          url()});
    CAPTURE(swept.errors);
    REQUIRE(swept.status == 0);
  }
  const std::string point = contents(results + "/one-r80-c4.json");
  CHECK(point.find("\"measured_s\"") != point.rfind("\"measured_s\""));  // both repeats of it
  const Outcome plotted = loadgen({"plot", results});
  CAPTURE(plotted.errors);
  REQUIRE(plotted.status == 0);
  for (const char* graph :
       {"latency-20-80", "throughput-20-80", "latency-80-20", "throughput-80-20"}) {
    CAPTURE(graph);
    loadgen::check_graph(contents(fmt::format("{}/{}.svg", results, graph)),
                         contents(fmt::format("{}/{}.png", results, graph)));
  }
  const std::string report = contents(results + "/report.html");
  CHECK(has(report, "20 % reads : 80 % writes"));
  CHECK(has(report, "<svg"));
  const Outcome compared =
      loadgen({"compare", results + "/one-r20-c1.json", results + "/two-r20-c1.json"});
  CHECK(compared.status == 0);
  CHECK(has(compared.output, "throughput"));
}

TEST_CASE("the server that had the load drains cleanly") { shared_server.reset(); }

}  // namespace
}  // namespace imgcached::e2e
