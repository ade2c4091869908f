// FaultPoints: makes a server fail where a test wants it to, by the library in
// tests/faults/fault_points.cc, which says what the points are.
//
//   FaultPoints faults;
//   Server server({.launcher = faults.launcher()});
//   faults.fail({{.operation = "fsync", .file = "directory", .error = EIO}});
//   ...                              // uploads fail
//   faults.heal();
//   faults.kill_at(7);               // it kills itself at the seventh point from now
//
// Steers one process at a time; outlives it and its restarts.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/fixture.h"
#include "tests/faults/control.h"

namespace imgcached::e2e {

// What goes wrong, each time the operation is called; see faults::Rule.
struct Fault {
  std::string_view operation = {};  // empty: any
  std::string_view file = {};       // empty: any
  int error = 0;
  std::uint32_t bytes_max = 0;
  bool is_carried_out = false;
  std::uint32_t skip = 0;
  std::uint32_t times = faults::for_ever;
};

class FaultPoints {
 public:
  FaultPoints();
  ~FaultPoints();
  FaultPoints(const FaultPoints&) = delete;
  FaultPoints& operator=(const FaultPoints&) = delete;

  // What the server has to be started by.
  std::vector<std::string> launcher() const;

  // Begins a new recording.
  void record() { kill_at(0); }
  // Begins one that the process does not survive, if it comes that far.
  void kill_at(std::uint32_t point);
  void stop() { control_->is_recording = false; }
  // The points that were passed since the recording began; after a kill, the
  // last one is where.
  std::vector<std::string> points() const;
  bool has_killed() const { return control_->is_killed; }

  // The next thread that passes the point waits there until release(), or until another
  // point is named.
  void hold_at(std::string_view point);
  void await_held() const;
  void release() { control_->is_holding = false; }

  // From now on, instead of what went wrong until now. At each call the first
  // that is for it counts.
  void fail(std::initializer_list<Fault> faults);
  void heal() { control_->rules_active = 0; }
  // How often the first of the faults has struck.
  std::uint32_t strikes() const;

 private:
  ScratchDirectory directory_;
  faults::Control* control_;
};

// Whether the points occur in this order, whatever lies between them.
bool is_in_order(const std::vector<std::string>& points, const std::vector<std::string>& wanted);

}  // namespace imgcached::e2e
