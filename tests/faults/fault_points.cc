// Fault points: a library to be preloaded (LD_PRELOAD) into the program under
// test, the very binary that users run.
//
// It stands between the program and the C library, and the database's client
// library, and passes a named point before and after each call that an upload or
// a removal is made of:
//
//   before fdatasync tmp       a file operation: what is done, to which kind of file
//   after fdatasync tmp
//   before UPDATE images       a statement on the table of images has not been started
//   sent UPDATE images         it lies in the socket, the answer has not come
//   after UPDATE images        the answer has come
//   before send answer         to the client of an HTTP service of this process
//   before send invalidation   to the cache service, when that is another process
//
// The files are those below the directory of --images. Their kinds: `image`,
// `tmp` (an unfinished upload), `identity`, `lock`, `directory` (one that holds
// images), `root`.
//
// At a point the process can be made to kill itself, or to wait, and a call on a file to
// fail or to fall short; control.h says by what. Without the variable it names,
// nothing happens. The library is not built with a sanitizer: it calls on the
// next definition of what it replaces, which is the sanitizer's own.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tests/faults/control.h"

struct st_mysql_stmt;

// What ThreadSanitizer can't know: the process that steers begins a new recording in the
// place of the old one, when nobody writes to that any more.
extern "C" const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "called_from_lib:libfaults.so\n";
}

