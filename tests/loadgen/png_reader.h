// A reader of PNG that takes nothing on trust, written from the specification: it
// knows nothing of how the generator writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace imgcached::loadgen {

// The big-endian number of four bytes. REQUIRES (checked): they are there.
std::uint32_t png_number(std::string_view bytes, std::size_t at);

struct PngChunk {
  std::string type;
  std::string data;
};
// Checks the signature, the lengths and the checksums.
std::vector<PngChunk> png_chunks(std::string_view png);

// Checks everything in a PNG with a palette, of 8 bits a pixel, whose data are
// stored and not filtered: the order of the chunks, the stored blocks, the
// checksum, and that every pixel has its colour in the palette.
void check_paletted_png(std::string_view png);

struct Picture {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::uint32_t> pixels;  // 0xRRGGBB, row by row from the top
};
// Decodes any PNG of 8 bits a channel with a palette or in RGB, with opacity (which
// is dropped) or without. REQUIRES (checked): it is whole and not interlaced.
Picture decode_png(std::string_view png);

}  // namespace imgcached::loadgen
