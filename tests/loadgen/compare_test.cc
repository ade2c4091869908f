#include "tools/loadgen/compare.h"

#include <doctest/doctest.h>

#include <sstream>

#include "tests/loadgen/synthetic.h"

using namespace imgcached;
using namespace imgcached::loadgen;

namespace {

ResultFile result(const Settings& settings, const std::vector<RunResult>& repeats,
                  const std::string& path) {
  Result<ResultFile> read =
      parse_result(result_json(settings, synthetic::environment(), 1'714'564'800'000, repeats));
  REQUIRE(read);
  read->path = path;
  return std::move(*read);
}

ResultFile lru(unsigned repeats = 5) {
  const Settings settings = synthetic::closed_loop(20, 32, "LRU");
  return result(settings, synthetic::runs(settings, {}, repeats), "lru.json");
}

// Half as fast, in all but the reads, which are as they were.
ResultFile slower(unsigned repeats = 5) {
  const Settings settings = synthetic::closed_loop(20, 32, "Random");
  const synthetic::Shape shape{.throughput = 5'000, .write_ms = 8};
  return result(settings, synthetic::runs(settings, shape, repeats), "random.json");
}

std::string compared(const std::string& text, const std::string& begin) {
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(begin)) return line;
  }
  FAIL_CHECK("no line begins with " << begin << " in:\n" << text);
  return "";
}

}  // namespace

TEST_CASE("figures stand side by side, with what the intervals say") {
  const std::string text = comparison_text(lru(), slower());
  CHECK(
      text.starts_with("A  lru.json, 2024-05-01T12:00:00Z, label LRU\n"
                       "B  random.json, 2024-05-01T12:00:00Z, label Random\n\n"));
  CHECK(text.find("WARNING") == std::string::npos);
  CHECK(text.find("--repeat") == std::string::npos);
  CHECK(compared(text, "throughput, /s").find(" ± ") != std::string::npos);
  CHECK(compared(text, "throughput, /s").ends_with("0.500  worse"));
  CHECK(compared(text, "write.p50, ms").ends_with("  worse"));
  CHECK(compared(text, "read.p50, ms").ends_with("  overlap"));
  CHECK(compared(text, "evictions").ends_with("  differ"));
  CHECK(compared(text, "hit_ratio").find("80.0 %") != std::string::npos);
  CHECK(compared(comparison_text(slower(), lru()), "throughput").ends_with("2.000  better"));
  std::istringstream stream(text);
  for (std::string row; std::getline(stream, row);) CHECK(row.size() <= 84);  // ± are two bytes
}

TEST_CASE("the whole distribution is compared, too") {
  const std::string text = comparison_text(lru(), slower());
  CHECK(compared(text, "all reads, ms")
            .ends_with("p50     p75     p90     p95     p99   p99.9  p99.99"
                       "     max"));
  CHECK(text.find("\nall writes, ms") != std::string::npos);
  const Settings reads_only = synthetic::closed_loop(100, 32, "LRU");
  const ResultFile reads = result(reads_only, synthetic::runs(reads_only, {}, 2), "reads.json");
  CHECK(comparison_text(lru(), reads).find("all writes") == std::string::npos);
  CHECK(compared(comparison_text(lru(), reads), "write.p50").find(" -") != std::string::npos);
}

TEST_CASE("without repeats nothing is said of chance") {
  const std::string text = comparison_text(lru(1), slower());
  CHECK(compared(text, "throughput").find("overlap") == std::string::npos);
  CHECK(compared(text, "throughput").find("worse") == std::string::npos);
  CHECK(compared(text, "Without repeats in both").find("--repeat 5") != std::string::npos);
}

TEST_CASE("results that were not measured alike come with a warning") {
  Settings settings = synthetic::open_loop(50, 20'000, "LRU");
  settings.workload.keys = 77;
  ResultFile other = result(settings, synthetic::runs(settings, {}, 2), "other.json");
  other.environment.commit = "fedcba9";
  other.environment.cores = 8;
  const std::string text = comparison_text(lru(), other);
  CHECK(text.find("\nWARNING: they were not measured alike:\n") != std::string::npos);
  CHECK(compared(text, "  --reads") == "  --reads: 20 in A, 50 in B");
  CHECK(compared(text, "  --keys") == "  --keys: 1000 in A, 77 in B");
  CHECK(compared(text, "  --rate").starts_with("  --rate: nothing in A, 20000"));
  CHECK(compared(text, "  machine").find("4 cores") != std::string::npos);
  CHECK(compared(text, "  generator") == "  generator: 0123abc in A, fedcba9 in B");
  CHECK(text.find("kernel:") == std::string::npos);
}

TEST_CASE("a result that counts for nothing says so") {
  const Settings settings = synthetic::closed_loop(20, 32, "LRU");
  std::vector<RunResult> repeats = synthetic::runs(settings, {}, 1);
  repeats[0].invalid = {"the generator used 95 % of a core"};
  repeats[0].checks.lost = 3;
  repeats[0].interrupted = true;
  const std::string text = comparison_text(result(settings, repeats, "a.json"), lru());
  CHECK(text.find("   A is INVALID: the generator used 95 % of a core\n") != std::string::npos);
  CHECK(text.find("   CHECKS FAILED in A: 3 reads\n") != std::string::npos);
  CHECK(text.find("   A was INTERRUPTED\n") != std::string::npos);
}

TEST_CASE("compare reads files and names the one that is bad") {
  const synthetic::Directory directory;
  const Settings settings = synthetic::closed_loop(20, 32, "LRU");
  directory.write("a.json", result_json(settings, synthetic::environment(), 0,
                                        synthetic::runs(settings, {}, 2)));
  directory.write("broken.json", "{\"schema\": ");
  CHECK(compare(directory.file("a.json"), directory.file("a.json")));
  const auto bad = compare(directory.file("a.json"), directory.file("broken.json"));
  REQUIRE(!bad);
  CHECK(bad.error().message.starts_with(directory.file("broken.json") + ": bad JSON"));
}
