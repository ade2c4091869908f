#include "tools/loadgen/settings.h"

#include <fmt/format.h>

namespace imgcached::loadgen {

std::string Workload::ratio_text() const {
  // Ten digits: 100 - 33.3 is 66.7 to them.
  return fmt::format("{:.10g} % reads : {:.10g} % writes", reads_percent, 100 - reads_percent);
}

}  // namespace imgcached::loadgen
