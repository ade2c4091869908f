#include "tools/loadgen/ledger.h"

#include <doctest/doctest.h>

#include <set>
#include <utility>
#include <vector>

#include "base/random.h"

namespace imgcached::loadgen {
namespace {

constexpr std::uint64_t run = 77;

Version nth_version(std::uint64_t number) { return {run, number}; }

TEST_CASE("an acknowledged write makes older versions stale and their absence a loss") {
  Ledger ledger(run, 1);
  CHECK(ledger.judge(0, ledger.before_read(0), std::nullopt) == Ledger::Verdict::right);
  const Ledger::Write first = ledger.begin_write(0);
  CHECK(first.version == nth_version(1));
  const Ledger::Expectation before = ledger.before_read(0);
  ledger.acknowledged(first);
  const Ledger::Expectation after = ledger.before_read(0);
  CHECK(ledger.judge(0, before, std::nullopt) == Ledger::Verdict::right);  // sent before the answer
  CHECK(ledger.judge(0, after, std::nullopt) == Ledger::Verdict::lost);
  CHECK(ledger.judge(0, after, nth_version(1)) == Ledger::Verdict::right);

  const Ledger::Write second = ledger.begin_write(0);
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(1)) == Ledger::Verdict::right);
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(2)) == Ledger::Verdict::right);
  ledger.acknowledged(second);
  CHECK(ledger.judge(0, after, nth_version(1)) == Ledger::Verdict::right);
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(1)) == Ledger::Verdict::stale);
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(2)) == Ledger::Verdict::right);
}

TEST_CASE("a version that was never written is impossible") {
  Ledger ledger(run, 1);
  ledger.acknowledged(ledger.begin_write(0));
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(2)) == Ledger::Verdict::impossible);
}

TEST_CASE("an image of an earlier run is right until this run has written the key") {
  Ledger ledger(run, 2);
  const Version earlier{run + 1, 9};
  CHECK(ledger.judge(1, ledger.before_read(1), earlier) == Ledger::Verdict::right);
  ledger.acknowledged(ledger.begin_write(1));
  CHECK(ledger.judge(1, ledger.before_read(1), earlier) == Ledger::Verdict::stale);
}

TEST_CASE("writes that were under way together may end in any order") {
  Ledger ledger(run, 1);
  const Ledger::Write first = ledger.begin_write(0);
  const Ledger::Write second = ledger.begin_write(0);
  ledger.acknowledged(second);
  ledger.acknowledged(first);
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(1)) == Ledger::Verdict::right);
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(2)) == Ledger::Verdict::right);
  ledger.acknowledged(ledger.begin_write(0));
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(2)) == Ledger::Verdict::stale);
}

TEST_CASE("a write of unknown outcome may be carried out at any time later") {
  Ledger ledger(run, 1);
  ledger.acknowledged(ledger.begin_write(0));
  const Ledger::Write lost = ledger.begin_write(0);
  ledger.unknown(lost);
  for (int i = 0; i < 3; ++i) ledger.acknowledged(ledger.begin_write(0));
  CHECK(ledger.judge(0, ledger.before_read(0), lost.version) == Ledger::Verdict::right);
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(1)) == Ledger::Verdict::stale);
}

// Its first copy, left behind on a connection that was closed, used to be forgotten
// with the answer to the second.
TEST_CASE("a write that was sent twice may come back at any time later") {
  Ledger ledger(run, 1);
  ledger.acknowledged(ledger.begin_write(0));
  const Ledger::Write twice = ledger.begin_write(0);
  ledger.acknowledged(twice, true);
  CHECK(ledger.judge(0, ledger.before_read(0), std::nullopt) == Ledger::Verdict::lost);
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(1)) == Ledger::Verdict::stale);
  for (int i = 0; i < 3; ++i) ledger.acknowledged(ledger.begin_write(0));
  CHECK(ledger.judge(0, ledger.before_read(0), twice.version) == Ledger::Verdict::right);
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(1)) == Ledger::Verdict::stale);
}

