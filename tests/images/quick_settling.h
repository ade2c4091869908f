// Times for tests that wait until a store has settled what stayed open.
#pragma once

#include "images/image_store.h"

namespace imgcached::images {

inline SettlingTimes quick_settling() {
  SettlingTimes times;
  times.retry_interval_ms = times.count_interval_ms = 10;
  return times;
}

}  // namespace imgcached::images
