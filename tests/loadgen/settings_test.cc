#include "tools/loadgen/settings.h"

#include <doctest/doctest.h>

namespace imgcached::loadgen {

TEST_CASE("settings: the ratio names both of its parts") {
  const auto ratio = [](double reads_percent) {
    Workload workload;
    workload.reads_percent = reads_percent;
    return workload.ratio_text();
  };
  CHECK(ratio(20) == "20 % reads : 80 % writes");
  CHECK(ratio(100) == "100 % reads : 0 % writes");
  CHECK(ratio(0) == "0 % reads : 100 % writes");
  CHECK(ratio(33.3) == "33.3 % reads : 66.7 % writes");
  CHECK(ratio(99.95) == "99.95 % reads : 0.05 % writes");
}

}  // namespace imgcached::loadgen
