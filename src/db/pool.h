// Pool: the connections of one loop to the database.
//
// Connections are opened when a statement finds none idle, at most
// connections_max of them; further statements wait in line, at most waiters_max
// of them and not for long. The model of an outage:
//
//  * A connection whose server went while it was idle is noticed before it is
//    used, and replaced: nobody sees a restart between two statements.
//  * When an answer is lost, a statement that is Kind::repeatable is sent once
//    more. So is any other if the server certainly did not execute it (it had
//    not been sent yet, or lost a deadlock). Otherwise nobody can know: it fails
//    with Errc::uncertain.
//  * After a failed attempt to connect there is none for a while (100 ms,
//    doubling to 1 s); meanwhile statements fail at once, with the reason of
//    that attempt. The first statement after that tries again, so the pool
//    recovers by itself.
//  * All in all a statement takes timeout_ms at most, so a client has its 503
//    within two seconds.
//
// Failures are those of Connection, with a reason that may be shown to anybody;
// the server's own words are for the log, at most one line a second. That the
// server refuses us is unavailable here: it is no fault of the one who asks.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/gate.h"
#include "base/result.h"
#include "base/task.h"
#include "db/connection.h"
#include "db/query.h"
#include "db/settings.h"
#include "net/loop.h"
#include "net/timer.h"

namespace imgcached::db {

struct PoolLimits {
  std::size_t connections_max = 8;
  std::size_t waiters_max = 4096;          // bounds the memory; the timeout of the wait comes first
  std::uint64_t timeout_ms = 1500;         // of a statement, waiting in line included
  std::uint64_t wait_timeout_ms = 750;     // of waiting in line
  std::uint64_t connect_timeout_ms = 750;  // of an attempt to connect
};

class Pool {
 public:
  static constexpr std::uint64_t backoff_min_ms = 100;
  static constexpr std::uint64_t backoff_max_ms = 1000;

  Pool(net::Loop& loop, Settings settings, PoolLimits limits = PoolLimits());
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Carries out one statement; each stands for itself (autocommit).
  Task<Result<QueryResult>> execute(std::string sql, std::vector<Value> parameters = {},
                                    Kind kind = Kind::write);
  // Whether a statement can be carried out now, and why not.
  Task<Result<void>> ping();
  // Closes every connection; later statements fail. Must be awaited before the
  // pool goes. REQUIRES: no statement under way.
  Task<void> close();

  net::Loop& loop() { return loop_; }
  std::size_t connections() const { return open_; }  // idle or in use
  std::size_t waiters() const { return waiters_.size(); }

 private:
  // A statement in line. It gets a connection or an error and is woken, or it
  // gives up by itself.
  struct Waiter {
    explicit Waiter(net::Loop& loop) : timer(loop) {}
    net::Timer timer;
    std::unique_ptr<Connection> connection;
    std::optional<Error> error;
  };

  Error for_client(Error error);
  std::unique_ptr<Connection> take_idle();
  Task<Result<std::unique_ptr<Connection>>> wait_in_line();
  void give_back(std::unique_ptr<Connection> connection);

  bool backing_off() const { return loop_.now_ms() < next_attempt_ms_; }
  void open_for_waiters();
  Task<void> open_connection();
  void attempt_failed(Error error);
  void fail_waiters();

  net::Loop& loop_;
  const Settings settings_;
  const PoolLimits limits_;
  Gate attempts_;
  std::vector<std::unique_ptr<Connection>> idle_;  // empty while anybody waits; last used last
  std::deque<Waiter*> waiters_;                    // first come, first served
  std::size_t open_ = 0;
  std::size_t connecting_ = 0;
  std::uint64_t backoff_ms_ = 0;       // 0: the last attempt to connect succeeded
  std::uint64_t next_attempt_ms_ = 0;  // on the loop's clock
  Error last_failure_{Errc::unavailable, {}};
  std::uint64_t next_report_ms_ = 0;  // of a failure, in the log
  std::uint64_t unreported_ = 0;      // failures since the last report
  bool closing_ = false;
};

}  // namespace imgcached::db
