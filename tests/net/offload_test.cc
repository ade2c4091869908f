#include "net/offload.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>

#include "tests/net/run_task.h"

namespace imgcached::net {
namespace {

using test::run_task;

Task<Result<std::string>> offloaded(Loop& loop, std::thread::id& ran_on) {
  auto job = [&]() -> Result<std::string> {
    ran_on = std::this_thread::get_id();
    return std::string("done");
  };
  Result<std::string> result = co_await offload(loop, job);
  co_return result;
}

Task<Result<void>> failing(Loop& loop) {
  auto job = []() -> Result<void> { return Error{Errc::storage_full, "the disk is full"}; };
  Result<void> result = co_await offload(loop, job);
  co_return result;
}

struct Offloads {
  std::size_t done = 0;
  std::size_t refused = 0;
};

Task<void> count(Loop& loop, Offloads& outcomes) {
  auto job = []() -> Result<void> { return {}; };
  Result<void> result = co_await offload(loop, job);
  if (result) {
    ++outcomes.done;
  } else if (result.error().code == Errc::unavailable) {
    ++outcomes.refused;
  }
}

TEST_CASE("a job runs on another thread and brings its result back") {
  Loop loop;
  std::thread::id ran_on = std::this_thread::get_id();
  const Result<std::string> result = run_task(loop, offloaded(loop, ran_on));
  REQUIRE(result.ok());
  CHECK(*result == "done");
  CHECK(ran_on != std::this_thread::get_id());
  CHECK(loop.live_jobs() == 0);
}

TEST_CASE("a job brings its error back") {
  Loop loop;
  const Result<void> result = run_task(loop, failing(loop));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == Errc::storage_full);
  CHECK(result.error().message == "the disk is full");
}

TEST_CASE("beyond the bound of the queue a job is refused, and accepted again later") {
  Loop loop;
  Gate gate;
  Offloads outcomes;
  for (std::size_t i = 0; i < offload_jobs_max + 3; ++i) gate.spawn(count(loop, outcomes));
  CHECK(loop.live_jobs() == offload_jobs_max);
  CHECK(outcomes.refused == 3);
  loop.run();
  CHECK(outcomes.done == offload_jobs_max);
  CHECK(gate.running() == 0);
  CHECK(loop.live_jobs() == 0);
  gate.spawn(count(loop, outcomes));
  loop.run();
  CHECK(outcomes.done == offload_jobs_max + 1);
}

}  // namespace
}  // namespace imgcached::net
