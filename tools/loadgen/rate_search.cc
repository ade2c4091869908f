#include "tools/loadgen/rate_search.h"

#include <cmath>

namespace imgcached::loadgen {

std::optional<double> RateSearch::next() const {
  if (low_ && high_ && *high_ / *low_ <= precision) return std::nullopt;
  if (rate_ < rate_min || rate_ > rate_max) return std::nullopt;
  return rate_;
}

void RateSearch::tell(bool holds) {
  (holds ? low_ : high_) = rate_;
  if (low_ && high_) {
    rate_ = std::sqrt(*low_ * *high_);
  } else {
    rate_ = holds ? rate_ * 2 : rate_ / 2;
  }
}

}  // namespace imgcached::loadgen
