// JSON: JsonObject beside JsonDocument, which reads with another part of simdjson,
// and JsonWriter beside both.
#include "http/json.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "tests/fuzz/property.h"

namespace imgcached::fuzz {
namespace {

using http::JsonDocument;
using http::JsonObject;
using http::JsonValue;

bool are_same(const JsonObject& a, const JsonObject& b) {
  return std::equal(a.members().begin(), a.members().end(), b.members().begin(), b.members().end(),
                    [](const JsonObject::Member& one, const JsonObject::Member& other) {
                      return one.name == other.name && one.text == other.text &&
                             one.is_string == other.is_string;
                    });
}

// A document takes no whole number beyond 64 bits; an object keeps its text.
bool has_long_number(std::string_view text) {
  std::size_t digits = 0;
  return std::any_of(text.begin(), text.end(), [&](char c) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    return digits > 18;
  });
}

void check_member(const JsonObject::Member& member, const JsonValue& value) {
  if (member.is_string) {
    require(value.string() == member.text, "a string is the same for both readers");
    return;
  }
  if (const auto boolean = value.boolean()) {
    require(member.text == (*boolean ? "true" : "false"), "a boolean is the same for both readers");
    return;
  }
  double number = 0;
  const char* const end = member.text.data() + member.text.size();
  require(std::from_chars(member.text.data(), end, number).ptr == end,
          "a number is written as one");
  require(value.number() == number, "a number is the same for both readers");
}

// Of members with the same name an object has the last, a document the first.
void check_beside_document(const JsonObject& object, std::string_view text) {
  if (has_long_number(text)) return;
  const Result<JsonDocument> document = JsonDocument::parse(text);
  require(document.ok(), "what one reader takes the other takes");
  std::string plain;
  http::JsonWriter writer(plain);
  writer.begin_object();
  for (const JsonObject::Member& member : object.members()) {
    require(document->root().find(member.name).has_value(), "a member is there for both readers");
    writer.key(member.name);
    if (member.is_string) writer.string(member.text);
    else writer.raw(member.text);
  }
  writer.end_object();
  const Result<JsonDocument> rewritten = JsonDocument::parse(plain);
  require(rewritten.ok(), "what was written can be read");
  for (const JsonObject::Member& member : object.members()) {
    check_member(member, *rewritten->root().find(member.name));
  }
  const Result<JsonObject> again = JsonObject::parse(plain);
  require(again && are_same(*again, object), "what was written is read");
}

void check_object(std::string_view text) {
  const Result<JsonObject> object = JsonObject::parse(std::string(text));
  std::string with_room(text);
  with_room.reserve(text.size() + JsonObject::padding_bytes + 1);
  const Result<JsonObject> in_place = JsonObject::parse(std::move(with_room));
  require(object.ok() == in_place.ok(), "room behind the text changes nothing");
  if (!object) {
    require(object.error().message == in_place.error().message, "nor does it in an error");
    return;
  }
  require(are_same(*object, *in_place), "nor does it in the members");
  require(object->members().size() <= JsonObject::members_max, "members have their limit");
  for (const JsonObject::Member& member : object->members()) {
    require(http::is_utf8(member.name) && http::is_utf8(member.text), "what is read is UTF-8");
    require(object->find(member.name).has_value(), "a member is found by its name");
  }
  check_beside_document(*object, text);
}

// Any text can be written, as a name and as a value.
void check_written(const std::string& text) {
  if (!http::is_utf8(text)) return;
  std::string json;
  http::JsonWriter(json).begin_object().key(text).string(text).end_object();
  const Result<JsonObject> object = JsonObject::parse(json);
  require(object && object->find(text) == text, "any text is written and read");
  const Result<JsonDocument> document = JsonDocument::parse(json);
  require(document.ok(), "a document can be written");
  const auto value = document->root().find(text);
  require(value && value->string() == text, "any text is written and read in a document");
}

// Asks everything of everything, so that the sanitizer sees it.
void visit(const JsonValue& value) {
  (void)value.is_null();
  (void)value.integer();
  require(!value.string() || http::is_utf8(*value.string()), "a string is UTF-8");
  require(!value.integer() || value.number(), "a whole number is a number");
  (void)value.find("key");
  if (const auto elements = value.elements()) {
    for (const JsonValue& element : *elements) visit(element);
  }
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  const fuzz::ExactCopy copy(data, size);
  const std::string_view text = copy.text();
  fuzz::check_object(text);
  fuzz::check_written(std::string(text));
  if (const auto document = http::JsonDocument::parse(text)) fuzz::visit(document->root());
  return 0;
}
