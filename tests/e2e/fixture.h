// What end-to-end tests stand on: a real MariaDB, the real program, raw sockets.
//
//   Server server;                           // both services, a fresh store
//   Peer peer(server.backend_port());
//   peer.send("GET /healthz HTTP/1.0\r\n\r\n");
//   CHECK(peer.receive_all().starts_with("HTTP/1.1 200"));
//   server.restart();                        // same store, same ports
//
// Everything waits with a bound and fails the running test, with the reason,
// when it passes; nothing sleeps. Ports are free ones, directories are fresh.
// Child processes die with the test binary, however it ends. Failures are
// reported through doctest, so use these inside a test case, on its thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace imgcached::e2e {

// How long anything may take before its test fails: far beyond what a loaded
// machine under a sanitizer needs, so that it only ever ends a hang.
constexpr int patience_ms = 30'000;

// Asks until it holds; for what the other side does in its own time.
void eventually(const std::string& what, const std::function<bool()>& holds);

// A fresh directory (mode 0700), removed with everything in it at the end.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A child process. Its standard input is empty, its standard output is read
// here, its standard error is appended to a file. IMGCACHED_* variables are
// taken out of its environment. Killed, if need be, and reaped by destruction.
class Process {
 public:
  Process(const std::vector<std::string>& command, const std::string& stderr_path);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // REQUIRES: not reaped by wait().
  void signal(int number);
  // The next line of its standard output, without the newline; nothing at its end.
  std::optional<std::string> read_line();
  // What is left of its standard output, once it has closed it.
  std::string read_all();
  // Waits for its end: the exit status, or 128 + signal as a shell has it. One
  // that does not end in time is killed, so 137. Never throws.
  int wait();

 private:
  bool read_more();

  pid_t pid_ = -1;
  int stdout_ = -1;
  std::string unread_;
  std::optional<int> status_;
};

// A MariaDB of its own (tools/mariadb-instance), reachable by unix socket.
class Database {
 public:
  using Rows = std::vector<std::vector<std::string>>;

  Database();
  ~Database();

  // The one of this test binary: started by the first who asks, gone at exit.
  // A test that stops or freezes it brings it back before it ends.
  static Database& shared();

  // Same data, same socket. REQUIRES: stopped or killed.
  void start();
  void stop();    // gracefully
  void kill();    // as a crash would
  void freeze();  // accepts connections, answers nothing
  void thaw();

  const std::string& socket() const { return socket_; }
  // A fresh, empty database on this server; its name.
  std::string create();
  // Runs SQL as root through the client program. A NULL reads "NULL".
  Rows query(const std::string& sql, const std::string& database = "mysql");

 private:
  ScratchDirectory directory_;
  std::unique_ptr<Process> process_;
  std::string socket_;
  int created_ = 0;
};

// One imgcached process. The end of a Server drains it by SIGTERM and checks
// that it exits 0, which is also when the sanitizers give their verdict.
class Server {
 public:
  enum class Role { combined, backend, cache };

  struct Options {
    Role role = Role::combined;
    std::string host = "127.0.0.1";       // where both services listen
    std::vector<std::string> flags = {};  // in addition
    std::string cache_url = {};           // Role::backend needs it
    std::string database = {};            // empty: a fresh one; two roles share one
    std::string database_socket = {};     // empty: the server's own; else a way to it
    std::string database_user = "root";
    Database* server = nullptr;              // null: the shared one
    std::vector<std::string> launcher = {};  // a command that becomes the program: {"env", ...}
  };

  // Returns when it is ready.
  Server() : Server(Options{}) {}
  explicit Server(Options options);
  ~Server();

  // 0 where the role has no such service.
  std::uint16_t backend_port() const { return backend_port_; }
  std::uint16_t cache_port() const { return cache_port_; }
  std::string cache_url() const { return "http://127.0.0.1:" + std::to_string(cache_port_); }
  const std::string& database() const { return options_.database; }
  std::string images_directory() const { return directory_.path() + "/images"; }
  std::string log_path() const { return directory_.path() + "/imgcached.log"; }
  std::string log() const;
  // REQUIRES, as all below: running.
  pid_t pid() const { return process_->pid(); }

  // SIGTERM; the exit status.
  int terminate();
  void signal(int number) { process_->signal(number); }
  // SIGKILL: nothing is drained, nothing said goodbye.
  void kill9();
  // Starts it again, after ending it by terminate() if it runs, on the same
  // database, images and ports.
  void restart();
  // The same; false when it ended before it was ready.
  bool try_restart();

 private:
  void start();
  bool try_start();
  void end();
  std::vector<std::string> command() const;

  ScratchDirectory directory_;
  Options options_;
  std::unique_ptr<Process> process_;
  std::uint16_t backend_port_ = 0;
  std::uint16_t cache_port_ = 0;
};

// The program of this build.
std::string program_path();
// Whether that is a sanitizer's: it takes its time, and memory.
bool is_sanitized();

// Runs imgcached to its end, for what it says about its flags and settings.
struct Outcome {
  int status;
  std::string output;
  std::string errors;
};
Outcome run_imgcached(const std::vector<std::string>& flags);

// A blocking TCP client of 127.0.0.1 that says exactly what it is told to.
class Peer {
 public:
  explicit Peer(std::uint16_t port);
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // All of the bytes; false when the other side has closed meanwhile.
  bool send(std::string_view bytes);
  // What arrives until `enough` holds for it, or until the end of the stream.
  std::string receive_until(const std::function<bool(std::string_view)>& enough);
  std::string receive_all();
  // That many bytes and not one more is taken; fewer at the end of the stream.
  std::string receive_exactly(std::size_t size);
  void end_sending();  // FIN; receiving goes on
  void close();
  void reset();  // RST

 private:
  int socket_ = -1;
};

}  // namespace imgcached::e2e
