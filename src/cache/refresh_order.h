// RefreshOrder: which of several reads of the configuration counts, when they
// overlap.
//
// Two reads go over two connections and may come back in either order; the older
// row must not win. Ids of rows say little, for the table may be emptied or
// restored from a backup. But a read sees whatever was written before it began,
// so the one that began last is as good as any: once it has been applied, those
// that began before it have nothing to add. One that fails is never applied and
// stands in nobody's way.
#pragma once

#include <cstdint>

namespace imgcached::cache {

class RefreshOrder {
 public:
  // A read begins; what is returned stands for it.
  std::uint64_t begin() { return ++begun_; }

  // A read has brought something: whether to apply it.
  bool applies(std::uint64_t read) {
    if (read < applied_) return false;
    applied_ = read;
    return true;
  }

 private:
  std::uint64_t begun_ = 0;
  std::uint64_t applied_ = 0;
};

}  // namespace imgcached::cache
