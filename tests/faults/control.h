// What a test and the fault points in the program say to each other: a file
// that both have mapped. See fault_points.cc for the points, and
// tests/e2e/fault_points.h for the test's side.
//
// A test writes the rules while none of them is active, the program only counts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace imgcached::faults {

// The environment variable that names the file.
inline constexpr const char* control_variable = "FAULT_POINTS_CONTROL";

inline constexpr std::size_t point_bytes = 48;
inline constexpr std::size_t points_max = 4096;
inline constexpr std::size_t rules_max = 4;
inline constexpr std::uint32_t for_ever = UINT32_MAX;

// What goes wrong at the calls of one operation.
struct Rule {
  std::array<char, 16> operation;  // "write"; empty: any that a rule can spoil
  std::array<char, 16> file;       // "tmp"; empty: any
  std::int32_t error;              // what the call fails with; 0: it does not
  std::uint32_t bytes_max;         // what a read or write takes at a time; 0: all
  bool is_carried_out;             // the call is made, and reported as failed all the same
  std::uint32_t skip;              // so many are left alone first
  std::uint32_t times;             // so many are spoilt then
  std::atomic<std::uint32_t> met;  // calls of the operation since the rule is active
};

struct Control {
  std::atomic<bool> is_recording;
  std::atomic<std::uint32_t> kill_at;  // the number of a point, from 1; 0: none
  std::atomic<bool> is_killed;
  std::atomic<std::uint32_t> passed;                             // points since the recording began
  std::array<std::array<char, point_bytes>, points_max> points;  // their names, NUL-terminated
  std::array<char, point_bytes> hold_at;                         // the name of a point
  std::atomic<bool> is_holding;  // who passes it waits, until either changes
  std::atomic<bool> is_held;
  std::atomic<std::uint32_t> rules_active;  // the first so many
  std::array<Rule, rules_max> rules;
};

}  // namespace imgcached::faults
