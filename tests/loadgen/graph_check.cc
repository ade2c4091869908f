#include "tests/loadgen/graph_check.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>

#include "tests/loadgen/png_reader.h"

namespace imgcached::loadgen {
namespace {

// The number in the first `name="..."` of the text.
std::size_t attribute(std::string_view svg, const std::string& name) {
  const std::size_t at = svg.find(" " + name + "=\"");
  REQUIRE(at != svg.npos);
  const char* const begin = svg.data() + at + name.size() + 3;
  std::size_t number = 0;
  REQUIRE(std::from_chars(begin, svg.data() + svg.size(), number).ec == std::errc());
  return number;
}

bool is_grey(std::uint32_t colour) {
  return (colour >> 16) == (colour >> 8 & 0xff) && (colour >> 16) == (colour & 0xff);
}

}  // namespace

void check_graph(std::string_view svg, std::string_view png, std::size_t lines) {
  CHECK(svg.find("</svg>") != svg.npos);
  const Picture picture = decode_png(png);
  CHECK(picture.width == 2 * attribute(svg, "width"));
  CHECK(picture.height == 2 * attribute(svg, "height"));
  const std::size_t dots = picture.pixels.size();
  std::map<std::uint32_t, std::size_t> count_of;
  for (const std::uint32_t colour : picture.pixels) ++count_of[colour];
  const std::size_t drawn = dots - count_of[0xffffff];
  CHECK(drawn > dots / 100);
  CHECK(drawn < dots / 2);
  // Edges are smoothed in many colours; what is drawn has more of its own.
  std::size_t greys = 0;
  std::size_t colours = 0;
  for (const auto& [colour, count] : count_of) {
    if (count > dots / 5'000) ++(is_grey(colour) ? greys : colours);
  }
  CHECK(greys >= 3);  // white, text, and grid
  CHECK(colours >= lines);
}

}  // namespace imgcached::loadgen
