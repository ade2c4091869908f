// Whether a descriptor is ready, asked of the system now.
#pragma once

namespace imgcached::net {

// True when one of `events` (POLLIN, POLLOUT; 0 for neither), an error or a
// hang-up is there: what the loop is about to find out. A loop runs its timers
// before it looks at its descriptors, so after a long turn a deadline fires
// although what was waited for has come in time; whoever is about to give up
// asks first.
bool is_ready(int descriptor, short events);

}  // namespace imgcached::net
