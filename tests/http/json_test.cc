#include "http/json.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <limits>

#include "base/random.h"

namespace imgcached::http {
namespace {

using namespace std::literals;

std::string find(const JsonObject& object, std::string_view name) {
  return std::string(object.find(name).value_or("(none)"));
}

void check_error(std::string_view text, Errc code, std::string_view part) {
  CAPTURE(text);
  const auto object = JsonObject::parse(std::string(text));
  REQUIRE_FALSE(object.ok());
  CHECK(object.error().code == code);
  CAPTURE(object.error().message);
  CHECK(object.error().message.find(part) != std::string::npos);
}

void check_broken_at(std::string_view text, std::size_t offset, std::string_view part) {
  check_error(text, Errc::invalid_argument, fmt::format("bad JSON at byte {}: ", offset));
  check_error(text, Errc::invalid_argument, part);
}

TEST_CASE("a member says whether it was a string") {
  const Result<JsonObject> object = JsonObject::parse(R"({"a":"1","b":1,"c":true,"b":"2"})");
  REQUIRE(object.ok());
  REQUIRE(object->members().size() == 3);
  CHECK(object->members()[0].is_string);
  CHECK(object->members()[1].is_string);  // the last one counts
  CHECK_FALSE(object->members()[2].is_string);
}

TEST_CASE("a flat JSON object gives its members as text, in their order") {
  const auto object =
      JsonObject::parse(R"( { "key" : "cat", "n": -12.5e3 ,"t":true,"f":false, "e":"" } )");
  REQUIRE(object.ok());
  REQUIRE(object->members().size() == 5);
  CHECK(object->members()[1].name == "n");
  CHECK(find(*object, "key") == "cat");
  CHECK(find(*object, "n") == "-12.5e3");
  CHECK(find(*object, "t") == "true");
  CHECK(find(*object, "f") == "false");
  CHECK(find(*object, "e") == "");
  CHECK_FALSE(object->find("Key").has_value());
}

TEST_CASE("an empty JSON object has no members") {
  CHECK(JsonObject::parse("{}").value().members().empty());
  CHECK(JsonObject::parse(" {\n} ").value().members().empty());
}

TEST_CASE("escapes in JSON names and strings are undone") {
  const auto object =
      JsonObject::parse(R"({"a\"\u00e9":"\\\/\b\f\n\r\t\u0041\ud83d\ude00","é😀":"é😀"})");
  REQUIRE(object.ok());
  CHECK(find(*object, "a\"é") == "\\/\b\f\n\r\tA😀");
  CHECK(find(*object, "é😀") == "é😀");
}

TEST_CASE("an escaped NUL is a character like any other") {
  const auto object = JsonObject::parse(R"({"k\u0000x":"a\u0000b"})");
  REQUIRE(object.ok());
  CHECK(object->find(std::string_view("k\0x", 3)) == std::string_view("a\0b", 3));
}

TEST_CASE("of JSON members with one name the last one counts") {
  const auto object = JsonObject::parse(R"({"a":"1","b":"2","a":"3","\u0061":"4"})");
  REQUIRE(object.ok());
  CHECK(object->members().size() == 2);
  CHECK(find(*object, "a") == "4");
}

TEST_CASE("brackets, colons and escaped quotes within a JSON string are text") {
  const auto object = JsonObject::parse(R"({"{}[]:,":"},{\"a\":[1]","b":"\\"})");
  REQUIRE(object.ok());
  CHECK(find(*object, "{}[]:,") == "},{\"a\":[1]");
  CHECK(find(*object, "b") == "\\");
}

TEST_CASE("a JSON object survives being moved") {
  auto object = JsonObject::parse(R"({"a":"b","c":"\n"})");
  REQUIRE(object.ok());
  const JsonObject moved = std::move(object).value();
  CHECK(find(moved, "a") == "b");
  CHECK(find(moved, "c") == "\n");
}

