#include "db/connection.h"

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>

namespace imgcached::db {
namespace {

// Where the library's operations run. Its default, 60 KB, has no room to spare.
constexpr std::size_t stack_bytes = 256 * 1024;

constexpr const char* session_sql =
    "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
    "innodb_lock_wait_timeout = 1, lock_wait_timeout = 1";

// Errors of MySQL 8 that MariaDB's header does not name.
constexpr unsigned mysql_client_interaction_timeout = 4031;

// The library wants to be initialised before there are two threads of it, and
// ended after the last connection.
struct Library {
  Library() {
    if (mysql_library_init(0, nullptr, nullptr) != 0) std::abort();  // out of memory at start
  }
  ~Library() { mysql_library_end(); }
};

int to_watcher_events(int library_events) {
  int events = 0;
  if (library_events & (MYSQL_WAIT_READ | MYSQL_WAIT_EXCEPT)) events |= net::FdWatcher::readable;
  if (library_events & MYSQL_WAIT_WRITE) events |= net::FdWatcher::writable;
  // Only a time-out of the library's own, and our limit is always shorter.
  return events ? events : net::FdWatcher::readable;
}

int to_library_events(int watcher_events) {
  int events = 0;
  if (watcher_events & net::FdWatcher::readable) events |= MYSQL_WAIT_READ;
  if (watcher_events & net::FdWatcher::writable) events |= MYSQL_WAIT_WRITE;
  return events;
}

bool is_client_error(unsigned code) { return code >= CR_MIN_ERROR && code <= CR_MAX_ERROR; }

Errc classify(unsigned code) {
  switch (code) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_HOST_NOT_PRIVILEGED:
    case ER_HOST_IS_BLOCKED:
    case ER_NOT_SUPPORTED_AUTH_MODE:
    case CR_AUTH_PLUGIN_CANNOT_LOAD: return Errc::invalid_argument;
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL: return Errc::storage_full;
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
    case ER_OUTOFMEMORY:
    case ER_OUT_OF_RESOURCES:
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case ER_QUERY_INTERRUPTED:
    case ER_CONNECTION_KILLED:
    case mysql_client_interaction_timeout:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK:
    case ER_OPTION_PREVENTS_STATEMENT:
    case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
    case ER_READ_ONLY_MODE:
    case ER_NET_PACKET_TOO_LARGE:
    case ER_NET_PACKETS_OUT_OF_ORDER:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED: return Errc::unavailable;
    // The server is gone, or what answers is no server.
    default: return is_client_error(code) ? Errc::unavailable : Errc::internal;
  }
}

// Whether a statement that failed so may have been carried out all the same. Who
// is told by the server that it failed can rely on it (each statement is a
// transaction of its own), unless it failed while committing or was cut off.
bool may_have_executed_despite(unsigned code) {
  switch (code) {
    case ER_ERROR_DURING_COMMIT:
    case ER_GET_ERRNO:
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case ER_QUERY_INTERRUPTED:
    case ER_CONNECTION_KILLED:
    case mysql_client_interaction_timeout: return true;
    default: return is_client_error(code);
  }
}

// The server says `... for key 'PRIMARY'`, MySQL 8 `... for key 'images.PRIMARY'`.
bool is_existing_primary_key(unsigned code, std::string_view reason) {
  return code == ER_DUP_ENTRY && reason.ends_with("PRIMARY'");
}

// Refers to `parameters`, which must outlive what is done with it.
std::vector<MYSQL_BIND> bind(const std::vector<Value>& parameters) {
  std::vector<MYSQL_BIND> binds(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    MYSQL_BIND& to = binds[i];
    std::memset(&to, 0, sizeof to);
    const Value& from = parameters[i];
    to.buffer_type = MYSQL_TYPE_NULL;
    if (const auto* integer = std::get_if<std::int64_t>(&from)) {
      to.buffer_type = MYSQL_TYPE_LONGLONG;
      to.buffer = const_cast<std::int64_t*>(integer);
    } else if (const auto* natural = std::get_if<std::uint64_t>(&from)) {
      to.buffer_type = MYSQL_TYPE_LONGLONG;
      to.buffer = const_cast<std::uint64_t*>(natural);
      to.is_unsigned = 1;
    } else if (const auto* real = std::get_if<double>(&from)) {
      to.buffer_type = MYSQL_TYPE_DOUBLE;
      to.buffer = const_cast<double*>(real);
    } else if (const auto* text = std::get_if<std::string>(&from)) {
      to.buffer_type = MYSQL_TYPE_BLOB;
      to.buffer = const_cast<char*>(text->data());
      to.buffer_length = text->size();
    }
  }
  return binds;
}

// One column of a result: numbers are fetched straight into `number` or `real`,
// of a string at first only the length.
struct Column {
  enum_field_types type = MYSQL_TYPE_BLOB;
  bool is_unsigned = false;
  std::int64_t number = 0;
  double real = 0;
  unsigned long length = 0;
  my_bool is_null = 0;
  my_bool is_cut = 0;

