#include "tools/loadgen/key_chooser.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace imgcached::loadgen {
namespace {

Distribution distribution(std::string_view text) {
  Result<Distribution> parsed = Distribution::parse(text);
  REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().message));
  return *parsed;
}

std::vector<std::uint64_t> draw(std::string_view text, std::uint64_t keys, std::uint64_t draws,
                                std::uint64_t seed) {
  KeyChooser chooser(distribution(text), Random(seed));
  std::vector<std::uint64_t> counts(keys);
  for (std::uint64_t i = 0; i < draws; ++i) { ++counts.at(chooser.next(keys)); }
  return counts;
}

std::vector<double> zipfian_probabilities(double theta, std::uint64_t keys) {
  std::vector<double> probabilities(keys);
  double sum = 0;
  for (std::uint64_t k = keys; k-- > 0;) {  // the small ones first, for their sum's sake
    probabilities[k] = std::pow(static_cast<double>(k + 1), -theta);
    sum += probabilities[k];
  }
  for (double& probability : probabilities) probability /= sum;
  return probabilities;
}

// Pearson's chi-square. Neighbours are put together until at least 50 draws are
// expected. The bound is six standard deviations above the mean, by Wilson and
// Hilferty's approximation: a right chooser misses it once in 10^9 seeds.
void check_frequencies(const std::vector<std::uint64_t>& counts,
                       const std::vector<double>& probabilities) {
  REQUIRE(counts.size() == probabilities.size());
  double draws = 0;
  for (const std::uint64_t count : counts) draws += static_cast<double>(count);
  double chi_square = 0;
  double expected = 0;
  double observed = 0;
  int groups = 0;
  const auto close_group = [&] {
    chi_square += (observed - expected) * (observed - expected) / expected;
    expected = observed = 0;
    ++groups;
  };
  for (std::size_t i = 0; i < counts.size(); ++i) {
    expected += probabilities[i] * draws;
    observed += static_cast<double>(counts[i]);
    if (expected >= 50) close_group();
  }
  if (expected > 0) close_group();
  const double freedom = std::max(1, groups - 1);
  const double spread = 2 / (9 * freedom);
  const double bound = freedom * std::pow(1 - spread + 6 * std::sqrt(spread), 3);
  CAPTURE(groups);
  CHECK(chi_square < bound);
}

TEST_CASE("uniform keys are all alike") {
  check_frequencies(draw("uniform", 1'000, 1'000'000, 1), std::vector<double>(1'000, 0.001));
}

