// What goes into a statement and what comes out of it.
//
// A statement is SQL text with a `?` for each parameter; values never become
// part of the text. Strings are bytes: the server gets them as binary strings,
// so that any byte is safe in them and nothing is converted on the way.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace imgcached::db {

// One cell or parameter; std::monostate is NULL. A cell of an integer column is
// unsigned exactly if its column is; decimals and times come as text.
using Value = std::variant<std::monostate, std::int64_t, std::uint64_t, double, std::string>;
using Row = std::vector<Value>;

struct QueryResult {
  std::vector<Row> rows;            // of a statement that returns some
  std::uint64_t affected_rows = 0;  // of one that does not: inserted, changed or deleted ones
};

// What is known of a statement beforehand: decides what its failures mean.
enum class Kind {
  write,       // changes something: when the answer is lost, so is whether it did
  insert_new,  // as write; a primary key that exists is no error but no affected row
  repeatable,  // harmless when carried out twice: after a lost answer it is sent again
};

// The cells of a row whose types the SQL text determines.
// REQUIRES: the cell is such an integer (of either sign), or such a string.
inline std::int64_t integer_of(const Value& cell) {
  if (const auto* number = std::get_if<std::uint64_t>(&cell)) {
    return static_cast<std::int64_t>(*number);
  }
  const auto* number = std::get_if<std::int64_t>(&cell);
  assert(number);
  return *number;
}
inline std::uint64_t unsigned_of(const Value& cell) {
  return static_cast<std::uint64_t>(integer_of(cell));
}
inline std::string text_of(Value& cell) {
  auto* text = std::get_if<std::string>(&cell);
  assert(text);
  return std::move(*text);
}

}  // namespace imgcached::db