// Its key's floor never rose again: whatever came after it could go stale unnoticed.
TEST_CASE("bug: a write that was sent twice, or never answered, hid what was stale after it") {
  Ledger ledger(run, 1);
  const Ledger::Write first = ledger.begin_write(0);
  SUBCASE("sent twice") { ledger.acknowledged(first, true); }
  SUBCASE("never answered") { ledger.unknown(first); }
  for (int i = 0; i < 3; ++i) ledger.acknowledged(ledger.begin_write(0));
  const Ledger::Expectation now = ledger.before_read(0);
  CHECK(ledger.judge(0, now, first.version) == Ledger::Verdict::right);
  CHECK(ledger.judge(0, now, nth_version(2)) == Ledger::Verdict::stale);
  CHECK(ledger.judge(0, now, nth_version(3)) == Ledger::Verdict::stale);
  CHECK(ledger.judge(0, now, nth_version(4)) == Ledger::Verdict::right);
}

TEST_CASE("a refused write leaves nothing to wait for") {
  Ledger ledger(run, 1);
  ledger.refused(ledger.begin_write(0));
  ledger.acknowledged(ledger.begin_write(0));
  CHECK(ledger.judge(0, ledger.before_read(0), nth_version(1)) == Ledger::Verdict::stale);
}

TEST_CASE("new keys may be read once they and all below them are written") {
  Ledger ledger(run, 10);
  const Ledger::Write eleventh = ledger.begin_new();
  const Ledger::Write twelfth = ledger.begin_new();
  CHECK(eleventh.key == 10);
  CHECK(twelfth.key == 11);
  ledger.acknowledged(twelfth);
  CHECK(ledger.keys() == 10);
  ledger.acknowledged(eleventh);
  CHECK(ledger.keys() == 12);
  const Ledger::Write failed = ledger.begin_new();
  ledger.unknown(failed);
  const Ledger::Write again = ledger.begin_new();
  CHECK(again.key == failed.key);
  ledger.acknowledged(again);
  CHECK(ledger.keys() == 13);
}

// A store that is right, in every order it may choose, is never accused; one that
// serves what it has replaced is caught.
TEST_CASE("random writes and reads against a model of a store") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  constexpr std::uint64_t keys = 3;
  Ledger ledger(run, keys);
  struct Model {
    std::uint64_t present = 0;  // version in the store; 0: none
  };
  std::vector<Model> model(keys);
  std::vector<Ledger::Write> under_way;
  std::vector<Ledger::Write> zombies;  // of unknown outcome: carried out some time
  std::set<std::pair<std::uint64_t, std::uint64_t>> revenants;  // all of these there were
  std::uint64_t caught = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t choice = random.below(10);
    if (choice < 3) under_way.push_back(ledger.begin_write(random.below(keys)));
    if (choice < 6 && !under_way.empty()) {
      const std::size_t index = random.below(under_way.size());
      const Ledger::Write write = under_way[index];
      under_way.erase(under_way.begin() + static_cast<std::ptrdiff_t>(index));
      if (random.below(500) == 0) {
        ledger.unknown(write);
        zombies.push_back(write);
        revenants.emplace(write.key, write.version.number);
      } else {
        const bool sent_twice = random.below(500) == 0;
        model[write.key].present = write.version.number;
        ledger.acknowledged(write, sent_twice);
        if (sent_twice) {
          zombies.push_back(write);
          revenants.emplace(write.key, write.version.number);
        }
      }
    }
    if (choice == 6 && !zombies.empty() && random.below(50) == 0) {
      model[zombies.back().key].present = zombies.back().version.number;
      zombies.pop_back();
    }
    const std::uint64_t key = random.below(keys);
    const Ledger::Expectation expected = ledger.before_read(key);
    const Model& store = model[key];
    if (store.present == 0) continue;
    CHECK(ledger.judge(key, expected, nth_version(store.present)) == Ledger::Verdict::right);
    if (expected.floor > 1 && !revenants.contains({key, expected.floor - 1})) {
      CHECK(ledger.judge(key, expected, nth_version(expected.floor - 1)) == Ledger::Verdict::stale);
      ++caught;
    }
  }
  CHECK(caught > 100);
}

}  // namespace
}  // namespace imgcached::loadgen
