#include "cache/cache_calls.h"

#include "cache/cache_client.h"
#include "cache/key.h"
#include "http/base64.h"
#include "http/json.h"

namespace imgcached::cache {
namespace {

Error bad(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

Result<Blob> parse_image(const http::JsonObject::Member& member, std::uint64_t value_bytes_max) {
  if (!member.is_string) { return bad("the value of a key must be a string: the image in base64"); }
  Result<Blob> image = http::base64::decode(member.text);
  if (!image) return image;
  Result<void> valid = validate_image(image->size(), value_bytes_max);
  if (!valid) return std::move(valid).error();
  return image;
}

}  // namespace

Result<void> validate_image(std::uint64_t bytes, std::uint64_t value_bytes_max) {
  if (bytes == 0) return bad("the image is empty; none is");
  if (bytes <= value_bytes_max) return {};
  return Error{Errc::too_large, "the image is over the limit of " +
                                    std::to_string(value_bytes_max) + " bytes; send less"};
}

Result<std::string> parse_key_call(std::string text) {
  const Result<http::JsonObject> object = http::JsonObject::parse(std::move(text));
  if (!object) return object.error();
  const auto key = object->find("key");
  if (!key) return bad("the member \"key\" is missing");
  Result<void> valid = validate_key(*key);
  if (!valid) return std::move(valid).error();
  return std::string(*key);
}

Result<std::vector<std::string>> parse_key_list(std::string_view text) {
  const Result<http::JsonDocument> document = http::JsonDocument::parse(text);
  if (!document) return document.error();
  const auto list = document->root().find("keys");
  const auto elements = list ? list->elements() : std::nullopt;
  if (!elements) return bad("the member \"keys\" is missing, a list of keys");
  if (elements->size() > CacheClient::keys_asked_max) {
    return Error{Errc::too_large, "ask for at most " + std::to_string(CacheClient::keys_asked_max) +
                                      " keys at a time"};
  }
  std::vector<std::string> keys;
  for (const http::JsonValue& element : *elements) {
    const auto key = element.string();
    if (!key) return bad("each of \"keys\" must be a string");
    Result<void> valid = validate_key(*key);
    if (!valid) return std::move(valid).error();
    keys.emplace_back(*key);
  }
  return keys;
}

std::string write_key_list(const std::vector<std::string>& keys) {
  std::string text;
  http::JsonWriter json(text);
  json.begin_object().key("keys").begin_array();
  for (const std::string& key : keys) json.string(key);
  json.end_array().end_object();
  return text;
}

Result<PutCall> parse_put_call(std::string text, std::uint64_t value_bytes_max) {
  const Result<http::JsonObject> object = http::JsonObject::parse(std::move(text));
  // Too many members too: it is the images that can be too large.
  if (!object) return bad(object.error().message);
  if (object->members().empty()) return bad("no image: send {\"<key>\":\"<base64>\"}");
  PutCall call;
  for (const http::JsonObject::Member& member : object->members()) {
    Result<void> valid = validate_key(member.name);
    if (!valid) return std::move(valid).error();
    Result<Blob> image = parse_image(member, value_bytes_max);
    if (!image) return std::move(image).error();
    call.emplace_back(member.name, std::move(*image));
  }
  return call;
}

}  // namespace imgcached::cache