TEST_CASE("a large JSON string with spare capacity behind it is read in place") {
  std::string text;
  text.reserve(45'000'010 + JsonObject::padding_bytes);
  text.append(R"({"key":")").append(45'000'000, 'A').append(R"("})");
  const char* before = text.data();
  const auto object = JsonObject::parse(std::move(text));
  REQUIRE(object.ok());
  REQUIRE(object->find("key")->size() == 45'000'000);
  CHECK(object->find("key")->data() == before + 8);
}

TEST_CASE("a JSON body that is no object is refused") {
  check_broken_at("", 0, "there is no value");
  check_broken_at("  \n", 3, "there is no value");
  check_broken_at("[1]", 0, "an object is expected");
  check_broken_at(" \"a\"", 1, "an object is expected");
  check_broken_at("12", 0, "an object is expected");
  check_broken_at("null", 0, "an object is expected");
  check_broken_at("key=a", 0, "an object is expected");
}

TEST_CASE("a JSON member that is neither string, number nor boolean is refused") {
  for (const char* value : {"null", "{}", "[]", "[[[[", "{\"b\":1}"}) {
    check_broken_at(fmt::format("{{\"x\":1, \"a\": {}}}", value), 13,
                    "must be a string, a number or a boolean");
  }
}

TEST_CASE("broken JSON says at which byte it broke") {
  check_broken_at(R"({"a":"b")", 8, "cut off");
  check_broken_at(R"({"a":"b"]})", 8, "misplaced");
  check_broken_at(R"({"a" "b"})", 5, "misplaced");
  check_broken_at(R"({"a":})", 5, "misplaced");
  check_broken_at(R"({"a"})", 4, "misplaced");
  check_broken_at(R"({a:1})", 1, "misplaced");
  check_broken_at(R"({,})", 1, "misplaced");
  check_broken_at(R"({"a":1,})", 7, "misplaced");
  check_broken_at(R"({"a":1 "b":2})", 7, "misplaced");
  check_broken_at(R"({"a":1}x})", 7, "text after the end");
  check_broken_at(R"({"a":1}{"b":2})", 7, "text after the end");
  check_broken_at(R"({"a":1}})", 7, "text after the end");
  check_broken_at(R"({"a":12x})", 5, "no JSON number");
  check_broken_at(R"({"a":01})", 5, "no JSON number");
  check_broken_at(R"({"a":1e999})", 5, "no JSON number");
  check_broken_at(R"({"a":trux})", 5, "none of true, false and null");
  check_broken_at(R"({"a":falsey})", 5, "none of true, false and null");
  check_broken_at(R"({"b":1,"a":"\x"})", 11, "invalid escape");
  check_broken_at(R"({"a":"\ud83d"})", 5, "invalid escape");
  check_broken_at(R"({"b":1,"\u12":1})", 7, "invalid escape");
}

TEST_CASE("a JSON string without its end is shown by its beginning") {
  check_broken_at(R"({"a":"b)", 5, "no closing quote");
  check_broken_at(R"({"\\":"\"b})", 6, "no closing quote");
}

TEST_CASE("a bare control character in a JSON string is refused where it stands") {
  check_broken_at("{\"a\":\n\"b\nc\"}", 8, "control character");
  check_broken_at(std::string_view("{\"a\0\":1}", 8), 3, "control character");
}

TEST_CASE("JSON that is not UTF-8 is refused at the first bad character") {
  check_broken_at("{\"a\":\"\xff\"}", 6, "not valid UTF-8");
  check_broken_at("{\"a\":\"\xc3\xa9\xc3\"}", 8, "not valid UTF-8");
  check_broken_at("{\"a\":\"\xed\xa0\x80\"}", 6, "not valid UTF-8");
  for (std::size_t padding = 4080; padding < 4110; ++padding) {  // around the end of a block
    const std::string text = "{\"" + std::string(padding, 'x') + "é😀";
    check_broken_at(text + "\xf0\x9f\x98\"}", text.size(), "not valid UTF-8");
    check_broken_at(text + "\x80\x80\x80\x80\"}", text.size(), "not valid UTF-8");
  }
}

