// How numbers and times are written on the pages.
#pragma once

#include <cstdint>
#include <string>

namespace imgcached::pages {

// `512 B`, `14.8 KB`, `1.0 MB`; 1 KB = 1024 bytes, as the cache's capacity counts.
std::string bytes_in_words(std::uint64_t bytes);

// `1,234,567`.
std::string grouped(std::uint64_t number);

// `2026-01-31 09:05:07`, in UTC.
std::string utc_time(std::int64_t unix_ms);

// The time of day of that: `09:05:07`.
std::string utc_clock(std::int64_t unix_ms);

// The same time as HTML wants it in <time datetime>: `2026-01-31T09:05:07Z`.
std::string machine_time(std::int64_t unix_ms);

// How long ago that was: `just now`, `5 minutes ago`, `1 day ago`. What lies ahead, on
// another clock, is just now.
std::string ago_in_words(std::int64_t unix_ms, std::int64_t now_ms);

// `0.08 ms`, `12.5 ms`, `1.25 s`.
std::string duration_in_words(std::uint64_t nanoseconds);

// A fraction of 1 as `12.5 %`.
std::string percent(double fraction);

// A number of things in a second: `1,234.5`.
std::string rate_in_words(double per_second);

// A message as a page says it: with a capital letter and a full stop.
std::string sentence(std::string message);

}  // namespace imgcached::pages
