// Random numbers: a small fast generator that tests can seed.
//
// xoshiro256** by Blackman and Vigna (2018), seeded through splitmix64. Good
// for choosing victims and making names that must not repeat; not for secrets.
#pragma once

#include <array>
#include <cstdint>

namespace imgcached {

class Random {
 public:
  explicit Random(std::uint64_t seed);
  // Seeded by the operating system: different in every process.
  static Random from_os();

  std::uint64_t next();
  // Uniform in [0, bound). REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1): one of the 2^53 multiples of 2^-53, each equally likely.
  double unit();

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace imgcached