// Repeated members used to be free, and a million of them took seconds.
TEST_CASE("a JSON object may have 64 members and no more, repeated ones counted") {
  std::string text = "{";
  for (std::size_t i = 1; i < JsonObject::members_max; ++i) text += fmt::format("\"{}\":1,", i);
  CHECK(JsonObject::parse(text + "\"0\":2}").value().members().size() == JsonObject::members_max);
  CHECK(JsonObject::parse(text + "\"1\":2}").value().find("1") == "2");
  check_error(text + "\"0\":1,\"more\":1}", Errc::too_large, "64 members");
  check_error(text + "\"0\":1,\"1\":2}", Errc::too_large, "64 members");
}

// The tree reader of simdjson is another implementation than the one below
// JsonObject, so each is a witness of the other.
TEST_CASE(
    "what is read of damaged JSON agrees with the tree reader, which accepts all that is JSON") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  const std::string good = R"( {"key":"a\"\\\u00e9\/b", "n":-1.5e2,"t":true, "f" : false,"é":""} )";
  int accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text = good;
    for (std::uint64_t edits = random.below(3); edits > 0; --edits) {
      const std::size_t at = random.below(text.size());
      const char c = "\"\\{}[]:, \n\t0a1e-.u\0\xc3\xa9"[random.below(22)];
      switch (random.below(4)) {
        case 0: text[at] = c; break;
        case 1: text.insert(at, 1, c); break;
        case 2: text.erase(at, 1); break;
        case 3: text.resize(at + 1); break;
      }
    }
    CAPTURE(text);
    const auto object = JsonObject::parse(text);
    const auto tree = JsonDocument::parse(text);
    if (object.ok()) {
      ++accepted;
      REQUIRE(tree.ok());
      if (object->members().size() < 5) continue;  // the tree finds the first of two names
      for (const auto& [name, value, is_string] : object->members()) {
        const auto witness = tree->root().find(name);
        REQUIRE(witness.has_value());
        CHECK(is_string == witness->string().has_value());
        if (const auto string = witness->string()) CHECK(*string == value);
        else if (const auto boolean = witness->boolean())
          CHECK((*boolean ? "true" : "false") == value);
        else CHECK(witness->number() == std::stod(std::string(value)));
      }
    } else if (tree.ok()) {
      CHECK(object.error().message.find("must be a string, a number") == std::string::npos);
    }
  }
  CHECK(accepted > 10'000);
}

TEST_CASE("a JSON document is a tree that is asked by name") {
  const auto document = JsonDocument::parse(
      R"({"keys":["a","b\n"],"n":-3,"x":1.5,"ok":true,"none":null,"in":{"deep":[[1]]}})");
  REQUIRE(document.ok());
  const JsonValue root = document->root();
  const auto keys = root.find("keys")->elements();
  REQUIRE(keys.has_value());
  REQUIRE(keys->size() == 2);
  CHECK((*keys)[0].string() == "a");
  CHECK((*keys)[1].string() == "b\n");
  CHECK(root.find("n")->integer() == -3);
  CHECK(root.find("n")->number() == -3.0);
  CHECK(root.find("x")->number() == 1.5);
  CHECK(root.find("ok")->boolean() == true);
  CHECK(root.find("none")->is_null());
  CHECK(root.find("in")->find("deep")->elements()->front().elements()->front().integer() == 1);
}

TEST_CASE("a JSON value that is asked for what it is not gives nothing") {
  const auto document = JsonDocument::parse(R"({"s":"1","n":1.5})");
  REQUIRE(document.ok());
  const JsonValue root = document->root();
  CHECK_FALSE(root.find("missing").has_value());
  CHECK_FALSE(root.string().has_value());
  CHECK_FALSE(root.elements().has_value());
  CHECK_FALSE(root.is_null());
  CHECK_FALSE(root.find("s")->integer().has_value());
  CHECK_FALSE(root.find("s")->find("x").has_value());
  CHECK_FALSE(root.find("n")->integer().has_value());
  CHECK_FALSE(root.find("n")->boolean().has_value());
}

