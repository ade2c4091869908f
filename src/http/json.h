// JSON: what requests say and answers are made of. The only file that uses
// simdjson.
//
// Reading comes in two forms. JsonObject is what a request body is here, an
// object of plain values; it is read in place, so that the 45 MB of a large
// image in base64 are never copied. JsonDocument is for answers of other
// services: any JSON, as a tree that one asks by name.
//
// Both want valid UTF-8 and valid JSON to the last byte.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace imgcached::http {

bool is_utf8(std::string_view text);

// A JSON object whose values are strings, numbers and booleans.
class JsonObject {
 public:
  static constexpr std::size_t members_max = 64;
  // What the parser may read beyond the text. A text with that much spare
  // capacity is not copied.
  static constexpr std::size_t padding_bytes = 64;

  struct Member {
    std::string_view name;
    // A string's content, unescaped (it may hold any character, NUL too); a
    // number or boolean as it was written.
    std::string_view text;
    bool is_string = false;
  };

  // Anything but such an object is invalid_argument that says what is wrong and
  // at which byte; more than members_max members are too_large, repeated ones
  // counted. Of members with the same name the last one counts.
  static Result<JsonObject> parse(std::string text);

  JsonObject(JsonObject&&) noexcept;
  JsonObject& operator=(JsonObject&&) noexcept;
  ~JsonObject();

  // Views are valid as long as the object, and survive a move of it.
  std::optional<std::string_view> find(std::string_view name) const;
  const std::vector<Member>& members() const { return members_; }

 private:
  struct Storage;
  explicit JsonObject(std::unique_ptr<Storage> storage);

  std::unique_ptr<Storage> storage_;
  std::vector<Member> members_;
};

// A value in a JsonDocument, and valid as long as that. Asking it for what it is
// not gives nothing.
class JsonValue {
 public:
  bool is_null() const;
  std::optional<std::string_view> string() const;
  std::optional<std::int64_t> integer() const;
  std::optional<double> number() const;  // of an integer too
  std::optional<bool> boolean() const;
  // The member of an object.
  std::optional<JsonValue> find(std::string_view name) const;
  // The elements of an array.
  std::optional<std::vector<JsonValue>> elements() const;

 private:
  friend class JsonDocument;
  // A simdjson::dom::element, which is a pointer and an index.
  using Bits = std::array<std::uint64_t, 2>;
  explicit JsonValue(Bits element) : element_(element) {}

  Bits element_;
};

class JsonDocument {
 public:
  // Nesting deeper than 64 levels, and anything that is not JSON, is
  // invalid_argument.
  static Result<JsonDocument> parse(std::string_view text);

  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonValue root() const;

 private:
  struct Storage;
  explicit JsonDocument(std::unique_ptr<Storage> storage);

  std::unique_ptr<Storage> storage_;
};

// Appends JSON to a string, without white space; commas come by themselves.
//
//   JsonWriter(out).begin_object().key("success").string("true").end_object();
//
// That the calls make up one well-formed value is for the caller to see to. Text
// must be valid UTF-8.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& string(std::string_view text);
  JsonWriter& integer(std::integral auto value) {
    char digits[24];
    return raw({digits, std::to_chars(digits, digits + sizeof digits, value).ptr});
  }
  // The shortest text that reads back as the same number; null if not finite.
  JsonWriter& number(double value);
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  // A value that is JSON already.
  JsonWriter& raw(std::string_view json);

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();
  void quote(std::string_view text);

  std::string& out_;
  bool comma_due_ = false;  // a value precedes in this object or array
};

}  // namespace imgcached::http
