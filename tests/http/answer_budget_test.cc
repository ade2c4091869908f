#include "http/answer_budget.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

namespace imgcached::http {
namespace {

constexpr std::uint64_t head_start = AnswerBudget::head_start_bytes;

struct Reader {
  explicit Reader(AnswerBudget& budget)
      : share(
            budget, [](void* self) { static_cast<Reader*>(self)->is_cut = true; }, this) {}

  bool is_cut = false;
  AnswerBudget::Share share;
};

TEST_CASE("what several readers are sent counts once, and until the last has it") {
  AnswerBudget budget(1'000, "test");
  const char image = 0;
  Reader one(budget);
  Reader two(budget);
  one.share.wait(&image, 300, 5, 0);
  two.share.wait(&image, 300, 7, 0);
  CHECK(budget.in_flight() == 312);
  one.share.wait(&image, 300, 5, 1);  // for his next piece
  CHECK(budget.in_flight() == 312);
  one.share.release();
  CHECK(budget.in_flight() == 307);
  one.share.release();
  two.share.release();
  CHECK(budget.in_flight() == 0);
  CHECK(budget.readers_cut() == 0);
}

TEST_CASE("texts are each reader's own, whatever they say") {
  AnswerBudget budget(1'000, "test");
  Reader one(budget);
  Reader two(budget);
  one.share.wait(nullptr, 0, 300, 0);
  two.share.wait(nullptr, 0, 300, 0);
  CHECK(budget.in_flight() == 600);
}

TEST_CASE("of what is held too much the slowest goes, and not whoever came last") {
  AnswerBudget budget(1'000, "test");
  Reader slow(budget);
  Reader fast(budget);
  Reader newest(budget);
  fast.share.wait(nullptr, 0, 400, 0);
  slow.share.wait(nullptr, 0, 400, 0);
  fast.share.took(10 * head_start);
  slow.share.took(head_start);
  newest.share.wait(nullptr, 0, 400, 2'000);
  CHECK(slow.is_cut);
  CHECK_FALSE(fast.is_cut);
  CHECK_FALSE(newest.is_cut);
  CHECK(budget.in_flight() == 800);
  CHECK(budget.readers_cut() == 1);
  slow.share.release();  // as its connection ends
  CHECK(budget.in_flight() == 800);
}

TEST_CASE("who has just begun goes before those who have shown to be faster") {
  AnswerBudget budget(1'000, "test");
  std::vector<std::unique_ptr<Reader>> fast;
  for (int i = 0; i < 2; ++i) {
    fast.push_back(std::make_unique<Reader>(budget));
    fast.back()->share.wait(nullptr, 0, 400, 0);
    fast.back()->share.took(10 * head_start);
  }
  Reader newest(budget);
  newest.share.wait(nullptr, 0, 400, 1'000);
  CHECK(newest.is_cut);
  CHECK(budget.in_flight() == 800);
}

TEST_CASE("among equals the one goes that has been waited for longest") {
  AnswerBudget budget(1'000, "test");
  Reader second(budget);
  Reader first(budget);
  Reader third(budget);
  first.share.wait(nullptr, 0, 400, 0);
  second.share.wait(nullptr, 0, 400, 1);
  third.share.wait(nullptr, 0, 400, 2);
  CHECK(first.is_cut);
  CHECK_FALSE(second.is_cut);
  CHECK_FALSE(third.is_cut);
}

TEST_CASE("an image goes with all of its readers, and by the pace of its best one") {
  AnswerBudget budget(1'000, "test");
  const char liked = 0;
  const char disliked = 0;
  Reader fast(budget);
  Reader slow_beside(budget);
  fast.share.wait(&liked, 400, 0, 0);
  slow_beside.share.wait(&liked, 400, 0, 0);
  fast.share.took(100 * head_start);
  Reader slow_one(budget);
  Reader slow_two(budget);
  slow_one.share.wait(&disliked, 400, 0, 0);
  slow_two.share.wait(&disliked, 400, 0, 0);
  slow_one.share.took(2 * head_start);
  Reader newest(budget);
  newest.share.wait(nullptr, 0, 400, 4'000);
  CHECK(slow_one.is_cut);
  CHECK(slow_two.is_cut);
  CHECK_FALSE(fast.is_cut);
  CHECK_FALSE(slow_beside.is_cut);
  CHECK_FALSE(newest.is_cut);
  CHECK(budget.in_flight() == 800);
}

TEST_CASE("one answer alone may be larger than the whole budget") {
  AnswerBudget budget(1'000, "test");
  const char image = 0;
  Reader one(budget);
  Reader two(budget);
  one.share.wait(&image, 5'000, 1, 0);
  two.share.wait(&image, 5'000, 0, 0);
  CHECK_FALSE(one.is_cut);
  CHECK_FALSE(two.is_cut);
  // Beside another one it may not.
  Reader other(budget);
  other.share.wait(nullptr, 0, 10, 1'000);
  CHECK(one.is_cut);
  CHECK(two.is_cut);
  CHECK_FALSE(other.is_cut);
  CHECK(budget.in_flight() == 10);
}

TEST_CASE("answers that are being made cut off slow readers, and then refuse one another") {
  AnswerBudget budget(1'000, "test");
  Reader slow(budget);
  Reader first(budget);
  Reader second(budget);
  slow.share.wait(nullptr, 0, 600, 0);
  CHECK(first.share.make(300, 0));
  CHECK(first.share.make(600, 0));
  CHECK(slow.is_cut);
  CHECK(second.share.make(400, 0));
  CHECK_FALSE(second.share.make(401, 0));
  CHECK(budget.in_flight() == 600);
  CHECK(first.share.make(5'000, 0));  // alone
  first.share.wait(nullptr, 0, 5'000, 0);
  CHECK_FALSE(first.is_cut);
  CHECK(budget.in_flight() == 5'000);
}

}  // namespace
}  // namespace imgcached::http