  explicit Column(const MYSQL_FIELD& field) : is_unsigned(field.flags & UNSIGNED_FLAG) {
    switch (field.type) {
      case MYSQL_TYPE_TINY:
      case MYSQL_TYPE_SHORT:
      case MYSQL_TYPE_INT24:
      case MYSQL_TYPE_LONG:
      case MYSQL_TYPE_LONGLONG:
      case MYSQL_TYPE_YEAR: type = MYSQL_TYPE_LONGLONG; break;
      case MYSQL_TYPE_FLOAT:
      case MYSQL_TYPE_DOUBLE: type = MYSQL_TYPE_DOUBLE; break;
      case MYSQL_TYPE_DECIMAL:
      case MYSQL_TYPE_NEWDECIMAL:
      case MYSQL_TYPE_DATE:
      case MYSQL_TYPE_TIME:
      case MYSQL_TYPE_DATETIME:
      case MYSQL_TYPE_TIMESTAMP: type = MYSQL_TYPE_STRING; break;
      default: break;
    }
  }

  MYSQL_BIND bind() {
    MYSQL_BIND to;
    std::memset(&to, 0, sizeof to);
    to.buffer_type = type;
    if (type == MYSQL_TYPE_LONGLONG) to.buffer = &number;
    if (type == MYSQL_TYPE_DOUBLE) to.buffer = &real;
    to.is_unsigned = is_unsigned;
    to.length = &length;
    to.is_null = &is_null;
    to.error = &is_cut;
    return to;
  }

  Value take(MYSQL_STMT* statement, unsigned index) {
    if (is_null) return {};
    if (type == MYSQL_TYPE_DOUBLE) return real;
    if (type == MYSQL_TYPE_LONGLONG) {
      if (is_unsigned) return static_cast<std::uint64_t>(number);
      return number;
    }
    std::string text(length, '\0');
    if (!text.empty()) {
      MYSQL_BIND to = bind();
      to.buffer = text.data();
      to.buffer_length = text.size();
      mysql_stmt_fetch_column(statement, &to, index, 0);
    }
    return text;
  }
};

}  // namespace

Connection::Connection(net::Loop& loop, Settings settings)
    : loop_(loop), settings_(std::move(settings)), watcher_(loop) {
  static const Library library;
  mysql_ = mysql_init(nullptr);
  if (!mysql_) std::abort();  // out of memory
}

Connection::~Connection() {
  watcher_.unwatch();
  if (broken_) {
    if (const int fd = mysql_get_socket(mysql_); fd >= 0) ::shutdown(fd, SHUT_RDWR);
  }
  // The goodbye is five bytes for a socket buffer that is empty, so it does not
  // have to wait. Should it, it is not said.
  const int fd = mysql_get_socket(mysql_);
  int awaited = mysql_close_start(mysql_);
  if (awaited != 0) ::shutdown(fd, SHUT_RDWR);
  while (awaited != 0) awaited = mysql_close_cont(mysql_, MYSQL_WAIT_TIMEOUT);
  // Without their connection, which said goodbye for them, these only free memory.
  for (const Prepared& prepared : prepared_) mysql_stmt_close(prepared.statement);
}

