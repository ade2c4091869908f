#include "tools/loadgen/image_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "net/file.h"
#include "tools/loadgen/png.h"
#include "tools/loadgen/text.h"

namespace imgcached::loadgen {
namespace {

using namespace std::string_view_literals;
using png::big_endian;

// --- Sizes --------------------------------------------------------------------------------------

constexpr double sigma_max = 3;  // then the mean is 90 times the median

// From the largest to the smallest, so that text() finds the shortest.
struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr SizeUnit size_units[] = {{"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t unit_bytes = 1;
  for (const SizeUnit& unit : size_units) {
    if (text.ends_with(unit.name)) {
      unit_bytes = unit.bytes;
      text.remove_suffix(unit.name.size());
      break;
    }
  }
  const std::optional<double> number = parse_number(text);
  if (!number) return std::nullopt;
  const double bytes = std::round(*number * static_cast<double>(unit_bytes));
  if (bytes < Sizes::bytes_min || bytes > Sizes::bytes_max) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::string size_text(std::uint64_t bytes) {
  for (const SizeUnit& unit : size_units) {
    if (bytes % unit.bytes == 0) return fmt::format("{}{}", bytes / unit.bytes, unit.name);
  }
  return {};
}

double normal_cdf(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

// By bisection: it is called some dozens of times in all.
double normal_quantile(double probability) {
  double low = -40;
  double high = 40;
  while (high - low > 1e-12) {
    const double middle = (low + high) / 2;
    (normal_cdf(middle) < probability ? low : high) = middle;
  }
  return low;
}

// The mean of the n-th of `shares` equally probable shares of a lognormal
// distribution. With X = median e^(sigma Z), the mean of X where Z is between
// a and b is that of X altogether, times the probability that Z + sigma is
// between them, over the share's own.
double lognormal_share_mean(const Sizes& sizes, std::size_t n, std::size_t shares) {
  const auto bound = [&](std::size_t i) {
    return i == shares ? HUGE_VAL : normal_quantile(static_cast<double>(i) / shares);
  };
  const double part =
      normal_cdf(bound(n + 1) - sizes.sigma) - (n == 0 ? 0 : normal_cdf(bound(n) - sizes.sigma));
  const double mean =
      static_cast<double>(sizes.median_bytes) * std::exp(sizes.sigma * sizes.sigma / 2);
  return mean * part * static_cast<double>(shares);
}

std::vector<std::size_t> template_sizes(const Sizes& sizes) {
  const bool fixed = sizes.kind == Sizes::Kind::fixed;
  const auto clamped = [](double bytes) {
    return std::clamp<std::uint64_t>(std::llround(bytes), Sizes::bytes_min, Sizes::bytes_max);
  };
  const std::size_t mean_bytes =
      fixed ? sizes.median_bytes : clamped(lognormal_share_mean(sizes, 0, 1));
  std::vector<std::size_t> result(std::clamp<std::size_t>(
      ImageSet::templates_bytes_max / mean_bytes, 1, ImageSet::templates_max));
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = fixed ? sizes.median_bytes : clamped(lognormal_share_mean(sizes, i, result.size()));
  }
  return result;
}

// --- Stamps -------------------------------------------------------------------------------------

std::uint64_t read_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

constexpr std::string_view identity_magic = "imgload1";
// The magic, four numbers of 64 bits, and a checksum of these: JPEG comments and
// trailers have none of their own, and a damaged version must not pass for another.
constexpr std::size_t identity_bytes = 48;
constexpr std::size_t palette_chunk_bytes = png::chunk_overhead_bytes + 3 * png::colours;
constexpr std::size_t identity_chunk_bytes = png::chunk_overhead_bytes + identity_bytes;
constexpr std::size_t comment_bytes = 4 + identity_bytes;
constexpr std::size_t trailer_bytes = 8 + identity_bytes;

// Ancillary, private, and safe to copy, as the cases of its letters say.
constexpr std::string_view identity_chunk_type = "imGc";

using Colour = std::array<int, 3>;

// Around the circle of hues in 6 * 256 steps, at full saturation.
constexpr int hues = 6 * 256;
Colour hue(int angle) {
  const int rise = angle % 256;
  const int fall = 255 - rise;
  switch (angle / 256 % 6) {
    case 0: return {255, rise, 0};
    case 1: return {fall, 255, 0};
    case 2: return {0, 255, rise};
    case 3: return {0, fall, 255};
    case 4: return {rise, 0, 255};
    default: return {255, 0, fall};
  }
}

int between(int from, int to, std::size_t step, std::size_t steps) {
  return from + (to - from) * static_cast<int>(step) / static_cast<int>(steps);
}

// From a dark shade of one hue to a light tint of a neighbouring one. The key
// gives the first version's hue; each further version goes on by the golden
// section of the circle, so that versions near to one another look different.
std::string palette(std::uint64_t key_hash, std::uint64_t version_number) {
  constexpr int golden_section = hues * 618 / 1000;
  const auto angle = static_cast<int>((key_hash + version_number * golden_section) % hues);
  const Colour dark = hue(angle);
  const Colour light = hue(angle + hues / 8);
  std::string result;
  for (std::size_t i = 0; i < png::colours; ++i) {
    for (std::size_t part = 0; part < dark.size(); ++part) {
      result += static_cast<char>(
          between(dark[part] / 4, (light[part] + 2 * 255) / 3, i, png::colours - 1));
    }
  }
  return result;
}

// --- Files --------------------------------------------------------------------------------------

constexpr std::size_t sniffed_bytes = 64;

// By the first bytes, less strict than the server: a file it will not take is
// better refused by it than passed over here.
bool is_image(std::string_view bytes) {
  for (const std::string_view magic : {png::signature, "\xff\xd8\xff"sv, "GIF87a"sv, "GIF89a"sv,
                                       "II*\0"sv, "MM\0*"sv, "BM"sv, "\0\0\1\0"sv}) {
    if (bytes.starts_with(magic)) return true;
  }
  if (bytes.starts_with("RIFF"sv)) return bytes.substr(0, 12).ends_with("WEBP"sv);
  const std::string_view brands = bytes.substr(0, sniffed_bytes);
  return bytes.substr(0, 8).ends_with("ftyp"sv) &&
         (brands.find("avif"sv) != brands.npos || brands.find("avis"sv) != brands.npos);
}

Result<std::string> first_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(sniffed_bytes, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.is_open() || file.bad()) return Error{Errc::storage_failed, "cannot read " + path};
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

}  // namespace

Result<Sizes> Sizes::parse(std::string_view text) {
  const Error refusal{
      Errc::invalid_argument,
      fmt::format("size \"{}\": write 15KiB, lognormal:64KiB (the median) or lognormal:64KiB:0.5 "
                  "(and the sigma, at most {}); from {} to {}",
                  text, sigma_max, size_text(bytes_min), size_text(bytes_max))};
  constexpr std::string_view prefix = "lognormal:";
  Sizes sizes;
  if (text.starts_with(prefix)) {
    text.remove_prefix(prefix.size());
    sizes.kind = Kind::lognormal;
  }
  const auto [median_text, sigma_text] = cut(text, ':');
  const std::optional<std::uint64_t> median = parse_bytes(median_text);
  if (!median) return refusal;
  sizes.median_bytes = *median;
  if (!sigma_text) return sizes;
  const std::optional<double> sigma = parse_number(*sigma_text);
  if (sizes.kind != Kind::lognormal || !sigma || *sigma <= 0 || *sigma > sigma_max) return refusal;
  sizes.sigma = *sigma;
  return sizes;
}

std::string Sizes::text() const {
  std::string median = size_text(median_bytes);
  if (kind == Kind::fixed) return median;
  return "lognormal:" + median + (sigma == Sizes().sigma ? "" : fmt::format(":{}", sigma));
}

ImageSet::ImageSet(std::vector<Template> templates, std::uint64_t seed)
    : templates_(std::move(templates)), seed_(seed) {
  DigestStream digest;
  digest.update(big_endian(seed_));
  for (const Template& each : templates_) {
    digest.update(big_endian(std::uint64_t{each.bytes.size()}));
    digest.update(each.bytes.view());
  }
  workload_ = digest.finish().low;
}

ImageSet ImageSet::generated(const Sizes& sizes, std::uint64_t seed) {
  static_assert(Sizes::bytes_min >=
                png::noise_bytes_min + palette_chunk_bytes + identity_chunk_bytes);
  constexpr StampKind kind = StampKind::palette;
  Random random(seed);
  std::vector<Template> templates;
  for (const std::size_t bytes : template_sizes(sizes)) {
    Blob blob = Blob::copy_of(png::noise_without_palette(bytes - stamp_bytes(kind), random));
    const std::size_t at = stamp_at(kind, blob.size());
    templates.push_back({std::move(blob), at, kind});
  }
  return ImageSet(std::move(templates), seed);
}

Result<ImageSet> ImageSet::from_directory(const std::string& path, std::uint64_t seed) {
  Result<std::vector<std::string>> names = net::list_directory(path);
  if (!names) return std::move(names).error();
  std::sort(names->begin(), names->end());

  std::vector<Template> templates;
  std::uint64_t left_bytes = files_bytes_max;
  for (const std::string& name : *names) {
    const std::string file_path = path + "/" + name;
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file_path, ignored)) continue;
    const Result<std::string> begin = first_bytes(file_path);
    if (!begin) return begin.error();
    if (!is_image(*begin)) continue;

    if (templates.size() == files_max) {
      return Error{Errc::too_large, fmt::format("more than {} images in {}", files_max, path)};
    }
    Result<Blob> file = net::read_file(file_path, left_bytes);
    if (!file && file.error().code == Errc::too_large) {
      return Error{Errc::too_large, fmt::format("the images in {} have more than {} together", path,
                                                size_text(files_bytes_max))};
    }
    if (!file) return std::move(file).error();
    left_bytes -= file->size();

    StampKind kind = StampKind::trailer;
    if (file->view().starts_with(png::signature) && file->size() > png::header_bytes) {
      kind = StampKind::png_chunk;
    } else if (file->view().starts_with("\xff\xd8"sv)) {
      kind = StampKind::jpeg_comment;
    }
    const std::size_t at = stamp_at(kind, file->size());
    templates.push_back({std::move(*file), at, kind});
  }
  if (templates.empty()) {
    return Error{Errc::not_found,
                 "no image in " + path + ": neither PNG, JPEG, GIF, WebP, BMP, TIFF, AVIF nor ICO"};
  }
  return ImageSet(std::move(templates), seed);
}

ImageSet::Pieces ImageSet::image(std::uint64_t key, Version version) const {
  const Template& chosen = template_of(key);
  const std::string_view bytes = chosen.bytes.view();
  return {bytes.substr(0, chosen.stamp_at), stamp(chosen.stamp_kind, {workload_, key, version}),
          bytes.substr(chosen.stamp_at)};
}

std::size_t ImageSet::image_bytes(std::uint64_t key) const {
  return template_of(key).image_bytes();
}

double ImageSet::mean_bytes() const {
  double sum = 0;
  for (const Template& each : templates_) sum += static_cast<double>(each.image_bytes());
  return sum / static_cast<double>(templates_.size());
}

// Keys of another seed are not the same ones in another order: hence its first
// number instead of the seed itself.
const ImageSet::Template& ImageSet::template_of(std::uint64_t key) const {
  return templates_[Random(Random(seed_).next() ^ key).below(templates_.size())];
}

std::size_t ImageSet::stamp_at(StampKind kind, std::size_t template_bytes) {
  switch (kind) {
    case StampKind::palette:
    case StampKind::png_chunk: return png::header_bytes;
    case StampKind::jpeg_comment: return 2;
    case StampKind::trailer: break;
  }
  return template_bytes;
}

std::size_t ImageSet::stamp_bytes(StampKind kind) {
  static_assert(stamps_front_bytes ==
                png::header_bytes + palette_chunk_bytes + identity_chunk_bytes);
  static_assert(stamps_end_bytes == trailer_bytes);
  switch (kind) {
    case StampKind::palette: return palette_chunk_bytes + identity_chunk_bytes;
    case StampKind::png_chunk: return identity_chunk_bytes;
    case StampKind::jpeg_comment: return comment_bytes;
    case StampKind::trailer: break;
  }
  return trailer_bytes;
}

std::string ImageSet::stamp(StampKind kind, const Identity& identity) {
  std::string id(identity_magic);
  id += big_endian(identity.workload) + big_endian(identity.key) + big_endian(identity.version.run);
  const std::uint64_t key_hash = digest_of(id).low;
  id += big_endian(identity.version.number);
  id += big_endian(digest_of(id).low);
  switch (kind) {
    case StampKind::palette:
      return png::chunk("PLTE", palette(key_hash, identity.version.number)) +
             png::chunk(identity_chunk_type, id);
    case StampKind::png_chunk: return png::chunk(identity_chunk_type, id);
    // COM, and the length of what follows, itself included.
    case StampKind::jpeg_comment:
      return "\xff\xfe" + big_endian(std::uint16_t{comment_bytes - 2}) + id;
    case StampKind::trailer: break;
  }
  // To AVIF, which is made of such boxes, one of free space; to others it is
  // nothing at all.
  return big_endian(std::uint32_t{trailer_bytes}) + "free" + id;
}

std::optional<ImageSet::Identity> ImageSet::read_stamp(StampKind kind, std::string_view bytes) {
  if (bytes.size() != stamp_bytes(kind)) return std::nullopt;
  const std::size_t at = bytes.rfind(identity_magic);
  if (at == bytes.npos || bytes.size() - at < identity_bytes) return std::nullopt;
  const auto number = [&](std::size_t n) {
    return read_big_endian(bytes.substr(at + identity_magic.size() + 8 * n, 8));
  };
  const Identity identity{number(0), number(1), {number(2), number(3)}};
  // What it says is right when the same stamp would be made of it.
  if (bytes != stamp(kind, identity)) return std::nullopt;
  return identity;
}

}  // namespace imgcached::loadgen