TEST_CASE("zipfian keys have the probabilities of Zipf's law") {
  for (const char* theta : {"0.2", "0.5", "0.99", "0.999999999", "1", "1.000000001", "1.2", "2"}) {
    const std::vector<std::uint64_t> key_counts = {1, 2, 3, 1'000, 1'000'000};
    for (const std::uint64_t keys : key_counts) {
      CAPTURE(theta);
      CAPTURE(keys);
      check_frequencies(draw(std::string("zipfian:") + theta, keys, 300'000, 7),
                        zipfian_probabilities(std::stod(theta), keys));
    }
  }
}

TEST_CASE("zipfian draws stay exact at the ends of theta") {
  check_frequencies(draw("zipfian:0.001", 1'000, 1'000'000, 3),
                    zipfian_probabilities(0.001, 1'000));
  check_frequencies(draw("zipfian:10", 1'000, 1'000'000, 3), zipfian_probabilities(10, 1'000));
}

TEST_CASE("zipfian keys stay within a very large number of them") {
  KeyChooser chooser(distribution("zipfian:0.99"), Random(5));
  constexpr std::uint64_t keys = 1'000'000'000'000;
  std::uint64_t largest = 0;
  for (int i = 0; i < 100'000; ++i) largest = std::max(largest, chooser.next(keys));
  CHECK(largest < keys);
  CHECK(largest > keys / 10);
}

TEST_CASE("keys that come to be while drawing have their share at once") {
  KeyChooser chooser(distribution("zipfian:0.99"), Random(11));
  // Every number of keys up to a hundred, drawn from in turn.
  constexpr std::uint64_t keys_max = 100;
  std::vector<std::vector<std::uint64_t>> counts(keys_max + 1);
  for (std::uint64_t keys = 1; keys <= keys_max; ++keys) counts[keys].resize(keys);
  for (int round = 0; round < 20'000; ++round) {
    for (std::uint64_t keys = 1; keys <= keys_max; ++keys) {
      ++counts[keys].at(chooser.next(keys));
    }
  }
  for (std::uint64_t keys = 1; keys <= keys_max; ++keys) {
    CAPTURE(keys);
    check_frequencies(counts[keys], zipfian_probabilities(0.99, keys));
  }
}

TEST_CASE("the latest keys are the most popular, whichever they are by now") {
  KeyChooser chooser(distribution("latest"), Random(13));
  for (const std::uint64_t keys : {std::uint64_t{1}, std::uint64_t{50}, std::uint64_t{2'000}}) {
    CAPTURE(keys);
    std::vector<std::uint64_t> by_age(keys);
    for (int i = 0; i < 500'000; ++i) ++by_age[keys - 1 - chooser.next(keys)];
    check_frequencies(by_age, zipfian_probabilities(0.99, keys));
  }
}

TEST_CASE("hot spots have their share of the operations, evenly") {
  std::vector<double> probabilities(1'000, 0.2 / 800);
  std::fill_n(probabilities.begin(), 200, 0.8 / 200);
  check_frequencies(draw("hotspot:0.2:0.8", 1'000, 1'000'000, 17), probabilities);

  probabilities.assign(10, 0.01 / 9);
  probabilities[0] = 0.99;
  check_frequencies(draw("hotspot:0.001:0.99", 10, 1'000'000, 17), probabilities);
}

TEST_CASE("a hot spot of all keys is uniform") {
  check_frequencies(draw("hotspot:0.2:0.8", 1, 1'000, 19), {1});
  check_frequencies(draw("hotspot:0.9:0.1", 3, 100'000, 19), std::vector<double>(3, 1.0 / 3));
}

TEST_CASE("one seed chooses the same keys again, another one others") {
  for (const char* text : {"uniform", "zipfian:0.99", "hotspot:0.2:0.8", "latest"}) {
    CAPTURE(text);
    CHECK(draw(text, 1'000, 1'000, 1) == draw(text, 1'000, 1'000, 1));
    CHECK(draw(text, 1'000, 1'000, 1) != draw(text, 1'000, 1'000, 2));
  }
}

TEST_CASE("distributions are read as they are written") {
  for (const char* text : {"uniform", "latest", "zipfian:0.99", "zipfian:1", "zipfian:1.25",
                           "zipfian:10", "hotspot:0.2:0.8", "hotspot:0.001:0.999"}) {
    CHECK(distribution(text).text() == text);
  }
  CHECK(distribution("zipfian").text() == "zipfian:0.99");
  CHECK(distribution("hotspot").text() == "hotspot:0.2:0.8");
}

TEST_CASE("what is no distribution is refused with what would be one") {
  const auto refusal = [](std::string_view text) {
    const Result<Distribution> parsed = Distribution::parse(text);
    REQUIRE(!parsed);
    CHECK(parsed.error().code == Errc::invalid_argument);
    return parsed.error().message;
  };
  const auto says = [&](std::string_view text, std::string_view what) {
    const std::string message = refusal(text);
    CAPTURE(message);
    CHECK(message.find(what) != std::string::npos);
  };
  for (const char* text : {"", "zipf", "Uniform", " uniform", "normal:1"}) {
    says(text, "write uniform, zipfian:0.99, hotspot:0.2:0.8 or latest");
  }
  CHECK(refusal("zipf").starts_with("distribution \"zipf\": "));
  says("uniform:1", "uniform has no parameters");
  says("latest:", "latest has no parameters");
  for (const char* text : {"zipfian:", "zipfian:x", "zipfian:0", "zipfian:-1", "zipfian:10.1",
                           "zipfian:inf", "zipfian:nan", "zipfian:0.99x", "zipfian:0.9:0.9"}) {
    says(text, "zipfian:THETA");
  }
  for (const char* text :
       {"hotspot:", "hotspot:0.2", "hotspot:0.2:", "hotspot:0:0.8", "hotspot:1:0.8",
        "hotspot:0.2:1", "hotspot:20:80", "hotspot:a:b", "hotspot:0.2:0.8:0.1"}) {
    says(text, "hotspot:KEYS:OPERATIONS");
  }
}

}  // namespace
}  // namespace imgcached::loadgen
