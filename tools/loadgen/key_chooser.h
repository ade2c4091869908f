// KeyChooser: which key the next operation is about.
//
//   uniform          every key alike
//   zipfian:THETA    key k (0 is the most popular) with a probability proportional
//                    to 1 / (k + 1)^THETA; 0.99 is YCSB's
//   hotspot:K:O      a share O of the operations goes to the first share K of the
//                    keys, evenly; the rest to the others, evenly
//   latest           zipfian:0.99 over age: the newest key is the most popular
//
// The number of keys may grow from call to call (writes of new keys), hence
// rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate
// variates from monotone discrete distributions", ACM TOMACS 6(3), 1996): exact,
// O(1) a draw, and nothing to compute anew when the number changes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace imgcached::loadgen {

struct Distribution {
  enum class Kind { uniform, zipfian, hotspot, latest };
  Kind kind = Kind::uniform;
  double theta = 0.99;    // zipfian and latest; > 0
  double hot_keys = 0.2;  // hotspot: shares, both in (0, 1)
  double hot_operations = 0.8;

  // Understands the words above; invalid_argument says what is accepted.
  static Result<Distribution> parse(std::string_view text);
  // As parse() reads it.
  std::string text() const;
};

class KeyChooser {
 public:
  KeyChooser(Distribution distribution, Random random);

  // A key in [0, keys). REQUIRES: keys > 0.
  std::uint64_t next(std::uint64_t keys);

 private:
  // A rank in [0, keys): 0 is the most popular.
  std::uint64_t zipfian(std::uint64_t keys);

  // x^-theta, its integral from 1 to x, and the inverse of the integral.
  double hat(double x) const;
  double hat_integral(double x) const;
  double hat_integral_inverse(double area) const;

  Distribution distribution_;
  Random random_;
  // What depends on theta alone, see zipfian().
  double area_first_ = 0;
  double squeeze_ = 0;
};

}  // namespace imgcached::loadgen
