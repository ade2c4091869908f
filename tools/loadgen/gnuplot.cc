#include "tools/loadgen/gnuplot.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace imgcached::loadgen {
namespace {

// Of what it says, this much is kept; a script gone wrong may say it for every point.
constexpr std::size_t message_bytes_max = 2'000;

// A string as a script has it: within single quotes only the quote is special.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

std::string read_to_end(int fd) {
  std::string text;
  char piece[4096];
  while (true) {
    const ssize_t count = ::read(fd, piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    const std::size_t room = message_bytes_max - text.size();
    text.append(piece, std::min(room, static_cast<std::size_t>(count)));
  }
}

Error failed(int number) {
  if (number == ENOENT) {
    return {Errc::unavailable,
            "graphs need gnuplot, which is not installed: apt-get install gnuplot-nox"};
  }
  return {Errc::unavailable, "cannot run gnuplot: " + std::generic_category().message(number)};
}

}  // namespace

Result<void> run_gnuplot(const std::string& script,
                         const std::vector<std::pair<std::string, std::string>>& variables) {
  std::string assignments;
  for (const auto& [name, value] : variables) assignments += name + "=" + quoted(value) + ";";
  std::string program = "gnuplot", option = "-e", path = script;
  char* arguments[] = {program.data(), option.data(), assignments.data(), path.data(), nullptr};

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed(errno);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  pid_t pid = 0;
  const int number = ::posix_spawnp(&pid, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  const std::string message = number == 0 ? read_to_end(ends[0]) : "";
  ::close(ends[0]);
  if (number != 0) return failed(number);

  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Error{Errc::internal, fmt::format("gnuplot failed on {}: {}", script, message)};
}

}  // namespace imgcached::loadgen
