// Feeds every fuzz target its corpus, so that what fuzzing has found stays found
// without clang and libFuzzer, and under every sanitizer.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// Every target is called LLVMFuzzerTestOneInput; where they meet in one program
// the Makefile gives each a name of its own.
// clang-format off
#define FOR_EACH_TARGET(DO)                                                        \
  DO(base64) DO(cache_calls) DO(conditional) DO(config) DO(image_dimensions)       \
  DO(image_type) DO(json) DO(key) DO(multipart) DO(request) DO(response) DO(url)
// clang-format on

const fs::path sources = fs::path(IMGCACHED_SOURCE_DIRECTORY) / "tests/fuzz";

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Names of what lies in `directory` and ends so, without that end.
std::vector<std::string> names_in(const fs::path& directory, const std::string& extension) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == extension) names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void replay(const std::string& target, int (*run)(const std::uint8_t*, std::size_t)) {
  std::size_t files = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(sources / "corpus" / target)) {
    CAPTURE(entry.path());
    const std::string input = contents(entry.path());
    CHECK_NOTHROW(run(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()));
    ++files;
  }
  CHECK(files > 0);
}

}  // namespace

#define REPLAY(name)                                                          \
  extern "C" int fuzz_##name(const std::uint8_t*, std::size_t);               \
  TEST_CASE("what is promised of any input holds for the corpus of " #name) { \
    replay(#name, fuzz_##name);                                               \
  }
FOR_EACH_TARGET(REPLAY)

TEST_CASE("every fuzz target is replayed, and every corpus has its target") {
#define NAME(name) #name,
  const std::vector<std::string> replayed = {FOR_EACH_TARGET(NAME)};
  std::vector<std::string> targets = names_in(sources, ".cc");
  std::erase(targets, "replay_test");
  CHECK(targets == replayed);
  CHECK(names_in(sources / "corpus", "") == replayed);
}