Task<Result<std::unique_ptr<Connection>>> Connection::open(net::Loop& loop, Settings settings,
                                                           std::uint64_t timeout_ms) {
  const std::uint64_t deadline_ms = loop.now_ms() + timeout_ms;
  if (!settings.socket.empty()) {
    Task<Result<std::unique_ptr<Connection>>> opening =
        open_at(loop, std::move(settings), {}, deadline_ms);
    Result<std::unique_ptr<Connection>> opened = co_await std::move(opening);
    co_return opened;
  }
  // The library would look a name up itself, and block.
  Task<Result<std::vector<net::SocketAddress>>> resolving =
      net::resolve(loop, net::Address{settings.host, settings.port}, timeout_ms);
  Result<std::vector<net::SocketAddress>> resolved = co_await std::move(resolving);
  if (!resolved) {
    co_return Error{Errc::unavailable, std::string(settings.flag()) +
                                           ": the database is not reachable at " +
                                           settings.where() + ": " + resolved.error().message};
  }
  const std::uint64_t left_ms = deadline_ms - std::min(deadline_ms, loop.now_ms());
  Task<Result<std::unique_ptr<Connection>>> opening =
      open(loop, std::move(settings), std::move(*resolved), left_ms);
  Result<std::unique_ptr<Connection>> opened = co_await std::move(opening);
  co_return opened;
}

// As Stream::connect() does, each address gets its share of the time that is left.
Task<Result<std::unique_ptr<Connection>>> Connection::open(
    net::Loop& loop, Settings settings, std::vector<net::SocketAddress> addresses,
    std::uint64_t timeout_ms) {
  const std::uint64_t deadline_ms = loop.now_ms() + timeout_ms;
  std::size_t untried = addresses.size();
  while (true) {
    const net::Address address = addresses[addresses.size() - untried].address();
    const std::uint64_t now_ms = loop.now_ms();
    const std::uint64_t left_ms = deadline_ms - std::min(deadline_ms, now_ms);
    Task<Result<std::unique_ptr<Connection>>> opening =
        open_at(loop, settings, address, now_ms + left_ms / untried);
    Result<std::unique_ptr<Connection>> opened = co_await std::move(opening);
    // A server that refuses us has been reached.
    if (opened || opened.error().code != Errc::unavailable || --untried == 0) co_return opened;
  }
}

Task<Result<std::unique_ptr<Connection>>> Connection::open_at(net::Loop& loop, Settings settings,
                                                              net::Address server,
                                                              std::uint64_t deadline_ms) {
  std::unique_ptr<Connection> connection(new Connection(loop, std::move(settings)));
  Task<Result<void>> logging_in = connection->log_in(std::move(server), deadline_ms);
  Result<void> logged_in = co_await std::move(logging_in);
  if (!logged_in) co_return std::move(logged_in).error();
  co_return std::move(connection);
}

Result<void> Connection::configure() {
  const my_bool off = 0;
  const unsigned no_local_infile = 0;
  const unsigned protocol = settings_.socket.empty() ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
  const bool refused = mysql_optionsv(mysql_, MYSQL_OPT_NONBLOCK, &stack_bytes) ||
                       mysql_optionsv(mysql_, MYSQL_OPT_RECONNECT, &off) ||
                       mysql_optionsv(mysql_, MYSQL_OPT_LOCAL_INFILE, &no_local_infile) ||
                       mysql_optionsv(mysql_, MYSQL_OPT_PROTOCOL, &protocol) ||
                       mysql_optionsv(mysql_, MYSQL_SET_CHARSET_NAME, "utf8mb4") ||
                       mysql_optionsv(mysql_, MYSQL_INIT_COMMAND, session_sql);
  if (refused) return failure(mysql_errno(mysql_), mysql_error(mysql_));
  return {};
}

Task<Result<void>> Connection::log_in(net::Address server, std::uint64_t deadline_ms) {
  Result<void> configured = configure();
  if (!configured) co_return configured;

  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? nullptr : text.c_str();
  };
  MYSQL* connected = nullptr;
  auto proceed = [&](int events) { return mysql_real_connect_cont(&connected, mysql_, events); };
  const int awaited = mysql_real_connect_start(
      &connected, mysql_, text_or_null(server.host), text_or_null(settings_.user),
      settings_.password.c_str(), text_or_null(settings_.name), server.port,
      text_or_null(settings_.socket), 0);
  Task<void> finished = finish(awaited, proceed, deadline_ms);
  co_await std::move(finished);
  if (!connected) co_return login_failure();
  co_return Result<void>();
}

