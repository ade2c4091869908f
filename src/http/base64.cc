#include "http/base64.h"

#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <vector>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace imgcached::http::base64 {
namespace internal {
namespace {

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The value of each character of the alphabet; -1 for every other byte.
constexpr std::array<std::int8_t, 256> values = [] {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (int i = 0; i < 64; ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}();

int value_of(char c) { return values[static_cast<unsigned char>(c)]; }

void encode_scalar(std::string_view bytes, char* out) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *out++ = alphabet[group >> 18];
    *out++ = alphabet[group >> 12 & 63];
    *out++ = i + 1 < bytes.size() ? alphabet[group >> 6 & 63] : '=';
    *out++ = i + 2 < bytes.size() ? alphabet[group & 63] : '=';
  }
}

std::optional<std::size_t> decode_scalar(std::string_view text, char* out) {
  const std::size_t whole = text.size() / 4 * 4;
  for (std::size_t i = 0; i < whole; i += 4) {
    const bool last = i + 4 == text.size();
    const int padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
    std::uint32_t group = 0;
    for (int k = 0; k < 4; ++k) {
      const int value = k < 4 - padding ? value_of(text[i + k]) : 0;
      if (value < 0) return i + k;
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    // Bits that the padding says are not there must be zero, or two texts
    // would mean the same bytes.
    if ((group & ((1u << 8 * padding) - 1)) != 0) return i + 3 - padding;
    for (int k = 0; k < 3 - padding; ++k) *out++ = static_cast<char>(group >> (16 - 8 * k));
  }
  for (std::size_t i = whole; i < text.size(); ++i) {
    if (value_of(text[i]) < 0) return i;
  }
  if (whole < text.size()) return text.size();
  return std::nullopt;
}

#ifdef __x86_64__

#define IMGCACHED_AVX2 __attribute__((target("avx2")))

// A table of 16 bytes for _mm256_shuffle_epi8, which looks up in each half of a
// register on its own.
#define IMGCACHED_TABLE(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))

// Three bytes aaaaaabb bbbbcccc ccdddddd become the values of four characters,
// one to a byte; 24 bytes, 12 in each half of the register, become 32.
IMGCACHED_AVX2 __m256i split_into_sextets(__m256i bytes) {
  // Each 32-bit lane gets its three bytes in the order 1 0 2 1, so that every
  // sextet lies within one of the lane's two 16-bit words.
  const __m256i words = _mm256_shuffle_epi8(
      bytes, IMGCACHED_TABLE(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
  // Multiplying shifts each word by a distance of its own: a and c go down by 10
  // and 6 bits (the high half of a product), b and d up by 4 and 8.
  const __m256i ac = _mm256_mulhi_epu16(_mm256_and_si256(words, _mm256_set1_epi32(0x0fc0fc00)),
                                        _mm256_set1_epi32(0x04000040));
  const __m256i bd = _mm256_mullo_epi16(_mm256_and_si256(words, _mm256_set1_epi32(0x003f03f0)),
                                        _mm256_set1_epi32(0x01000010));
  return _mm256_or_si256(ac, bd);
}

// The alphabet has five ranges; in each a character is its value plus a constant.
IMGCACHED_AVX2 __m256i to_characters(__m256i sextets) {
  const __m256i distances =
      IMGCACHED_TABLE('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                      '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
  // The table's index is 1..12 for 52..63, 0 for all below, and 13 below 26.
  const __m256i from_52 = _mm256_subs_epu8(sextets, _mm256_set1_epi8(51));
  const __m256i upper_case = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), sextets);
  const __m256i index =
      _mm256_or_si256(from_52, _mm256_and_si256(upper_case, _mm256_set1_epi8(13)));
  return _mm256_add_epi8(sextets, _mm256_shuffle_epi8(distances, index));
}

// Turns 32 characters into their values; false if one is not of the alphabet.
//
// By the high half of the byte (its high nibble) the alphabet falls into rows:
// row 2 holds only `+` (2B) and `/` (2F); row 3 the digits (30..39); rows 4 and
// 6 all letters but their column 0; rows 5 and 7 columns 0..A; no other row has
// any. Each kind of row is a bit: the row's table says of which kind it is, the
// column's table for which kinds that column is wrong. If they share a bit, the
// byte is bad.
IMGCACHED_AVX2 bool to_sextets(__m256i characters, __m256i& sextets) {
  const __m256i nibble = _mm256_set1_epi8(0x0f);
  const __m256i row = _mm256_and_si256(_mm256_srli_epi32(characters, 4), nibble);
  const __m256i column = _mm256_and_si256(characters, nibble);
  const __m256i kind_of_row = IMGCACHED_TABLE(         //
      0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,  //
      0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
  const __m256i wrong_in_column = IMGCACHED_TABLE(     //
      0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,  //
      0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
  if (!_mm256_testz_si256(_mm256_shuffle_epi8(kind_of_row, row),
                          _mm256_shuffle_epi8(wrong_in_column, column))) {
    return false;
  }
  // A row's values lie at one distance from its characters, but for `/`: it
  // takes the place of row 1, which is empty (comparing equal adds -1).
  const __m256i distances =
      IMGCACHED_TABLE(0, 63 - '/', 62 - '+', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a',  //
                      0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i slash = _mm256_cmpeq_epi8(characters, _mm256_set1_epi8('/'));
  sextets =
      _mm256_add_epi8(characters, _mm256_shuffle_epi8(distances, _mm256_add_epi8(row, slash)));
  return true;
}

// The inverse of split_into_sextets(): 12 bytes at the start of each half.
IMGCACHED_AVX2 __m256i join_sextets(__m256i sextets) {
  // a * 64 + b in each 16-bit word, then ab * 4096 + cd in each 32-bit lane.
  const __m256i pairs = _mm256_maddubs_epi16(sextets, _mm256_set1_epi32(0x01400140));
  const __m256i groups = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
  return _mm256_shuffle_epi8(
      groups, IMGCACHED_TABLE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
}

IMGCACHED_AVX2 void encode_avx2(std::string_view bytes, char* out) {
  const char* in = bytes.data();
  std::size_t left = bytes.size();
  // The second load reads bytes 12..27 of the 24 that are used.
  for (; left >= 28; in += 24, left -= 24, out += 32) {
    const __m256i halves = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in))),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + 12)), 1);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), to_characters(split_into_sextets(halves)));
  }
  encode_scalar({in, left}, out);
}