TEST_CASE("a JSON document that is broken or too deep is refused") {
  const auto too_deep = JsonDocument::parse(std::string(100, '[') + std::string(100, ']'));
  REQUIRE_FALSE(too_deep.ok());
  CHECK(too_deep.error().message.find("too deeply") != std::string::npos);
  CHECK(JsonDocument::parse(std::string(60, '[') + std::string(60, ']')).ok());
  for (const char* text : {"", "{", "[1,]", "{\"a\":1} x", "\"\xff\"", "tru"}) {
    CAPTURE(text);
    const auto document = JsonDocument::parse(text);
    REQUIRE_FALSE(document.ok());
    CHECK(document.error().code == Errc::invalid_argument);
  }
}

TEST_CASE("JSON is written without white space, with commas where they belong") {
  std::string out = "x";
  JsonWriter json(out);
  json.begin_object().key("success").string("true").key("key").string("a");
  json.key("list").begin_array().integer(1).integer(-2).begin_object().end_object();
  json.begin_array().end_array().boolean(true).boolean(false).null().end_array();
  json.key("raw").raw("[0]").key("last").number(0.5).end_object();
  CHECK(
      out ==
      R"(x{"success":"true","key":"a","list":[1,-2,{},[],true,false,null],"raw":[0],"last":0.5})");
}

TEST_CASE("JSON strings are escaped where they must be and nowhere else") {
  std::string out;
  JsonWriter(out).string("\"\\/\b\n\r\t\x01\x1f\0\x7f<é😀"sv);
  CHECK(out == "\"\\\"\\\\/\\u0008\\n\\r\\t\\u0001\\u001f\\u0000\x7f<é😀\"");
}

TEST_CASE("JSON keys are escaped too") {
  std::string out;
  JsonWriter(out).begin_object().key("a\"b").integer(1).end_object();
  CHECK(out == R"({"a\"b":1})");
}

TEST_CASE("JSON numbers keep their value") {
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  json.integer(std::numeric_limits<std::int64_t>::min());
  json.integer(std::numeric_limits<std::uint64_t>::max());
  json.number(0.1).number(1e300).number(3).number(std::numeric_limits<double>::infinity());
  json.number(std::numeric_limits<double>::quiet_NaN()).end_array();
  CHECK(out == "[-9223372036854775808,18446744073709551615,0.1,1e+300,3,null,null]");
}

TEST_CASE("every string comes back from what the JSON writer made of it") {
  const std::uint64_t seed = Random::from_os().next();
  CAPTURE(seed);
  Random random(seed);
  for (int round = 0; round < 5'000; ++round) {
    std::string text;
    for (std::uint64_t i = random.below(40); i > 0; --i) {
      static constexpr std::string_view pieces[] = {"\"", "\\", "\n", "a", "é", "😀", "u0041", "/"};
      if (const auto choice = random.below(9); choice < 8) text += pieces[choice];
      else text += static_cast<char>(random.below(128));
    }
    std::string json;
    JsonWriter(json).begin_object().key(text).string(text).end_object();
    CAPTURE(json);
    const auto object = JsonObject::parse(json);
    REQUIRE(object.ok());
    CHECK(object->find(text) == text);
  }
}

// Its body is empty: a Blob without bytes has no address. Only the sanitizer sees it.
TEST_CASE("bug: an empty document that lies nowhere was copied from there") {
  const auto document = JsonDocument::parse(std::string_view());
  REQUIRE_FALSE(document.ok());
  CHECK(document.error().message == "bad JSON: there is no value");
}

TEST_CASE("UTF-8 is told from what is not") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("aé😀"));
  CHECK(is_utf8(std::string_view("\0", 1)));
  for (const char* text :
       {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"}) {
    CHECK_FALSE(is_utf8(text));
  }
}

}  // namespace
}  // namespace imgcached::http
