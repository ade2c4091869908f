// What this machine's disk and database do for durable uploads when each file is synced by
// itself, without any server:
//
//   bench-disk-limit DIRECTORY SOCKET DATABASE BYTES SECONDS
//
// Threads write files of BYTES as an image store must: create, write, fdatasync,
// rename to the final name, fsync of its directory. Beside them one connection
// to the database inserts a row for each file that is done, all that are done at
// a time in one statement, so one commit for a batch. A file counts when its row
// is committed. Tries 1, 2, 4 ... 64 threads, each for SECONDS, and prints a line
// for each: threads, and files a second. No bound on what can be done: files that share
// one sync of the file system (images/blob_committer.h) go faster.
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/gate.h"
#include "base/random.h"
#include "base/task.h"
#include "db/pool.h"
#include "net/file.h"
#include "net/loop.h"
#include "net/timer.h"

namespace imgcached::bench {
namespace {

constexpr int directories = 256;
constexpr unsigned threads_max = 64;
constexpr std::uint64_t rows_max = 256;  // of one statement

[[noreturn]] void fail(const std::string& reason) {
  fmt::print(stderr, "bench-disk-limit: {}\n", reason);
  std::exit(1);
}

void must(const Result<void>& result) {
  if (!result) fail(result.error().message);
}

struct Limits {
  std::string root;
  db::Settings database;  // with a table disk_limit (name CHAR(32) PRIMARY KEY)
  std::size_t file_bytes = 0;
  std::uint64_t duration_ns = 0;
};

// What the threads and the committer share.
struct Progress {
  std::atomic<std::uint64_t> files{0};
  std::atomic<bool> ends{false};
};

std::string random_name(Random& random) {
  return fmt::format("{:016x}{:016x}", random.next(), random.next());
}

void write_file(const std::string& root, const std::string& name, std::string_view bytes) {
  const std::string unfinished = root + "/tmp/" + name;
  const std::string directory = root + "/" + name.substr(0, 2);
  Result<net::File> file = net::File::create(unfinished);
  if (!file) fail(file.error().message);
  must(file->write(bytes));
  must(file->sync());
  must(file->close());
  must(net::rename_file(unfinished, directory + "/" + name));
  must(net::sync_directory(directory));
}

void write_files(const std::string& root, std::size_t file_bytes, Progress& progress) {
  Random random = Random::from_os();
  std::string bytes(file_bytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  while (!progress.ends) {
    write_file(root, random_name(random), bytes);
    ++progress.files;
  }
}

// Until the time is over; the files of committed rows.
Task<Result<std::uint64_t>> commit_rows(net::Loop& loop, db::Pool& pool, const Progress& progress,
                                        std::uint64_t end_ns) {
  Random random = Random::from_os();
  net::Timer pause(loop);
  std::uint64_t committed = 0;
  while (monotonic_ns() < end_ns) {
    const std::uint64_t due = std::min(progress.files - committed, rows_max);
    if (due == 0) {
      co_await pause.wait(1);  // spinning would take a core from the writers
      continue;
    }
    std::string sql = "INSERT INTO disk_limit VALUES ";
    for (std::uint64_t i = 0; i < due; ++i) {
      sql += fmt::format("{}('{}')", i ? "," : "", random_name(random));
    }
    Result<db::QueryResult> inserted = co_await pool.execute(std::move(sql));
    if (!inserted) co_return std::move(inserted).error();
    committed += due;
  }
  co_return committed;
}

Task<void> measure(net::Loop& loop, db::Pool& pool, const Progress& progress, std::uint64_t end_ns,
                   Result<std::uint64_t>& committed) {
  committed = co_await commit_rows(loop, pool, progress, end_ns);
  co_await pool.close();
}

// Files a second.
double measure(const Limits& limits, unsigned thread_count) {
  Progress progress;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < thread_count; ++i) {
    threads.emplace_back([&] { write_files(limits.root, limits.file_bytes, progress); });
  }
  net::Loop loop;
  db::Pool pool(loop, limits.database);
  Gate gate;
  Result<std::uint64_t> committed = std::uint64_t{0};
  const std::uint64_t begin_ns = monotonic_ns();
  gate.spawn(measure(loop, pool, progress, begin_ns + limits.duration_ns, committed));
  loop.run();
  const double elapsed_s = static_cast<double>(monotonic_ns() - begin_ns) * 1e-9;
  progress.ends = true;
  for (std::thread& thread : threads) thread.join();
  if (!committed) fail(committed.error().message);
  return static_cast<double>(*committed) / elapsed_s;
}

Limits limits_of(char** arguments) {
  Limits limits;
  limits.root = arguments[1];
  limits.database.socket = arguments[2];
  limits.database.user = "root";
  limits.database.name = arguments[3];
  limits.file_bytes = static_cast<std::size_t>(std::atoll(arguments[4]));
  limits.duration_ns = static_cast<std::uint64_t>(std::atof(arguments[5]) * 1e9);
  if (limits.file_bytes == 0 || limits.duration_ns == 0) fail("BYTES and SECONDS are above 0");
  return limits;
}

int run(int argument_count, char** arguments) {
  if (argument_count != 6) {
    fail("usage: bench-disk-limit DIRECTORY SOCKET DATABASE BYTES SECONDS");
  }
  const Limits limits = limits_of(arguments);
  must(net::make_directory(limits.root + "/tmp"));
  for (int i = 0; i < directories; ++i) {
    must(net::make_directory(fmt::format("{}/{:02x}", limits.root, i)));
  }
  for (unsigned threads = 1; threads <= threads_max; threads *= 2) {
    fmt::print("{} {:.0f}\n", threads, measure(limits, threads));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace imgcached::bench

int main(int argument_count, char** arguments) {
  return imgcached::bench::run(argument_count, arguments);
}
