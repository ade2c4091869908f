// ImageCheck: compares an image that comes in pieces, byte by byte, with what
// the key's image must be, and tells which version it is. It copies nothing but
// some bytes at either end, where stamps are: its key's, or in a store filled
// with other flags one of another kind.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tools/loadgen/image_set.h"

namespace imgcached::loadgen {

class ImageCheck {
 public:
  enum class Verdict {
    intact,   // all bytes are those of version()
    corrupt,  // not an image of this key: wrong, missing or additional bytes
    foreign,  // an intact stamp, but of another workload: a store filled with other flags
  };

  ImageCheck(const ImageSet& images, std::uint64_t key);

  void add(std::string_view piece);
  // Everything has come. REQUIRES: called once, at the end.
  Verdict finish();
  // REQUIRES: finish() returned intact.
  Version version() const { return version_; }

 private:
  void keep_ends(std::string_view piece, std::size_t begin);
  // The stamp of this kind in what has come.
  std::optional<ImageSet::Identity> stamp_of(ImageSet::StampKind kind) const;

  const ImageSet& images_;
  const ImageSet::Template& template_;
  std::uint64_t key_;
  std::size_t received_ = 0;
  bool differs_ = false;
  // The first bytes that came, and right-aligned the last ones.
  std::array<char, ImageSet::stamps_front_bytes> front_{};
  std::array<char, ImageSet::stamps_end_bytes> end_{};
  Version version_;
};

}  // namespace imgcached::loadgen
