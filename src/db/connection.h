// Connection: one connection to MariaDB or MySQL, on a Loop.
//
// It speaks through the client library's non-blocking API: each operation runs
// on a stack of its own inside the library until it would block; then the
// library says what it waits for, our coroutine awaits that on the loop, and
// lets it continue. The model:
//
//  * One operation at a time; prepared statements only (both servers prepare
//    DDL as well), kept by their SQL text, the least recently used one goes.
//  * Every operation has a time limit of ours. When it passes, the socket is
//    shut down and the library told of a time-out, so that the operation unwinds
//    on its own stack and leaks nothing; the connection is broken thereafter.
//  * A broken connection is of no further use. Destroying one never blocks.
//
// Failures: unavailable when the server is down, busy, shutting down, read-only
// or too slow, does not speak the protocol, and when a lock or a deadlock stood in
// the way: try again later.
// invalid_argument when it refuses our name, password or database: the settings
// are wrong. storage_full when its disk is. internal, with the server's own
// words, for everything else.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "db/query.h"
#include "db/settings.h"
#include "net/address.h"
#include "net/fd_watcher.h"
#include "net/loop.h"

struct st_mysql;
struct st_mysql_stmt;

namespace imgcached::db {

class Connection {
 public:
  static constexpr std::uint64_t timeout_default_ms = 2000;
  static constexpr std::size_t statements_max = 64;  // prepared at a time

  // Connects and logs in; the timeout covers it all. A host name may have several
  // addresses: they are tried in turn, until a server answers. The session has
  // utf8mb4, UTC, strict mode, and gives up waiting for the lock of a row or a
  // table after a second, before we do: so it is certain that nothing happened.
  // Errors begin with the flag of the setting that is to blame.
  static Task<Result<std::unique_ptr<Connection>>> open(
      net::Loop& loop, Settings settings, std::uint64_t timeout_ms = timeout_default_ms);
  // The same with the addresses of settings.host known. REQUIRES: there is one.
  static Task<Result<std::unique_ptr<Connection>>> open(net::Loop& loop, Settings settings,
                                                        std::vector<net::SocketAddress> addresses,
                                                        std::uint64_t timeout_ms);

  // Says goodbye if that is possible at once. REQUIRES: no operation under way.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Carries out one statement and fetches all of its rows. `sql` and
  // `parameters` must outlive the await. REQUIRES: as many parameters as `?`.
  Task<Result<QueryResult>> execute(const std::string& sql, const std::vector<Value>& parameters,
                                    Kind kind = Kind::write,
                                    std::uint64_t timeout_ms = timeout_default_ms);

  bool broken() const { return broken_; }
  // Whether the server is still there, asked of the kernel, while nothing is
  // under way: a server that went has closed the socket, or said why it will.
  bool alive_when_idle() const;
  // After a failed execute(): false when the server certainly left everything
  // as it was, true when it may have carried the statement out.
  bool may_have_executed() const { return may_have_executed_; }

 private:
  struct Prepared {
    std::string sql;
    st_mysql_stmt* statement;
  };

  Connection(net::Loop& loop, Settings settings);
  // `server` is numeric, or has no host: the socket of the settings.
  static Task<Result<std::unique_ptr<Connection>>> open_at(net::Loop& loop, Settings settings,
                                                           net::Address server,
                                                           std::uint64_t deadline_ms);
  Result<void> configure();
  Task<Result<void>> log_in(net::Address server, std::uint64_t deadline_ms);
  Task<Result<st_mysql_stmt*>> prepare(const std::string& sql, std::uint64_t deadline_ms);
  Task<void> forget_oldest(std::uint64_t deadline_ms);
  std::vector<Row> take_rows(st_mysql_stmt* statement);

  template <class Proceed>
  Task<void> finish(int awaited, Proceed& proceed, std::uint64_t deadline_ms);
  template <class Proceed>
  void abandon(Proceed& proceed);

  Error failure(unsigned code, const char* reason);
  Error login_failure();

  net::Loop& loop_;
  const Settings settings_;
  st_mysql* mysql_;
  net::FdWatcher watcher_;
  std::list<Prepared> prepared_;  // most recently used first
  bool broken_ = false;
  bool timed_out_ = false;
  bool may_have_executed_ = false;
};

}  // namespace imgcached::db
