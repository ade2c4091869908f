#include "tools/loadgen/environment.h"

#include <fmt/core.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "tools/loadgen/figure_text.h"

namespace imgcached::loadgen {
namespace {

// x86 says "model name"; most others say nothing of the kind.
std::string find_cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

}  // namespace

std::string Environment::machine_text() const {
  return fmt::format("{}, {} cores, {}", cpu_model, cores,
                     bytes_text(static_cast<double>(memory_bytes)));
}

Environment Environment::current() {
  Environment environment;
  environment.cpu_model = find_cpu_model();
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0) {
    environment.cores = static_cast<unsigned>(CPU_COUNT(&cores));
  }
  environment.memory_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                             static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  utsname name{};
  ::uname(&name);
  environment.kernel = fmt::format("{} {} {}", name.sysname, name.release, name.machine);
  environment.commit = IMGCACHED_COMMIT;
  return environment;
}

}  // namespace imgcached::loadgen
