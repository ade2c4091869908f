#include "tools/loadgen/image_check.h"

#include <algorithm>
#include <cstring>

namespace imgcached::loadgen {

ImageCheck::ImageCheck(const ImageSet& images, std::uint64_t key)
    : images_(images), template_(images.template_of(key)), key_(key) {}

void ImageCheck::add(std::string_view piece) {
  if (piece.empty()) return;
  const std::size_t begin = received_;
  received_ += piece.size();
  keep_ends(piece, begin);

  const std::size_t image_bytes = template_.image_bytes();
  differs_ = differs_ || received_ > image_bytes;
  if (differs_) return;

  // Whether the piece's bytes within [from, to) of the image are the template's,
  // of which [from, to) begins at template_at.
  const auto same = [&](std::size_t from, std::size_t to, std::size_t template_at) {
    const std::size_t first = std::max(from, begin);
    const std::size_t last = std::min(to, received_);
    return first >= last ||
           std::memcmp(piece.data() + (first - begin),
                       template_.bytes.data() + template_at + (first - from), last - first) == 0;
  };
  const std::size_t stamp_at = template_.stamp_at;
  const std::size_t stamp_end = stamp_at + ImageSet::stamp_bytes(template_.stamp_kind);
  differs_ = !same(0, stamp_at, 0) || !same(stamp_end, image_bytes, stamp_at);
}

void ImageCheck::keep_ends(std::string_view piece, std::size_t begin) {
  if (begin < front_.size()) {
    std::memcpy(front_.data() + begin, piece.data(), std::min(piece.size(), front_.size() - begin));
  }
  if (piece.size() >= end_.size()) {
    std::memcpy(end_.data(), piece.data() + piece.size() - end_.size(), end_.size());
  } else {
    std::memmove(end_.data(), end_.data() + piece.size(), end_.size() - piece.size());
    std::memcpy(end_.data() + end_.size() - piece.size(), piece.data(), piece.size());
  }
}

ImageCheck::Verdict ImageCheck::finish() {
  if (!differs_ && received_ == template_.image_bytes()) {
    const std::optional<ImageSet::Identity> identity = stamp_of(template_.stamp_kind);
    if (identity && identity->workload == images_.workload() && identity->key == key_) {
      version_ = identity->version;
      return Verdict::intact;
    }
  }
  for (const ImageSet::StampKind kind : ImageSet::stamp_kinds) {
    const std::optional<ImageSet::Identity> identity = stamp_of(kind);
    if (identity && identity->workload != images_.workload() && identity->key == key_) {
      return Verdict::foreign;
    }
  }
  return Verdict::corrupt;
}

std::optional<ImageSet::Identity> ImageCheck::stamp_of(ImageSet::StampKind kind) const {
  const std::size_t bytes = ImageSet::stamp_bytes(kind);
  if (received_ < bytes) return std::nullopt;
  const std::size_t end = ImageSet::stamp_at(kind, received_ - bytes) + bytes;
  if (end <= std::min(received_, front_.size())) {
    return ImageSet::read_stamp(kind, {front_.data() + end - bytes, bytes});
  }
  if (end == received_ && bytes <= end_.size()) {
    return ImageSet::read_stamp(kind, {end_.data() + end_.size() - bytes, bytes});
  }
  return std::nullopt;
}

}  // namespace imgcached::loadgen
