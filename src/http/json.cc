#include "http/json.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace imgcached::http {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view json_white_space = " \t\r\n";

Error malformed(std::string_view what, std::size_t offset) {
  return {Errc::invalid_argument, fmt::format("bad JSON at byte {}: {}", offset, what)};
}

// The offset of the first byte of the first bad character, if there is one.
std::optional<std::size_t> find_bad_utf8(std::string_view text) {
  constexpr std::size_t block_bytes = 4096;
  const auto is_continuation = [](char c) { return (static_cast<unsigned char>(c) >> 6) == 2; };
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(begin + block_bytes, text.size());
    while (end < text.size() && end > begin + 1 && is_continuation(text[end])) --end;
    if (is_utf8(text.substr(begin, end - begin))) {
      begin = end;
      continue;
    }
    while (true) {
      const auto c = static_cast<unsigned char>(text[begin]);
      const std::size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
      if (!is_utf8(text.substr(begin, length))) return begin;
      begin += length;
    }
  }
  return std::nullopt;
}

// simdjson checks encoding and quotes of the whole text first and does not say
// where that failed; so the rare bad text is read once more. Returns the error
// of such a place, if there is one.
std::optional<Error> find_bad_text(std::string_view text) {
  if (const auto bad = find_bad_utf8(text)) return malformed("the text is not valid UTF-8", *bad);
  std::optional<std::size_t> string_at;  // where the string that we are in began
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"') {
      string_at = string_at ? std::nullopt : std::optional(i);
    } else if (string_at && c < 0x20) {
      return malformed("a control character in a string must be escaped", i);
    } else if (string_at && (text.substr(i, 2) == "\\\"" || text.substr(i, 2) == "\\\\")) {
      ++i;
    }
  }
  if (string_at) return malformed("the string that begins here has no closing quote", *string_at);
  return std::nullopt;
}

// What an error code of simdjson means for whoever wrote the text.
std::string_view explain(simdjson::error_code code) {
  switch (code) {
    case simdjson::EMPTY: return "there is no value";
    case simdjson::STRING_ERROR: return "a string has an invalid escape";
    case simdjson::NUMBER_ERROR: return "this is no JSON number";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR: return "this is none of true, false and null";
    case simdjson::DEPTH_ERROR: return "it is nested too deeply";
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT: return "it is cut off, a closing bracket is missing";
    default: return "a quote, colon, comma or bracket is missing or misplaced";
  }
}

}  // namespace

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

// --- JsonObject ----------------------------------------------------------------------------------

struct JsonObject::Storage {
  std::string text;
  ondemand::parser parser;  // holds what had to be unescaped
};

JsonObject::JsonObject(std::unique_ptr<Storage> storage) : storage_(std::move(storage)) {}
JsonObject::JsonObject(JsonObject&&) noexcept = default;
JsonObject& JsonObject::operator=(JsonObject&&) noexcept = default;
JsonObject::~JsonObject() = default;

namespace {

// Reads a string, number or boolean.
simdjson::error_code read_plain_value(ondemand::value value, JsonObject::Member& member) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return error;
  std::string_view token = value.raw_json_token();
  token = token.substr(0, token.find_last_not_of(json_white_space) + 1);
  std::string_view& text = member.text;
  member.is_string = type == ondemand::json_type::string;
  switch (type) {
    case ondemand::json_type::string: {
      if (token.find('\\') != token.npos) return value.get_string().get(text);
      ondemand::raw_json_string raw;
      if (const auto error = value.get_raw_json_string().get(raw)) return error;
      if (token.size() < 2 || token.back() != '"') return simdjson::TAPE_ERROR;
      text = token.substr(1, token.size() - 2);
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::number: {
      text = token;
      double number = 0;
      return value.get_double().get(number) ? simdjson::NUMBER_ERROR : simdjson::SUCCESS;
    }
    case ondemand::json_type::boolean: {
      text = token;
      bool boolean = false;
      return value.get_bool().get(boolean) ? simdjson::T_ATOM_ERROR : simdjson::SUCCESS;
    }
    default: return simdjson::INCORRECT_TYPE;
  }
}

}  // namespace

