// Figures as people read them: three significant digits and a unit.
#pragma once

#include <cstdint>
#include <string>

namespace imgcached::loadgen {

// Of nanoseconds: "0.012", "1.23", "45.6" or "12345" milliseconds, without the unit.
std::string milliseconds_text(double ns);
// "512 B", "15.0 KiB", "1.50 GiB".
std::string bytes_text(double bytes);
// Of a share of 1: "83.2 %"; "0.0021 %" when it is small, "0 %" when it is none.
std::string percent_text(double share);
// Of a figure of any size: "12345", "45.6", "1.23".
std::string number_text(double value);

}  // namespace imgcached::loadgen