namespace imgcached::faults {
namespace {

Control* control = nullptr;     // null: not steered
std::string* images = nullptr;  // the directory, without a slash at its end

// glibc hands the program's arguments to constructors.
__attribute__((constructor)) void find_control(int count, char** arguments, char**) {
  const char* path = std::getenv(control_variable);
  for (int i = 1; i + 1 < count; ++i) {
    if (std::string_view(arguments[i]) == "--images") images = new std::string(arguments[i + 1]);
  }
  if (!path || !images) return;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  void* mapped = ::mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || mapped == MAP_FAILED) std::abort();
  ::close(fd);
  control = static_cast<Control*>(mapped);
}

// The definition that would be called without this library.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}
#define NEXT(function)                                                                   \
  ([] {                                                                                  \
    static auto* const found = imgcached::faults::next<decltype(::function)>(#function); \
    return found;                                                                        \
  }())

// --- Points -------------------------------------------------------------------------------------

void hold(const char* point) {
  const auto is_for_us = [&] {
    return control->is_holding && std::strcmp(control->hold_at.data(), point) == 0;
  };
  if (!is_for_us()) return;
  control->is_held = true;
  while (is_for_us()) ::usleep(1000);
}

void pass(const char* moment, const char* operation, const char* object) {
  if (!control || !(control->is_recording || control->is_holding)) return;
  const int reason = errno;
  std::array<char, point_bytes> point;
  std::snprintf(point.data(), point.size(), "%s %s %s", moment, operation, object);
  hold(point.data());
  if (!control->is_recording) return;
  const std::uint32_t index = control->passed++;
  if (index < points_max) control->points[index] = point;
  if (index + 1 == control->kill_at) {
    control->is_killed = true;
    ::kill(::getpid(), SIGKILL);
  }
  errno = reason;
}

// --- Rules --------------------------------------------------------------------------------------

struct Fault {
  int error = 0;
  std::size_t bytes_max = SIZE_MAX;
  bool is_carried_out = false;
};

bool is_for(const std::array<char, 16>& wanted, const char* name) {
  return wanted[0] == '\0' || std::strcmp(wanted.data(), name) == 0;
}

Fault fault_of(const char* operation, const char* file) {
  const std::uint32_t count = control ? control->rules_active.load() : 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    Rule& rule = control->rules[i];
    if (!is_for(rule.operation, operation) || !is_for(rule.file, file)) continue;
    const std::uint32_t index = rule.met++;
    if (index < rule.skip || index - rule.skip >= rule.times) continue;
    return {rule.error, rule.bytes_max ? rule.bytes_max : SIZE_MAX, rule.is_carried_out};
  }
  return {};
}

// Makes a call on a file (null: none of ours), which is given how many bytes it
// may take; `failed` is what it answers when it fails.
template <class Call, class Value>
Value guarded(const char* operation, const char* file, Value failed, Call call) {
  if (!file) return call(SIZE_MAX);
  pass("before", operation, file);
  const Fault fault = fault_of(operation, file);
  Value result = failed;
  if (fault.error == 0 || fault.is_carried_out) result = call(fault.bytes_max);
  if (fault.error != 0) {
    result = failed;
    errno = fault.error;
  }
  pass("after", operation, file);
  return result;
}

// --- Which file ---------------------------------------------------------------------------------

// Null for what is not below the directory of the images.
const char* kind_of(const char* path) {
  if (!control) return nullptr;
  std::string_view name = path;
  if (!name.starts_with(*images)) return nullptr;
  name.remove_prefix(images->size());
  if (name.empty()) return "root";
  if (!name.starts_with('/')) return nullptr;
  name.remove_prefix(1);
  if (name == "lock") return "lock";
  if (name == "identity") return "identity";
  if (name.starts_with("tmp/")) return "tmp";
  return name.find('/') == std::string_view::npos ? "directory" : "image";
}

// Of the files that are open, by descriptor.
std::array<std::atomic<const char*>, 65536> open_kinds;

const char* kind_of(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  return index < open_kinds.size() ? open_kinds[index].load() : nullptr;
}

int remember(int fd, const char* kind) {
  const auto index = static_cast<std::size_t>(fd);
  if (index < open_kinds.size()) open_kinds[index] = kind;
  return fd;
}

int open_file(const char* path, int flags, mode_t mode) {
  const char* kind = kind_of(path);
  const int fd =
      guarded("open", kind, -1, [&](std::size_t) { return NEXT(open)(path, flags, mode); });
  return remember(fd, kind);
}

// --- What is said to others ---------------------------------------------------------------------

// Null for what is no beginning of a message that matters here.
const char* message_kind(std::string_view bytes) {
  if (bytes.starts_with("HTTP/1.1 ")) return "answer";
  const std::string_view target = bytes.substr(std::min(bytes.find('/'), bytes.size()));
  if (target.starts_with("/invalidate_specific_key") || target.starts_with("/clear_cache"))
    return "invalidation";
  return nullptr;
}

template <class Call>
ssize_t send(std::string_view bytes, Call call) {
  const char* kind = control && control->is_recording ? message_kind(bytes) : nullptr;
  if (!kind) return call();
  pass("before", "send", kind);
  const ssize_t sent = call();
  pass("after", "send", kind);
  return sent;
}

// --- Statements ---------------------------------------------------------------------------------

// The verbs of the prepared statements that are about images.
class Statements {
 public:
  void add(st_mysql_stmt* statement, std::string_view sql) {
    const std::lock_guard lock(mutex_);
    verbs_.erase(statement);
    if (sql.find(" images") == std::string_view::npos) return;
    // A comment before it holds what is for one kind of server only.
    if (sql.starts_with("/*")) sql.remove_prefix(sql.find("*/ ") + 3);
    for (const char* verb : {"SELECT", "INSERT", "UPDATE", "DELETE"}) {
      if (sql.starts_with(verb)) verbs_[statement] = verb;
    }
  }
  // Null: it is about something else.
  const char* verb(st_mysql_stmt* statement) {
    const std::lock_guard lock(mutex_);
    const auto found = verbs_.find(statement);
    return found == verbs_.end() ? nullptr : found->second;
  }

  static Statements& all() {
    static auto* const statements = new Statements;  // outlives the last connection
    return *statements;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<st_mysql_stmt*, const char*> verbs_;
};

void pass_statement(const char* moment, st_mysql_stmt* statement) {
  if (const char* verb = Statements::all().verb(statement)) pass(moment, verb, "images");
}

}  // namespace
}  // namespace imgcached::faults

// --- What is replaced ---------------------------------------------------------------------------

using imgcached::faults::guarded;
using imgcached::faults::kind_of;