IMGCACHED_AVX2 std::optional<std::size_t> decode_avx2(std::string_view text, char* out) {
  // A block with a character that is not of the alphabet, be it padding or an
  // error, is left to the scalar code.
  std::size_t done = 0;
  for (; text.size() - done >= 32; done += 32, out += 24) {
    __m256i sextets;
    if (!to_sextets(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + done)),
                    sextets))
      break;
    // Closes the gap between the halves, then stores 24 bytes, not one more.
    const __m256i packed = _mm256_permutevar8x32_epi32(join_sextets(sextets),
                                                       _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(packed));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 16), _mm256_extracti128_si256(packed, 1));
  }
  const auto bad = decode_scalar(text.substr(done), out);
  if (bad) return done + *bad;
  return std::nullopt;
}

#undef IMGCACHED_TABLE
#undef IMGCACHED_AVX2

#define IMGCACHED_AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi")))

// A table of 64 bytes, of which byte i is at(i).
template <class At>
constexpr std::array<char, 64> table_of(At at) {
  std::array<char, 64> table{};
  for (int i = 0; i < 64; ++i) table[static_cast<std::size_t>(i)] = static_cast<char>(at(i));
  return table;
}

constexpr __mmask64 first_48 = (1ull << 48) - 1;

IMGCACHED_AVX512 void encode_avx512(std::string_view bytes, char* out) {
  // As with AVX2 each 32-bit lane gets its three bytes in the order 1 0 2 1; then each
  // character's byte takes eight bits of the 64 around it, from its own distance on, of
  // which the lookup uses six.
  static constexpr auto places = table_of([](int i) { return i / 4 * 3 + "\1\0\2\1"[i % 4]; });
  const __m512i order = _mm512_loadu_si512(places.data());
  const __m512i distances = _mm512_set1_epi64(0x3036242a1016040a);
  const __m512i characters = _mm512_loadu_si512(alphabet);
  const char* in = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 48; in += 48, left -= 48, out += 64) {
    const __m512i lanes = _mm512_permutexvar_epi8(order, _mm512_maskz_loadu_epi8(first_48, in));
    const __m512i sextets = _mm512_multishift_epi64_epi8(distances, lanes);
    _mm512_storeu_si512(out, _mm512_permutexvar_epi8(sextets, characters));
  }
  encode_scalar({in, left}, out);
}

