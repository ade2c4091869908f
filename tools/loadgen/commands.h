// Commands: what each subcommand does, from its settings to its exit status.
#pragma once

#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

// Runs the command to its end; what it has to say goes to standard output, what
// went wrong to standard error. The exit status (options.h). SIGINT and SIGTERM
// end a run early, with the report of what ran so far.
int execute(const Settings& settings);

}  // namespace imgcached::loadgen
