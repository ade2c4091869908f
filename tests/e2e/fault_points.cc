#include "tests/e2e/fault_points.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace imgcached::e2e {
namespace {

std::string library_path() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libfaults.so";
}

template <std::size_t size>
void copy_name(std::string_view name, std::array<char, size>& to) {
  REQUIRE(name.size() < to.size());
  to.fill('\0');
  std::copy(name.begin(), name.end(), to.begin());
}

}  // namespace

FaultPoints::FaultPoints() {
  const std::string path = directory_.path() + "/control";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(fd >= 0);
  REQUIRE(::ftruncate(fd, sizeof(faults::Control)) == 0);
  void* mapped =
      ::mmap(nullptr, sizeof(faults::Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  REQUIRE(mapped != MAP_FAILED);
  control_ = static_cast<faults::Control*>(mapped);  // all zero: nothing goes wrong
}

FaultPoints::~FaultPoints() { ::munmap(control_, sizeof(faults::Control)); }

std::vector<std::string> FaultPoints::launcher() const {
  const char* sanitizer_options = std::getenv("ASAN_OPTIONS");
  return {"env", "LD_PRELOAD=" + library_path(),
          std::string(faults::control_variable) + "=" + directory_.path() + "/control",
          // Its runtime wants to be the first library, and does not need to.
          std::string("ASAN_OPTIONS=") + (sanitizer_options ? sanitizer_options : "") +
              ":verify_asan_link_order=0"};
}

void FaultPoints::kill_at(std::uint32_t point) {
  control_->is_recording = false;
  control_->passed = 0;
  for (auto& name : control_->points) name[0] = '\0';
  control_->is_killed = false;
  control_->kill_at = point;
  control_->is_recording = true;
}

std::vector<std::string> FaultPoints::points() const {
  const std::size_t count = control_->passed;
  REQUIRE(count <= faults::points_max);
  std::vector<std::string> points;
  for (std::size_t i = 0; i < count; ++i) points.emplace_back(control_->points[i].data());
  return points;
}

void FaultPoints::hold_at(std::string_view point) {
  control_->is_held = false;
  copy_name(point, control_->hold_at);
  control_->is_holding = true;
}

void FaultPoints::await_held() const {
  eventually("the server comes to the point where it is held",
             [&] { return control_->is_held.load(); });
}

void FaultPoints::fail(std::initializer_list<Fault> faults) {
  REQUIRE(faults.size() <= faults::rules_max);
  heal();
  std::uint32_t count = 0;
  for (const Fault& fault : faults) {
    faults::Rule& rule = control_->rules[count++];
    copy_name(fault.operation, rule.operation);
    copy_name(fault.file, rule.file);
    rule.error = fault.error;
    rule.bytes_max = fault.bytes_max;
    rule.is_carried_out = fault.is_carried_out;
    rule.skip = fault.skip;
    rule.times = fault.times;
    rule.met = 0;
  }
  control_->rules_active = count;
}

std::uint32_t FaultPoints::strikes() const {
  const faults::Rule& rule = control_->rules[0];
  const std::uint32_t met = rule.met;
  return met <= rule.skip ? 0 : std::min(met - rule.skip, rule.times);
}

bool is_in_order(const std::vector<std::string>& points, const std::vector<std::string>& wanted) {
  auto at = points.begin();
  for (const std::string& point : wanted) {
    at = std::find(at, points.end(), point);
    if (at == points.end()) return false;
    ++at;
  }
  return true;
}

}  // namespace imgcached::e2e
