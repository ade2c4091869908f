// The words by which flags and results name the values of an enumeration.
#pragma once

#include <array>
#include <utility>

#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

template <class E>
using Words = std::array<std::pair<const char*, E>, 2>;

inline constexpr Words<Model> model_words{{{"closed", Model::closed}, {"open", Model::open}}};
inline constexpr Words<Arrivals> arrivals_words{
    {{"poisson", Arrivals::poisson}, {"constant", Arrivals::constant}}};
inline constexpr Words<Dialect> dialect_words{{{"raw", Dialect::raw}, {"api", Dialect::api}}};

template <class E>
constexpr const char* word_for(const Words<E>& words, E value) {
  return words[0].second == value ? words[0].first : words[1].first;
}

}  // namespace imgcached::loadgen