IMGCACHED_AVX512 std::optional<std::size_t> decode_avx512(std::string_view text, char* out) {
  // Bytes from 128 on have the top bit set, as has the value of every other bad one.
  const __m512i lower = _mm512_loadu_si512(values.data());
  const __m512i upper = _mm512_loadu_si512(values.data() + 64);
  static constexpr auto places = table_of([](int i) { return i < 48 ? i / 3 * 4 + 2 - i % 3 : 0; });
  const __m512i packing = _mm512_loadu_si512(places.data());
  std::size_t done = 0;
  for (; text.size() - done >= 64; done += 64, out += 48) {
    const __m512i characters = _mm512_loadu_si512(text.data() + done);
    const __m512i sextets = _mm512_permutex2var_epi8(lower, characters, upper);
    if (_mm512_movepi8_mask(_mm512_or_si512(characters, sextets)) != 0) break;
    const __m512i pairs = _mm512_maddubs_epi16(sextets, _mm512_set1_epi32(0x01400140));
    const __m512i groups = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00011000));
    _mm512_mask_storeu_epi8(out, first_48, _mm512_permutexvar_epi8(packing, groups));
  }
  const auto bad = decode_scalar(text.substr(done), out);
  if (bad) return done + *bad;
  return std::nullopt;
}

#undef IMGCACHED_AVX512

#endif

}  // namespace

std::span<const Implementation> implementations() {
  static const std::vector<Implementation> all = [] {
    std::vector<Implementation> found{{"scalar", encode_scalar, decode_scalar}};
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) found.push_back({"avx2", encode_avx2, decode_avx2});
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi")) {
      found.push_back({"avx512", encode_avx512, decode_avx512});
    }
#endif
    return found;
  }();
  return all;
}

}  // namespace internal

void encode(std::string_view bytes, char* out) {
  static const auto fastest = internal::implementations().back().encode;
  fastest(bytes, out);
}

std::string encode(std::string_view bytes) {
  std::string text(encoded_size(bytes.size()), '\0');
  encode(bytes, text.data());
  return text;
}

Result<void> decode(std::string_view text, char* out) {
  static const auto fastest = internal::implementations().back().decode;
  const auto bad = fastest(text, out);
  if (!bad) return {};
  if (*bad == text.size()) {
    return Error{Errc::invalid_argument,
                 fmt::format("the base64 text stops within a group of four characters, at byte {}: "
                             "it is cut off, or its padding is missing",
                             *bad)};
  }
  return Error{Errc::invalid_argument,
               fmt::format("bad base64 at byte {}: only A-Z, a-z, 0-9, + and / are allowed, then "
                           "padding, without white space",
                           *bad)};
}

Result<Blob> decode(std::string_view text) {
  BlobBuffer bytes(decoded_size(text));
  auto decoded = decode(text, bytes.data());
  if (!decoded) return std::move(decoded).error();
  return std::move(bytes).seal();
}

}  // namespace imgcached::http::base64
