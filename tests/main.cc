// The entry point of every test binary: doctest's own.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

// ThreadSanitizer does not see libuv close descriptors, which it does by a bare system
// call, so a number that two loops had one after the other looks shared.
extern "C" const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "race:epoll_create1\n";
}
