// Headers: the fields of a message, in the order of arrival.
//
// They are kept as they go over the wire, `Name: value CR LF` one behind the other
// in one text, with the ends of each beside it. So a message costs two allocations
// whatever the number of its fields, or none if a former one's memory is used again,
// and an answer's fields are written as they lie there.
//
// Invariant: no value ends its line, whatever it was made of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/text_buffer.h"

namespace imgcached::http {

// Compares ASCII letters without case, as HTTP's names and tokens do. Here, because most
// comparisons end at the lengths.
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return lower(x) == lower(y); });
}

// Names compare without case. What is returned is valid until the fields change.
class Headers {
 public:
  using Field = std::pair<std::string_view, std::string_view>;
  class Iterator;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) {
    for (const auto& [name, value] : fields) add(name, value);
  }

  // Control characters in the value become spaces. REQUIRES: the name is a token.
  void add(std::string_view name, std::string_view value);
  // A literal of the program's ends no line.
  template <std::size_t size>
  void add(std::string_view name, const char (&value)[size]) {
    append(name, value);
  }
  // Replaces what there was under that name.
  void set(std::string_view name, std::string_view value);
  // One that a parser has found: nothing in its value ends a line.
  void add_parsed(std::string_view name, std::string_view value) { append(name, value); }

  // The first field of that name.
  std::optional<std::string_view> find(std::string_view name) const {
    const std::size_t index = next(name, 0);
    if (index == places_.size()) return std::nullopt;
    return value(index);
  }
  // All fields of that name as the one list that they are short for.
  std::optional<std::string> joined(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  bool empty() const { return places_.empty(); }

  // Keeps the memory, for other fields; trim() gives it back, with the fields, if it is
  // more than a usual head takes.
  void clear() {
    text_.clear();
    places_.clear();
    lengths_ = 0;
  }
  void trim();

  Iterator begin() const;
  Iterator end() const;
  // All of them, each with the end of its line.
  std::string_view wire() const { return text_.view(); }

 private:
  // In text_. A field begins where the line before it has ended.
  struct Place {
    std::uint32_t name_end;
    std::uint32_t value_end;
  };
  static constexpr std::string_view separator = ": ";
  static constexpr std::string_view line_end = "\r\n";
  static constexpr std::size_t usual_bytes = 1024;
  static constexpr std::size_t usual_fields = 32;

  void append(std::string_view name, std::string_view value);
  // The first field of that name from `index` on; past the last if there is none.
  std::size_t next(std::string_view name, std::size_t index) const {
    return (lengths_ & length_bit(name)) == 0 ? places_.size() : search(name, index);
  }
  std::size_t search(std::string_view name, std::size_t index) const;
  static std::uint64_t length_bit(std::string_view name) { return 1ULL << (name.size() % 64); }
  std::size_t beginning(std::size_t index) const {
    return index == 0 ? 0 : places_[index - 1].value_end + line_end.size();
  }
  Field field(std::size_t index) const {
    const std::size_t begin = beginning(index);
    return {std::string_view(text_.data() + begin, places_[index].name_end - begin), value(index)};
  }
  std::string_view value(std::size_t index) const {
    const std::size_t begin = places_[index].name_end + separator.size();
    return {text_.data() + begin, places_[index].value_end - begin};
  }

  TextBuffer text_;
  std::vector<Place> places_;
  std::uint64_t lengths_ = 0;  // of the names, a bit for each: most that are asked for are absent
};

class Headers::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Field;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Field;

  Iterator(const Headers& headers, std::size_t index) : headers_(&headers), index_(index) {}
  Field operator*() const { return headers_->field(index_); }
  Iterator& operator++() {
    ++index_;
    return *this;
  }
  friend bool operator==(const Iterator&, const Iterator&) = default;

 private:
  const Headers* headers_;
  std::size_t index_;
};

inline Headers::Iterator Headers::begin() const { return {*this, 0}; }
inline Headers::Iterator Headers::end() const { return {*this, places_.size()}; }

}  // namespace imgcached::http