extern "C" {

int mysql_stmt_prepare_start(int*, st_mysql_stmt*, const char*, unsigned long);
int mysql_stmt_execute_start(int*, st_mysql_stmt*);
int mysql_stmt_execute_cont(int*, st_mysql_stmt*, int);

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  return imgcached::faults::open_file(path, flags, mode);
}

// A descriptor is gone whatever close() says.
int close(int fd) {
  const char* kind = kind_of(fd);
  if (!kind) return NEXT(close)(fd);
  imgcached::faults::remember(fd, nullptr);
  imgcached::faults::pass("before", "close", kind);
  int status = NEXT(close)(fd);
  if (const int error = imgcached::faults::fault_of("close", kind).error; error != 0) {
    status = -1;
    errno = error;
  }
  imgcached::faults::pass("after", "close", kind);
  return status;
}

ssize_t write(int fd, const void* bytes, size_t count) {
  const char* kind = kind_of(fd);
  if (kind) {
    return guarded("write", kind, ssize_t{-1}, [&](std::size_t bytes_max) {
      return NEXT(write)(fd, bytes, std::min(count, bytes_max));
    });
  }
  return imgcached::faults::send({static_cast<const char*>(bytes), count},
                                 [&] { return NEXT(write)(fd, bytes, count); });
}

ssize_t writev(int fd, const iovec* parts, int count) {
  const std::string_view first(static_cast<const char*>(parts->iov_base), parts->iov_len);
  return imgcached::faults::send(first, [&] { return NEXT(writev)(fd, parts, count); });
}

ssize_t read(int fd, void* bytes, size_t count) {
  return guarded("read", kind_of(fd), ssize_t{-1}, [&](std::size_t bytes_max) {
    return NEXT(read)(fd, bytes, std::min(count, bytes_max));
  });
}

int fstat(int fd, struct stat* status) {
  return guarded("fstat", kind_of(fd), -1, [&](std::size_t) { return NEXT(fstat)(fd, status); });
}

int fdatasync(int fd) {
  return guarded("fdatasync", kind_of(fd), -1, [&](std::size_t) { return NEXT(fdatasync)(fd); });
}

int fsync(int fd) {
  return guarded("fsync", kind_of(fd), -1, [&](std::size_t) { return NEXT(fsync)(fd); });
}

// All of the file system; the file is the one that it is named by.
int syncfs(int fd) noexcept {
  return guarded("syncfs", kind_of(fd), -1, [&](std::size_t) { return NEXT(syncfs)(fd); });
}

int rename(const char* from, const char* to) {
  return guarded("rename", kind_of(to), -1, [&](std::size_t) { return NEXT(rename)(from, to); });
}

int unlink(const char* path) {
  return guarded("unlink", kind_of(path), -1, [&](std::size_t) { return NEXT(unlink)(path); });
}

int mkdir(const char* path, mode_t mode) {
  return guarded("mkdir", kind_of(path), -1, [&](std::size_t) { return NEXT(mkdir)(path, mode); });
}

DIR* opendir(const char* path) {
  return guarded("opendir", kind_of(path), static_cast<DIR*>(nullptr),
                 [&](std::size_t) { return NEXT(opendir)(path); });
}

int mysql_stmt_prepare_start(int* failed, st_mysql_stmt* statement, const char* sql,
                             unsigned long bytes) {
  imgcached::faults::Statements::all().add(statement, {sql, bytes});
  return NEXT(mysql_stmt_prepare_start)(failed, statement, sql, bytes);
}

int mysql_stmt_execute_start(int* failed, st_mysql_stmt* statement) {
  imgcached::faults::pass_statement("before", statement);
  const int awaited = NEXT(mysql_stmt_execute_start)(failed, statement);
  imgcached::faults::pass_statement(awaited != 0 ? "sent" : "after", statement);
  return awaited;
}

int mysql_stmt_execute_cont(int* failed, st_mysql_stmt* statement, int events) {
  const int awaited = NEXT(mysql_stmt_execute_cont)(failed, statement, events);
  if (awaited == 0) imgcached::faults::pass_statement("after", statement);
  return awaited;
}

}  // extern "C"
