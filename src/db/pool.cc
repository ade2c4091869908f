#include "db/pool.h"

#include <algorithm>
#include <cassert>

#include "base/log.h"

namespace imgcached::db {
namespace {

constexpr std::uint64_t report_interval_ms = 1'000;

}  // namespace

Pool::Pool(net::Loop& loop, Settings settings, PoolLimits limits)
    : loop_(loop), settings_(std::move(settings)), limits_(limits) {}

Task<Result<QueryResult>> Pool::execute(std::string sql, std::vector<Value> parameters, Kind kind) {
  const std::uint64_t deadline_ms = loop_.now_ms() + limits_.timeout_ms;
  for (bool is_first = true;; is_first = false) {
    std::unique_ptr<Connection> connection = take_idle();
    if (!connection) {
      Task<Result<std::unique_ptr<Connection>>> waiting = wait_in_line();
      Result<std::unique_ptr<Connection>> waited = co_await std::move(waiting);
      if (!waited) co_return for_client(std::move(waited).error());
      connection = std::move(*waited);
    }
    // Not 0 at the first time, as the wait is bounded by less.
    const std::uint64_t left_ms = deadline_ms - std::min(deadline_ms, loop_.now_ms());
    Task<Result<QueryResult>> executing = connection->execute(sql, parameters, kind, left_ms);
    Result<QueryResult> result = co_await std::move(executing);

    const bool is_harmless = kind == Kind::repeatable || !connection->may_have_executed();
    give_back(std::move(connection));
    if (result) co_return result;
    const bool again = is_first && is_harmless && result.error().code == Errc::unavailable &&
                       loop_.now_ms() + limits_.wait_timeout_ms < deadline_ms;
    if (again) continue;
    if (!is_harmless) result.error().code = Errc::uncertain;
    co_return for_client(std::move(result).error());
  }
}

// Where the database is and what it said is for the log, not for clients.
Error Pool::for_client(Error error) {
  ++unreported_;
  // While none can be had, database_lost has said it.
  if (!backing_off() && loop_.now_ms() >= next_report_ms_) {
    log::warning("statements_failed count={} reason=\"{}\"", unreported_, error.message);
    next_report_ms_ = loop_.now_ms() + report_interval_ms;
    unreported_ = 0;
  }
  switch (error.code) {
    case Errc::unavailable:
    case Errc::invalid_argument:
      return {Errc::unavailable, "the database is not available; try again in a moment"};
    case Errc::uncertain:
      return {error.code, "the database did not say whether this was done; look, and try again"};
    case Errc::storage_full:
      return {error.code, "the database's disk is full; nothing was changed"};
    default: return {error.code, "the database refused a statement; the log says why"};
  }
}

Task<Result<void>> Pool::ping() {
  Task<Result<QueryResult>> asking = execute("SELECT 1", {}, Kind::repeatable);
  Result<QueryResult> answer = co_await std::move(asking);
  if (!answer) co_return std::move(answer).error();
  co_return Result<void>();
}

Task<void> Pool::close() {
  closing_ = true;
  assert(waiters_.empty());
  co_await attempts_.drained();
  assert(open_ == idle_.size());
  idle_.clear();
  open_ = 0;
}

std::unique_ptr<Connection> Pool::take_idle() {
  while (!idle_.empty()) {
    std::unique_ptr<Connection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->alive_when_idle()) return connection;
    --open_;
  }
  return nullptr;
}

Task<Result<std::unique_ptr<Connection>>> Pool::wait_in_line() {
  if (closing_) co_return Error{Errc::unavailable, "the program is shutting down"};
  if (waiters_.size() >= limits_.waiters_max) {
    co_return Error{Errc::unavailable, "too many statements wait for the database; try again"};
  }
  Waiter waiter(loop_);
  waiters_.push_back(&waiter);
  open_for_waiters();
  if (!waiter.connection && !waiter.error) {
    const bool too_long = co_await waiter.timer.wait(limits_.wait_timeout_ms);
    if (too_long) {
      std::erase(waiters_, &waiter);
      co_return Error{Errc::unavailable, "the database at " + settings_.where() +
                                             " is busy: no connection became free within " +
                                             std::to_string(limits_.wait_timeout_ms) + " ms"};
    }
  }
  if (waiter.error) co_return std::move(*waiter.error);
  co_return std::move(waiter.connection);
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  if (connection->broken()) {
    connection.reset();
    --open_;
    open_for_waiters();
    return;
  }
  if (waiters_.empty()) {
    idle_.push_back(std::move(connection));
    return;
  }
  Waiter* next = waiters_.front();
  waiters_.pop_front();
  next->connection = std::move(connection);
  next->timer.wake();
}

// Sees to it that everybody in line gets something: a connection that is in use
// or on its way, a new one, or the reason why there is none.
void Pool::open_for_waiters() {
  while (!backing_off() && connecting_ < waiters_.size() &&
         open_ + connecting_ < limits_.connections_max) {
    ++connecting_;
    attempts_.spawn(open_connection());
  }
  if (open_ + connecting_ == 0) fail_waiters();
}

Task<void> Pool::open_connection() {
  Task<Result<std::unique_ptr<Connection>>> opening =
      Connection::open(loop_, settings_, limits_.connect_timeout_ms);
  Result<std::unique_ptr<Connection>> opened = co_await std::move(opening);
  --connecting_;
  if (!opened) {
    attempt_failed(std::move(opened).error());
    co_return;
  }
  if (backoff_ms_ != 0) log::info("database_back server={}", settings_.where());
  backoff_ms_ = next_attempt_ms_ = 0;
  ++open_;
  give_back(std::move(*opened));
}

void Pool::attempt_failed(Error error) {
  // Attempts that were under way together count as one.
  if (!backing_off()) {
    if (backoff_ms_ == 0) log::warning("database_lost reason=\"{}\"", error.message);
    backoff_ms_ = std::clamp(backoff_ms_ * 2, backoff_min_ms, backoff_max_ms);
    next_attempt_ms_ = loop_.now_ms() + backoff_ms_;
  }
  last_failure_ = Error{Errc::unavailable, std::move(error.message)};
  if (open_ + connecting_ == 0) fail_waiters();
}

void Pool::fail_waiters() {
  const std::deque<Waiter*> failed = std::exchange(waiters_, {});
  for (Waiter* waiter : failed) waiter->error = last_failure_;
  // They are woken from a list of their own: a waiter may send a new statement.
  for (Waiter* waiter : failed) waiter->timer.wake();
}

}  // namespace imgcached::db