// Lets an operation, which waits for `awaited` now, run to its end; the library
// leaves its outcome where `proceed`, its _cont function, puts it.
template <class Proceed>
Task<void> Connection::finish(int awaited, Proceed& proceed, std::uint64_t deadline_ms) {
  while (awaited != 0) {
    const int fd = mysql_get_socket(mysql_);
    const std::uint64_t now_ms = loop_.now_ms();
    if (now_ms >= deadline_ms || (fd != watcher_.fd() && !watcher_.watch(fd))) {
      abandon(proceed);
      co_return;
    }
    const int events = co_await watcher_.wait(to_watcher_events(awaited), deadline_ms - now_ms);
    if (events & net::FdWatcher::timed_out) {
      abandon(proceed);
      co_return;
    }
    awaited = proceed(to_library_events(events));
  }
  // The library closes the socket when it breaks; its number may come back as
  // somebody else's.
  if (mysql_get_socket(mysql_) < 0) watcher_.unwatch();
}

// Makes an operation that takes too long fail, by itself and now: every read
// and write it still tries finds the socket shut down.
template <class Proceed>
void Connection::abandon(Proceed& proceed) {
  watcher_.unwatch();
  timed_out_ = broken_ = true;
  if (const int fd = mysql_get_socket(mysql_); fd >= 0) ::shutdown(fd, SHUT_RDWR);
  while (proceed(MYSQL_WAIT_TIMEOUT) != 0) {}
}

Error Connection::failure(unsigned code, const char* reason) {
  if (timed_out_) {
    return {Errc::unavailable,
            "the database at " + settings_.where() + " did not answer in time; try again"};
  }
  if (is_client_error(code)) broken_ = true;
  const Errc errc = classify(code);
  std::string what;
  switch (errc) {
    case Errc::invalid_argument:
      what = "the database at " + settings_.where() + " refuses us";
      break;
    case Errc::unavailable: what = "the database is not reachable at " + settings_.where(); break;
    case Errc::storage_full: what = "the database's disk is full"; break;
    default: what = "the database refused a statement"; break;
  }
  return {errc, what + ": " + reason + " (" + std::to_string(code) + ")"};
}

Error Connection::login_failure() {
  const unsigned code = mysql_errno(mysql_);
  Error error = failure(code, mysql_error(mysql_));
  std::string flags = settings_.flag();
  switch (timed_out_ ? 0 : code) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
    case ER_NOT_SUPPORTED_AUTH_MODE:
    case CR_AUTH_PLUGIN_CANNOT_LOAD: flags = "--db-user, --db-password-file"; break;
    case ER_DBACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR: flags = "--db-name"; break;
    default: break;
  }
  error.message = flags + ": " + error.message;
  return error;
}

