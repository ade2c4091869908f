#include "tests/e2e/fixture.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace imgcached::e2e {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& reason) {
  FAIL(reason);
  std::abort();  // FAIL throws
}

[[noreturn]] void fail_errno(const std::string& what) { fail(what + ": " + std::strerror(errno)); }

Clock::time_point soon() { return Clock::now() + std::chrono::milliseconds(patience_ms); }

// Waits until fd is ready for `events`; false when the deadline passes.
bool is_ready(int fd, short events, Clock::time_point deadline) {
  pollfd waited{fd, events, 0};
  int ready;
  do {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    ready = ::poll(&waited, 1, left > 0 ? static_cast<int>(left) : 0);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

// The same; fails the test when the deadline passes.
void await(int fd, short events, Clock::time_point deadline, const std::string& what) {
  if (!is_ready(fd, events, deadline)) fail(fmt::format("waited {} ms for {}", patience_ms, what));
}

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<char*> null_terminated(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A row of the client's --batch output: tabs between columns, the rest escaped.
std::vector<std::string> parse_row(std::string_view line) {
  std::vector<std::string> columns(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\t') {
      columns.emplace_back();
    } else if (line[i] == '\\' && i + 1 < line.size()) {
      const char escaped = line[++i];
      columns.back() += escaped == 'n'   ? '\n'
                        : escaped == 't' ? '\t'
                        : escaped == '0' ? '\0'
                                         : escaped;
    } else {
      columns.back() += line[i];
    }
  }
  return columns;
}

// The port of `name=host:port` in the ready line; 0 without it.
std::uint16_t port_in(std::string_view line, std::string_view name) {
  const std::size_t found = line.find(fmt::format(" {}=", name));
  if (found == std::string_view::npos) return 0;
  std::string_view address = line.substr(found + name.size() + 2);
  address = address.substr(0, address.find(' '));
  const std::string_view digits = address.substr(address.rfind(':') + 1);
  std::uint16_t port = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return port;
}

}  // namespace

void eventually(const std::string& what, const std::function<bool()>& holds) {
  constexpr int pause_ms = 20;  // leaves the processor to whom we wait for
  const Clock::time_point deadline = soon();
  while (!holds()) {
    if (Clock::now() > deadline) fail(fmt::format("waited {} ms for {}", patience_ms, what));
    ::poll(nullptr, 0, pause_ms);
  }
}

ScratchDirectory::ScratchDirectory() : path_(fs::temp_directory_path() / "imgcached-test-XXXXXX") {
  if (!::mkdtemp(path_.data())) fail_errno("mkdtemp " + path_);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Process::Process(const std::vector<std::string>& command, const std::string& stderr_path) {
  std::vector<std::string> arguments = command;
  std::vector<std::string> variables;
  for (char** variable = environ; *variable; ++variable) {
    if (!std::string_view(*variable).starts_with("IMGCACHED_")) variables.emplace_back(*variable);
  }
  const std::vector<char*> argv = null_terminated(arguments);
  const std::vector<char*> envp = null_terminated(variables);

  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) fail_errno("pipe");
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int errors = ::open(stderr_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (null < 0 || errors < 0) fail_errno("open " + stderr_path);

  // A signal must not reach the child while it still has our handlers (doctest's).
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    // Only async-signal-safe calls: another thread of the test may hold a lock.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(null, STDIN_FILENO);
    ::dup2(pipe[1], STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::execvpe(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(pipe[1]);
  ::close(null);
  ::close(errors);
  stdout_ = pipe[0];
  if (pid_ < 0) fail_errno("fork");
}

Process::~Process() {
  if (pid_ > 0 && !status_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(stdout_);
}

void Process::signal(int number) {
  REQUIRE(!status_);
  if (::kill(pid_, number) != 0) fail_errno("kill");
}

bool Process::read_more() {
  std::array<char, 4096> chunk;
  await(stdout_, POLLIN, soon(), "output of a process");
  const ssize_t count = ::read(stdout_, chunk.data(), chunk.size());
  if (count < 0) fail_errno("read from a process");
  unread_.append(chunk.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::optional<std::string> Process::read_line() {
  std::size_t end;
  while ((end = unread_.find('\n')) == std::string::npos) {
    if (!read_more()) return std::nullopt;
  }
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

std::string Process::read_all() {
  while (read_more()) {}
  return std::exchange(unread_, {});
}

int Process::wait() {
  if (status_) return *status_;
  // By number: glibc 2.36 declares pidfd_open without C linkage.
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (!is_ready(descriptor, POLLIN, soon())) ::kill(pid_, SIGKILL);
  ::close(descriptor);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return *status_;
}

Database::Database() { start(); }

// What it holds is thrown away: no need for a graceful end.
Database::~Database() = default;

Database& Database::shared() {
  static Database database;
  return database;
}

void Database::start() {
  const std::string log = directory_.path() + "/start.log";
  process_ = std::make_unique<Process>(
      std::vector<std::string>{IMGCACHED_SOURCE_DIRECTORY "/tools/mariadb-instance", "foreground",
                               directory_.path() + "/db"},
      log);
  const std::optional<std::string> ready = process_->read_line();
  if (!ready) {
    fail("MariaDB did not start: " + contents(log) +
         contents(directory_.path() + "/db/mariadb.log"));
  }
  socket_ = *ready;
}

void Database::stop() {
  process_->signal(SIGTERM);
  CHECK(process_->wait() == 0);
}

void Database::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

void Database::freeze() {
  process_->signal(SIGSTOP);
  siginfo_t stopped;  // until then some of its threads may still answer
  ::waitid(P_PID, process_->pid(), &stopped, WSTOPPED | WEXITED | WNOWAIT);
}
void Database::thaw() { process_->signal(SIGCONT); }

std::string Database::create() {
  const std::string name = fmt::format("test_{}", ++created_);
  query("CREATE DATABASE " + name + " CHARACTER SET utf8mb4");
  return name;
}

Database::Rows Database::query(const std::string& sql, const std::string& database) {
  const ScratchDirectory scratch;
  const std::string errors = scratch.path() + "/errors";
  Process client(
      {"mariadb", "--no-defaults", "--socket=" + socket_, "--user=root", "--batch",
       "--skip-column-names", "--default-character-set=utf8mb4", "--execute=" + sql, database},
      errors);
  Rows rows;
  while (const std::optional<std::string> line = client.read_line())
    rows.push_back(parse_row(*line));
  if (client.wait() != 0) fail(sql + ": " + contents(errors));
  return rows;
}

Server::Server(Options options) : options_(std::move(options)) {
  if (!options_.server) options_.server = &Database::shared();
  if (options_.database.empty()) options_.database = options_.server->create();
  if (options_.database_socket.empty()) options_.database_socket = options_.server->socket();
  start();
}

Server::~Server() { end(); }

std::vector<std::string> Server::command() const {
  std::vector<std::string> command = options_.launcher;
  command.insert(command.end(),
                 {program_path(), "--listen", fmt::format("{}:{}", options_.host, backend_port_),
                  "--cache-listen", fmt::format("{}:{}", options_.host, cache_port_), "--images",
                  images_directory(), "--db-socket", options_.database_socket, "--db-user",
                  options_.database_user, "--db-name", options_.database});
  if (options_.role == Role::backend) command.insert(command.end(), {"--role", "backend"});
  if (options_.role == Role::cache) command.insert(command.end(), {"--role", "cache"});
  if (!options_.cache_url.empty())
    command.insert(command.end(), {"--cache-url", options_.cache_url});
  command.insert(command.end(), options_.flags.begin(), options_.flags.end());
  return command;
}

bool Server::try_start() {
  process_ = std::make_unique<Process>(command(), log_path());
  const std::optional<std::string> ready = process_->read_line();
  if (!ready || !ready->starts_with("imgcached ready")) {
    process_.reset();
    return false;
  }
  backend_port_ = port_in(*ready, "backend");
  cache_port_ = port_in(*ready, "cache");
  return true;
}

void Server::start() {
  if (try_start()) return;
  fail(fmt::format("{}\ndid not get ready; its log:\n{}", fmt::join(command(), " "), log()));
}

std::string Server::log() const { return contents(log_path()); }

int Server::terminate() {
  process_->signal(SIGTERM);
  const int status = process_->wait();
  process_.reset();
  return status;
}

void Server::kill9() {
  process_->signal(SIGKILL);
  process_->wait();
  process_.reset();
}

void Server::end() {
  if (!process_) return;
  const int status = terminate();
  CHECK_MESSAGE(status == 0, "imgcached did not drain cleanly; its log:\n" << log());
}

void Server::restart() {
  end();
  start();
}

bool Server::try_restart() {
  end();
  return try_start();
}

// build/tests/e2e stands beside build/imgcached's directory.
std::string program_path() {
  return fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "imgcached";
}

bool is_sanitized() {
  static const bool is = [] {
    const std::string program = contents(program_path());
    return program.find("__asan_init") != std::string::npos ||
           program.find("__tsan_init") != std::string::npos;
  }();
  return is;
}

Outcome run_imgcached(const std::vector<std::string>& flags) {
  const ScratchDirectory scratch;
  const std::string errors = scratch.path() + "/errors";
  std::vector<std::string> command{program_path()};
  command.insert(command.end(), flags.begin(), flags.end());
  Process process(command, errors);
  std::string output = process.read_all();
  const int status = process.wait();
  return {status, std::move(output), contents(errors)};
}

Peer::Peer(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (socket_ < 0) fail_errno("socket");
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string reason = std::strerror(errno);
    close();  // a constructor that throws has no destructor
    fail(fmt::format("connect to port {}: {}", port, reason));
  }
}

bool Peer::send(std::string_view bytes) {
  const Clock::time_point deadline = soon();
  while (!bytes.empty()) {
    await(socket_, POLLOUT, deadline, "the peer to take bytes");
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EPIPE || errno == ECONNRESET)) return false;
    if (count < 0 && errno != EAGAIN) fail_errno("send");
    if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string Peer::receive_until(const std::function<bool(std::string_view)>& enough) {
  const Clock::time_point deadline = soon();
  std::array<char, 65536> chunk;
  std::string received;
  while (!enough(received)) {
    await(socket_, POLLIN, deadline,
          fmt::format("more of the peer after {} bytes", received.size()));
    const ssize_t count = ::recv(socket_, chunk.data(), chunk.size(), 0);
    if (count < 0 && errno != ECONNRESET) fail_errno("recv");
    if (count <= 0) break;
    received.append(chunk.data(), static_cast<std::size_t>(count));
  }
  return received;
}

std::string Peer::receive_all() {
  return receive_until([](std::string_view) { return false; });
}

std::string Peer::receive_exactly(std::size_t size) {
  const Clock::time_point deadline = soon();
  std::string received(size, '\0');
  std::size_t count = 0;
  while (count < size) {
    await(socket_, POLLIN, deadline, "more of the peer");
    const ssize_t some = ::recv(socket_, received.data() + count, size - count, 0);
    if (some <= 0) break;
    count += static_cast<std::size_t>(some);
  }
  received.resize(count);
  return received;
}

void Peer::end_sending() { ::shutdown(socket_, SHUT_WR); }

void Peer::close() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

void Peer::reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

}  // namespace imgcached::e2e
