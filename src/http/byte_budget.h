// ByteBudget: how many bytes may be in flight at a time, of all that share it.
//
// Each holder has a Share, which takes as the bytes come, gives back what it needs
// no more, and the rest when it goes.
#pragma once

#include <cassert>
#include <cstdint>

namespace imgcached::http {

class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;
  ~ByteBudget() { assert(in_flight_ == 0); }

  std::uint64_t in_flight() const { return in_flight_; }
  std::uint64_t left() const { return bytes_max_ - in_flight_; }

  class Share {
   public:
    explicit Share(ByteBudget& budget) : budget_(budget) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() { budget_.in_flight_ -= bytes_; }

    // What is left of the whole budget.
    std::uint64_t left() const { return budget_.left(); }
    // False, and nothing taken, when that many are not left.
    bool take(std::uint64_t bytes) {
      if (bytes > budget_.left()) return false;
      budget_.in_flight_ += bytes;
      bytes_ += bytes;
      return true;
    }
    // Gives back what is over that many.
    void keep(std::uint64_t bytes) {
      if (bytes >= bytes_) return;
      budget_.in_flight_ -= bytes_ - bytes;
      bytes_ = bytes;
    }

   private:
    ByteBudget& budget_;
    std::uint64_t bytes_ = 0;
  };

 private:
  const std::uint64_t bytes_max_;
  std::uint64_t in_flight_ = 0;
};

}  // namespace imgcached::http
