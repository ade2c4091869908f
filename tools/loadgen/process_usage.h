// What this process has used of the machine.
#pragma once

#include <cstdint>

namespace imgcached::loadgen {

// CPU time of all threads, in user and kernel mode, since the process began.
double cpu_seconds();

// Memory that is resident now; 0: the system does not say.
std::uint64_t resident_bytes();

}  // namespace imgcached::loadgen
