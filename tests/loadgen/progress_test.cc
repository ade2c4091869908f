#include "tools/loadgen/progress.h"

#include <doctest/doctest.h>

#include <string>

namespace imgcached::loadgen {
namespace {

// What is written to a file while it lives.
class Output {
 public:
  Output() : file_(std::tmpfile()) { REQUIRE(file_); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() { std::fclose(file_); }

  std::FILE* file() const { return file_; }
  std::string text() const {
    std::string text(static_cast<std::size_t>(std::ftell(file_)), '\0');
    std::rewind(file_);
    text.resize(std::fread(text.data(), 1, text.size(), file_));
    return text;
  }

 private:
  std::FILE* file_;
};

SecondSample sample(std::uint64_t count, std::uint64_t ns) {
  SecondSample sample;
  sample.second = 1'199;
  sample.reads = sample.writes = sample.hits = count;
  sample.read_p50_ns = sample.write_p50_ns = ns;
  sample.read_p99_ns = sample.write_p99_ns = 12 * ns;
  return sample;
}

std::string plain_line(const SecondSample& second, const Checks& checks = {}) {
  const Output output;
  Progress progress(false, false, output.file());
  progress.second(second, 1'800, checks);
  return output.text();
}

TEST_CASE("the line of a second says what happened in it") {
  CHECK(plain_line(sample(6'000, 123'000)) ==
        "1200/1800 s   12000/s  err 0  r p50/p99 0.12/1.48 ms  hits 100 %  w 0.12/1.48 ms\n");
  SecondSample reads = sample(10, 99'960'000);
  reads.writes = 0;
  reads.hits = 5;
  reads.errors = 7;
  CHECK(plain_line(reads) == "1200/1800 s      10/s  err 7  r p50/p99 100/1200 ms  hits 50 %\n");
}

TEST_CASE("wrong images stand in front") {
  Checks checks;
  checks.stale = 2;
  checks.lost = 1;
  CHECK(plain_line(sample(1, 1), checks).starts_with("1200/1800 s  WRONG IMAGES 3  "));
}

// It had a hundred columns, and left a new line behind on each second.
TEST_CASE("the live line fits into 80 columns, and does not wrap in fewer") {
  for (const std::uint64_t ns : {1'000, 500'000, 5'000'000, 90'000'000}) {
    CAPTURE(plain_line(sample(40'000, ns)));
    CHECK(plain_line(sample(40'000, ns)).size() <= 80 + 1);
  }
  const Output output;
  Progress progress(false, true, output.file());
  progress.second(sample(6'000, 123'000), 1'800, {});
  progress.end();
  const std::string line = plain_line(sample(6'000, 123'000));
  CHECK(output.text() == "\r\x1b[K\x1b[?7l" + line.substr(0, line.size() - 1) + "\x1b[?7h\n");
}

TEST_CASE("who is quiet says nothing") {
  const Output output;
  Progress progress(true, true, output.file());
  progress.second(sample(1, 1), 1'800, {});
  progress.note("x");
  progress.end();
  CHECK(output.text().empty());
}

}  // namespace
}  // namespace imgcached::loadgen
