// A hash for tables whose keys others choose: seeded at random by each process, so
// that nobody can make keys that collide.
#pragma once

#include <cstddef>
#include <string_view>

namespace imgcached {

// The same for equal keys within a process; XXH3, see blob.cc.
std::size_t table_hash(std::string_view key);

}  // namespace imgcached
