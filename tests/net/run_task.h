// Runs a task on a loop from outside of it, until the task has ended.
//
// A coroutine of a test uses CHECK, never REQUIRE: no exception may leave a
// task. Handles that it closed last are freed by the loop's next turn; a test
// that counts them calls loop.run() first.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/gate.h"
#include "base/task.h"
#include "net/loop.h"

namespace imgcached::test {

// Longer than any test: what is waited for is something else.
inline constexpr std::uint64_t forever_ms = 1'000'000;

inline void run_task(net::Loop& loop, Task<void> task) {
  uv_update_time(loop.raw());  // it stood still since the loop's last turn
  Gate gate;
  gate.spawn(std::move(task));
  // The loop may have other handles open: it turns just until the task is done.
  while (gate.running() > 0) {
    if (uv_run(loop.raw(), UV_RUN_ONCE) == 0 && gate.running() > 0) {
      std::fputs("run_task: the task waits for something that no handle can bring\n", stderr);
      std::abort();
    }
  }
}

// Keeps what a task brings, for tests that let several run at once.
template <class T>
Task<void> keep_result(Task<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
}

template <class T>
T run_task(net::Loop& loop, Task<T> task) {
  std::optional<T> result;
  run_task(loop, keep_result(std::move(task), result));
  return std::move(*result);
}

}  // namespace imgcached::test