bool Connection::alive_when_idle() const {
  const int fd = broken_ ? -1 : static_cast<int>(mysql_get_socket(mysql_));
  if (fd < 0) return false;
  char byte;
  return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

Task<Result<st_mysql_stmt*>> Connection::prepare(const std::string& sql,
                                                 std::uint64_t deadline_ms) {
  for (auto known = prepared_.begin(); known != prepared_.end(); ++known) {
    if (known->sql != sql) continue;
    prepared_.splice(prepared_.begin(), prepared_, known);
    co_return prepared_.front().statement;
  }
  if (prepared_.size() >= statements_max) {
    Task<void> forgetting = forget_oldest(deadline_ms);
    co_await std::move(forgetting);
  }

  MYSQL_STMT* statement = mysql_stmt_init(mysql_);
  if (!statement) std::abort();  // out of memory
  int failed = 0;
  auto proceed = [&](int events) { return mysql_stmt_prepare_cont(&failed, statement, events); };
  const int awaited = mysql_stmt_prepare_start(&failed, statement, sql.data(), sql.size());
  Task<void> finished = finish(awaited, proceed, deadline_ms);
  co_await std::move(finished);
  if (failed) {
    const Error error = failure(mysql_stmt_errno(statement), mysql_stmt_error(statement));
    mysql_stmt_close(statement);  // the server has none of it: nothing to send
    co_return error;
  }
  prepared_.push_front({sql, statement});
  co_return statement;
}

Task<void> Connection::forget_oldest(std::uint64_t deadline_ms) {
  MYSQL_STMT* statement = prepared_.back().statement;
  prepared_.pop_back();
  my_bool failed = 0;
  auto proceed = [&](int events) { return mysql_stmt_close_cont(&failed, statement, events); };
  const int awaited = mysql_stmt_close_start(&failed, statement);
  Task<void> finished = finish(awaited, proceed, deadline_ms);
  co_await std::move(finished);
}

Task<Result<QueryResult>> Connection::execute(const std::string& sql,
                                              const std::vector<Value>& parameters, Kind kind,
                                              std::uint64_t timeout_ms) {
  assert(!broken_);
  const std::uint64_t deadline_ms = loop_.now_ms() + timeout_ms;
  may_have_executed_ = false;
  Task<Result<MYSQL_STMT*>> preparing = prepare(sql, deadline_ms);
  Result<MYSQL_STMT*> prepared = co_await std::move(preparing);
  if (!prepared) co_return std::move(prepared).error();
  MYSQL_STMT* statement = *prepared;

  assert(mysql_stmt_param_count(statement) == parameters.size());
  std::vector<MYSQL_BIND> binds = bind(parameters);
  if (!binds.empty()) mysql_stmt_bind_param(statement, binds.data());
  int failed = 0;
  {
    auto proceed = [&](int events) { return mysql_stmt_execute_cont(&failed, statement, events); };
    const int awaited = mysql_stmt_execute_start(&failed, statement);
    Task<void> finished = finish(awaited, proceed, deadline_ms);
    co_await std::move(finished);
  }
  if (failed) {
    const unsigned code = mysql_stmt_errno(statement);
    const char* reason = mysql_stmt_error(statement);
    if (kind == Kind::insert_new && is_existing_primary_key(code, reason)) co_return QueryResult();
    const Error error = failure(code, reason);
    may_have_executed_ = timed_out_ || may_have_executed_despite(code);
    co_return error;
  }

  QueryResult result;
  if (mysql_stmt_field_count(statement) == 0) {
    result.affected_rows = mysql_stmt_affected_rows(statement);
    co_return result;
  }
  {
    auto proceed = [&](int events) {
      return mysql_stmt_store_result_cont(&failed, statement, events);
    };
    const int awaited = mysql_stmt_store_result_start(&failed, statement);
    Task<void> finished = finish(awaited, proceed, deadline_ms);
    co_await std::move(finished);
  }
  if (failed) {
    may_have_executed_ = broken_ = true;  // in the middle of the rows: out of step for good
    co_return failure(mysql_stmt_errno(statement), mysql_stmt_error(statement));
  }
  result.rows = take_rows(statement);
  co_return result;
}

// From the library's memory; nothing here waits.
std::vector<Row> Connection::take_rows(MYSQL_STMT* statement) {
  std::vector<Column> columns;
  if (MYSQL_RES* metadata = mysql_stmt_result_metadata(statement)) {
    const unsigned count = mysql_num_fields(metadata);
    columns.reserve(count);
    for (unsigned i = 0; i < count; ++i)
      columns.emplace_back(*mysql_fetch_field_direct(metadata, i));
    mysql_free_result(metadata);
  }
  std::vector<MYSQL_BIND> binds;
  binds.reserve(columns.size());
  for (Column& column : columns) binds.push_back(column.bind());
  mysql_stmt_bind_result(statement, binds.data());

  std::vector<Row> rows;
  rows.reserve(mysql_stmt_num_rows(statement));
  for (;;) {
    const int status = mysql_stmt_fetch(statement);
    if (status != 0 && status != MYSQL_DATA_TRUNCATED) break;  // of strings we took the length only
    Row& row = rows.emplace_back();
    row.reserve(columns.size());
    for (unsigned i = 0; i < columns.size(); ++i) row.push_back(columns[i].take(statement, i));
  }
  mysql_stmt_free_result(statement);
  return rows;
}

}  // namespace imgcached::db
