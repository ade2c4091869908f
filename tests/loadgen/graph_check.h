// Whether a graph that gnuplot drew is one: not a blank sheet, nor a part of it.
#pragma once

#include <cstddef>
#include <string_view>

namespace imgcached::loadgen {

// Checks the two files of one graph. The SVG is whole. The PNG has two dots for
// each pixel of its width and height; most of them are white, and of the rest as
// many colours have their share as lines were drawn (a point alone is too small).
void check_graph(std::string_view svg, std::string_view png, std::size_t lines = 0);

}  // namespace imgcached::loadgen
