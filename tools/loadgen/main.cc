// loadgen: drives imgcached with a mix of reads and writes, checks every image
// that comes back, and tells what it measured. See `loadgen --help`.

#include <cstdio>

#include "tools/loadgen/commands.h"
#include "tools/loadgen/options.h"

int main(int argument_count, char** arguments) {
  using namespace imgcached::loadgen;
  const ParsedOptions parsed = parse_options(argument_count, arguments);
  if (parsed.settings) return execute(*parsed.settings);
  std::fputs(parsed.message.c_str(), parsed.exit_status == 0 ? stdout : stderr);
  return parsed.exit_status;
}
