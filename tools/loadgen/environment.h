// Environment: on what machine, and by which build of the generator, a result
// was measured. Figures of two machines, or of two builds, are not one series.
#pragma once

#include <cstdint>
#include <string>

namespace imgcached::loadgen {

struct Environment {
  std::string cpu_model;           // "unknown" where the system does not say
  unsigned cores = 0;              // that this process may use
  std::uint64_t memory_bytes = 0;  // of the machine
  std::string kernel;              // such as "Linux 6.1.0-18-amd64 x86_64"
  std::string commit;              // of the generator's sources when it was built

  // The machine in words: "AMD EPYC 7763, 2 cores, 24.0 GiB".
  std::string machine_text() const;

  // Reads a few files below /proc: for the start and the end of a run.
  static Environment current();

  friend bool operator==(const Environment&, const Environment&) = default;
};

}  // namespace imgcached::loadgen
