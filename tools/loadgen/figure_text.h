// Figures as people read them. In a table all have three significant digits, so
// that columns look even; in a sentence they have no needless zeros.
#pragma once

#include <cstdint>
#include <string>

namespace imgcached::loadgen {

// In a table, of nanoseconds: "0.012", "1.23", "45.6" or "12345" milliseconds, without the unit.
std::string milliseconds_text(double ns);
// "512 B", "15.0 KiB", "1.50 GiB".
std::string bytes_text(double bytes);
// Of a share of 1: "83.2 %"; "0.0021 %" when it is small, "0 %" when it is none.
std::string percent_text(double share);
// Of a figure of any size: "12345", "45.6", "1.23".
std::string number_text(double value);

// In a sentence, to that many significant digits and without an exponent: "34.1", "12300".
std::string digits_text(double value, int significant_digits = 3);
// Likewise, of nanoseconds, with the unit that fits: "34.1 ms", "1.25 s".
std::string time_text(double ns, int significant_digits = 3);
// As parse_duration_ms() reads it, in the largest unit that needs no fraction: "30s", "1500ms".
std::string duration_text(std::uint64_t ms);

}  // namespace imgcached::loadgen
