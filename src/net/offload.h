// offload(loop, job): runs a blocking job on libuv's thread pool and resumes
// the awaiting coroutine with its Result.
//
//   auto job = [&] { return read_file(path); };
//   Result<Blob> bytes = co_await offload(loop, job);
//
// One trip costs about 13 us, so a job does everything it can in one go. The
// job lives in the awaiting frame and may refer to it. The queue is bounded:
// beyond jobs_max a job is refused with Errc::unavailable.
#pragma once

#include <cassert>
#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "net/loop.h"

namespace imgcached::net {

// More than there can be connections, each of which waits for one job at a time:
// it bounds a mistake, and the removal of a file is never refused.
inline constexpr std::size_t offload_jobs_max = 32'768;

template <class Job>
class Offload {
 public:
  using ResultType = std::invoke_result_t<Job&>;

  Offload(Loop& loop, Job& job) : loop_(loop), job_(job) {}

  bool await_ready() {
    if (loop_.live_jobs_ < offload_jobs_max) return false;
    result_.emplace(Error{Errc::unavailable, "too many file operations are waiting; try again"});
    return true;
  }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    work_.data = this;
    ++loop_.live_jobs_;
    const int status = uv_queue_work(
        loop_.raw(), &work_,
        [](uv_work_t* work) {
          auto* self = static_cast<Offload*>(work->data);
          self->result_.emplace(self->job_());
        },
        [](uv_work_t* work, int) {
          auto* self = static_cast<Offload*>(work->data);
          --self->loop_.live_jobs_;
          self->waiter_.resume();
        });
    assert(status == 0);  // fails only without a callback
    (void)status;
  }
  ResultType await_resume() { return std::move(*result_); }

 private:
  Loop& loop_;
  Job& job_;
  uv_work_t work_;
  std::coroutine_handle<> waiter_;
  std::optional<ResultType> result_;
};

// REQUIRES: `job` outlives the await; it returns a Result.
template <class Job>
Offload<Job> offload(Loop& loop, Job& job) {
  return Offload<Job>(loop, job);
}

}  // namespace imgcached::net
