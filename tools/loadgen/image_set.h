// ImageSet: the images of a workload, each different, all in constant memory.
//
// A few templates, encoded once, stand for all images. An image is a template
// with a stamp in it that says which key and which version it is:
//
//   bytes of the template | stamp | the rest of the template
//
// so a million images of a megabyte are some 64 megabytes and a stamp made on
// the spot, and every byte that comes back can be checked (image_check.h).
// Which template a key has depends on the key and the seed only, so that all
// versions of a key have one size and a reader knows what to expect.
//
// Generated templates are valid PNGs: noise through a palette, uncompressed.
// Their stamp is the palette, made of the identity, so that one sees another
// version by its colours, and a private chunk with the identity. Of real files,
// a PNG is stamped by a private chunk behind its header, a JPEG by a comment
// segment behind its first marker; any other type by bytes behind its end, which
// decoders of GIF, WebP, BMP, TIFF, AVIF and ICO leave alone.
//
// But for lognormal sizes all of it is integer arithmetic, so that a store filled
// from one machine can be checked from another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob.h"
#include "base/result.h"

namespace imgcached::loadgen {

// How large generated images are.
struct Sizes {
  enum class Kind {
    fixed,      // all of median_bytes
    lognormal,  // ln(size) is normal around ln(median_bytes), with `sigma`
  };
  Kind kind = Kind::fixed;
  std::uint64_t median_bytes = 15 * 1024;
  double sigma = 1.0;

  static constexpr std::uint64_t bytes_min = 512;
  static constexpr std::uint64_t bytes_max = 32 << 20;

  // Understands `15KiB`, `lognormal:64KiB` and `lognormal:64KiB:0.5` (the sigma);
  // invalid_argument says what is accepted.
  static Result<Sizes> parse(std::string_view text);
  std::string text() const;
};

// Which image of a key it is: versions count up within a run of the generator.
struct Version {
  std::uint64_t run = 0;     // the process's random number: preload and all its runs share it
  std::uint64_t number = 0;  // from 1 on
  friend bool operator==(const Version&, const Version&) = default;
};

class ImageSet {
 public:
  // Generated templates: 64, or of large images as many as fit into the memory.
  // Lognormal sizes are represented by as many sizes, the means of equally
  // probable shares of the distribution, so their mean is the distribution's.
  static constexpr std::size_t templates_max = 64;
  static constexpr std::uint64_t templates_bytes_max = 128 << 20;
  static constexpr std::size_t files_max = 1'000;
  static constexpr std::uint64_t files_bytes_max = 1u << 30;  // of all together

  static ImageSet generated(const Sizes& sizes, std::uint64_t seed);
  // The images in a directory (not below it), in the order of their names; what
  // is no image by its first bytes is passed over. Errors: no image, too many,
  // too large, unreadable. Blocks.
  static Result<ImageSet> from_directory(const std::string& path, std::uint64_t seed);

  // An image in three pieces; front and back are valid as long as the set.
  struct Pieces {
    std::string_view front;
    std::string stamp;
    std::string_view back;
  };
  Pieces image(std::uint64_t key, Version version) const;
  std::size_t image_bytes(std::uint64_t key) const;
  double mean_bytes() const;

  // Names the seed and the templates: two sets with the same number have the same images.
  std::uint64_t workload() const { return workload_; }

 private:
  friend class ImageCheck;
  enum class StampKind { palette, png_chunk, jpeg_comment, trailer };
  static constexpr StampKind stamp_kinds[] = {StampKind::palette, StampKind::png_chunk,
                                              StampKind::jpeg_comment, StampKind::trailer};
  struct Template {
    Blob bytes;
    std::size_t stamp_at = 0;
    StampKind stamp_kind = StampKind::trailer;

    // With the stamp.
    std::size_t image_bytes() const { return bytes.size() + stamp_bytes(stamp_kind); }
  };
  // What a stamp says.
  struct Identity {
    std::uint64_t workload = 0;
    std::uint64_t key = 0;
    Version version;
  };

  ImageSet(std::vector<Template> templates, std::uint64_t seed);
  const Template& template_of(std::uint64_t key) const;

  // Where in a template of so many bytes the stamp belongs.
  static std::size_t stamp_at(StampKind kind, std::size_t template_bytes);
  static std::size_t stamp_bytes(StampKind kind);
  // Every stamp lies within so many bytes of the front or of the end.
  static constexpr std::size_t stamps_front_bytes = 153;
  static constexpr std::size_t stamps_end_bytes = 56;
  static std::string stamp(StampKind kind, const Identity& identity);
  // Nothing: these bytes are not a stamp, or not as it was made.
  static std::optional<Identity> read_stamp(StampKind kind, std::string_view bytes);

  std::vector<Template> templates_;
  std::uint64_t seed_ = 0;
  std::uint64_t workload_ = 0;
};

}  // namespace imgcached::loadgen
