#include "http/headers.h"

#include <cassert>
#include <limits>

namespace imgcached::http {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

void Headers::append(std::string_view name, std::string_view value) {
  if (places_.capacity() == 0) places_.reserve(8);  // spares most messages the growing
  const std::size_t begin = text_.size();
  const std::size_t name_end = begin + name.size();
  const std::size_t value_begin = name_end + separator.size();
  const std::size_t value_end = value_begin + value.size();
  assert(value_end < std::numeric_limits<std::uint32_t>::max());
  text_.append(name, separator, value, line_end);
  lengths_ |= length_bit(name);
  places_.push_back({static_cast<std::uint32_t>(name_end), static_cast<std::uint32_t>(value_end)});
}

void Headers::add(std::string_view name, std::string_view value) {
  append(name, value);
  unsigned controls = 0;
  for (const char c : value) controls += is_control(c) ? 1 : 0;
  if (controls == 0) return;
  char* end = text_.data() + text_.size() - line_end.size();
  std::replace_if(end - value.size(), end, is_control, ' ');
}

void Headers::set(std::string_view name, std::string_view value) {
  Headers others;
  for (const auto& [other, its] : *this) {
    if (!equals_ignoring_case(other, name)) others.append(other, its);
  }
  others.add(name, value);
  *this = std::move(others);
}

std::size_t Headers::search(std::string_view name, std::size_t index) const {
  for (; index < places_.size(); ++index) {
    const std::size_t begin = beginning(index);
    const std::string_view other(text_.data() + begin, places_[index].name_end - begin);
    if (equals_ignoring_case(other, name)) break;
  }
  return index;
}

std::optional<std::string> Headers::joined(std::string_view name) const {
  std::size_t index = next(name, 0);
  if (index == places_.size()) return std::nullopt;
  std::string list(value(index));
  while ((index = next(name, index + 1)) < places_.size()) list.append(", ").append(value(index));
  return list;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t found = 0;
  for (std::size_t i = next(name, 0); i < places_.size(); i = next(name, i + 1)) ++found;
  return found;
}

void Headers::trim() {
  if (text_.capacity() <= usual_bytes && places_.capacity() <= usual_fields) return;
  *this = Headers();
}

}  // namespace imgcached::http
