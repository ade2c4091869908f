// The word that somebody probably meant: for "did you mean ...?".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace imgcached::loadgen {

// How many insertions, deletions, replacements and swaps of neighbours turn one
// word into the other, none of them touching what another has changed ("optimal
// string alignment", the restricted Damerau-Levenshtein distance).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The first of the candidates with the smallest distance, if that is at most a
// third of the word (but 1 to 3); else the first that begins with the word.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

// "; did you mean --connections?", or nothing when no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace imgcached::loadgen
