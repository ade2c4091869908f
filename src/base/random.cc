#include "base/random.h"

#include <sys/random.h>

#include <bit>
#include <cassert>
#include <cstdlib>

namespace imgcached {
namespace {

std::uint64_t splitmix64(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(std::uint64_t seed) {
  for (auto& word : state_) word = splitmix64(seed);
}

Random Random::from_os() {
  Random random(0);
  // 32 bytes are always delivered whole once the pool is initialised.
  if (getrandom(random.state_.data(), sizeof random.state_, 0) != sizeof random.state_) {
    std::abort();
  }
  return random;
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
  assert(bound > 0);
  // Multiply-shift instead of modulo (Lemire 2019); the bias of at most
  // bound / 2^64 does not matter here.
  return static_cast<std::uint64_t>((static_cast<__uint128_t>(next()) * bound) >> 64);
}

// The upper bits: as many as a double holds exactly.
double Random::unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

}  // namespace imgcached