Result<JsonObject> JsonObject::parse(std::string text) {
  static_assert(padding_bytes >= simdjson::SIMDJSON_PADDING);
  auto owned = std::make_unique<Storage>();
  owned->text = std::move(text);
  owned->text.reserve(owned->text.size() + padding_bytes);
  JsonObject result(std::move(owned));
  const std::string& json = result.storage_->text;

  ondemand::document document;
  ondemand::object object;
  auto error =
      result.storage_->parser.iterate(json.data(), json.size(), json.capacity()).get(document);
  if (error == simdjson::EMPTY) return malformed(explain(error), json.size());
  if (error) return find_bad_text(json).value_or(malformed(explain(error), 0));
  // Where simdjson stands; the end of the text when it has read all of it.
  const auto offset = [&] {
    const char* at = nullptr;
    if (document.current_location().get(at) || at == nullptr) return json.size();
    return std::min(static_cast<std::size_t>(at - json.data()), json.size());
  };

  error = document.get_object().get(object);
  if (error == simdjson::INCORRECT_TYPE) {
    return malformed("an object is expected, {\"name\":value,...}",
                     json.find_first_not_of(json_white_space));
  }
  if (error == simdjson::INCOMPLETE_ARRAY_OR_OBJECT) return malformed(explain(error), json.size());
  if (error) return malformed(explain(error), offset());

  std::size_t seen = 0;  // of members, those that repeat a name too: each is compared with all
  for (auto item : object) {
    if (++seen > members_max) {
      return Error{Errc::too_large,
                   fmt::format("the JSON object has more than {} members", members_max)};
    }
    ondemand::field field;
    if ((error = std::move(item).get(field))) return malformed(explain(error), offset());
    Member member;
    const auto key_at = static_cast<std::size_t>(field.key().raw() - json.data()) - 1;
    if ((error = field.unescaped_key().get(member.name))) return malformed(explain(error), key_at);
    const std::size_t value_at = offset();
    error = read_plain_value(field.value(), member);
    if (error == simdjson::INCORRECT_TYPE) {
      return malformed("a value here must be a string, a number or a boolean", value_at);
    }
    if (error) return malformed(explain(error), value_at);
    auto& members = result.members_;
    const auto same = std::find_if(members.begin(), members.end(),
                                   [&](const Member& other) { return other.name == member.name; });
    if (same != members.end()) {
      *same = member;
    } else {
      members.push_back(member);
    }
  }
  if (offset() < json.size()) return malformed("text after the end of the object", offset());
  return result;
}

std::optional<std::string_view> JsonObject::find(std::string_view name) const {
  for (const Member& member : members_) {
    if (member.name == name) return member.text;
  }
  return std::nullopt;
}

// --- JsonDocument --------------------------------------------------------------------------------

struct JsonDocument::Storage {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
};

namespace {

using Element = simdjson::dom::element;

template <class T>
std::optional<T> as(const std::array<std::uint64_t, 2>& element) {
  T value;
  if (std::bit_cast<Element>(element).get(value)) return std::nullopt;
  return value;
}

}  // namespace

JsonDocument::JsonDocument(std::unique_ptr<Storage> storage) : storage_(std::move(storage)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  constexpr std::size_t depth_max = 64;
  // simdjson would copy from where the text lies, and an empty one may lie nowhere.
  if (text.empty()) text = "";
  auto storage = std::make_unique<Storage>();
  auto error = storage->parser.allocate(text.size(), depth_max);
  if (!error) error = storage->parser.parse(text.data(), text.size()).get(storage->root);
  if (error) {
    return find_bad_text(text).value_or(
        Error{Errc::invalid_argument, fmt::format("bad JSON: {}", explain(error))});
  }
  return JsonDocument(std::move(storage));
}

JsonValue JsonDocument::root() const {
  return JsonValue(std::bit_cast<JsonValue::Bits>(storage_->root));
}

bool JsonValue::is_null() const { return std::bit_cast<Element>(element_).is_null(); }
std::optional<std::string_view> JsonValue::string() const { return as<std::string_view>(element_); }
std::optional<std::int64_t> JsonValue::integer() const { return as<std::int64_t>(element_); }
std::optional<double> JsonValue::number() const { return as<double>(element_); }
std::optional<bool> JsonValue::boolean() const { return as<bool>(element_); }

std::optional<JsonValue> JsonValue::find(std::string_view name) const {
  Element member;
  if (std::bit_cast<Element>(element_).at_key(name).get(member)) return std::nullopt;
  return JsonValue(std::bit_cast<Bits>(member));
}

std::optional<std::vector<JsonValue>> JsonValue::elements() const {
  simdjson::dom::array array;
  if (std::bit_cast<Element>(element_).get(array)) return std::nullopt;
  std::vector<JsonValue> values;
  for (const auto element : array) values.push_back(JsonValue(std::bit_cast<Bits>(element)));
  return values;
}

// --- JsonWriter ----------------------------------------------------------------------------------

void JsonWriter::separate() {
  if (comma_due_) out_ += ',';
  comma_due_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  comma_due_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  comma_due_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  out_ += ':';
  comma_due_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  quote(text);
  return *this;
}

JsonWriter& JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  char digits[32];
  return raw({digits, std::to_chars(digits, digits + sizeof digits, value).ptr});
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

void JsonWriter::quote(std::string_view text) {
  out_ += '"';
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out_ += text.substr(copied, i - copied);
    copied = i + 1;
    switch (c) {
      case '"': out_ += "\\\""; break;
      case '\\': out_ += "\\\\"; break;
      case '\n': out_ += "\\n"; break;
      case '\r': out_ += "\\r"; break;
      case '\t': out_ += "\\t"; break;
      default: out_ += fmt::format("\\u{:04x}", c);
    }
  }
  out_ += text.substr(copied);
  out_ += '"';
}

}  // namespace imgcached::http
