#include "net/readiness.h"

#include <poll.h>

namespace imgcached::net {

bool is_ready(int descriptor, short events) {
  pollfd asked{descriptor, events, 0};
  return ::poll(&asked, 1, 0) > 0;
}

}  // namespace imgcached::net
