// The JSON calls of the cache service: a put and what names a key. An input is a
// body.
#include "cache/cache_calls.h"

#include <string>

#include "cache/cache_client.h"
#include "cache/key.h"
#include "http/base64.h"
#include "http/json.h"
#include "tests/fuzz/property.h"

namespace imgcached::fuzz {
namespace {

constexpr std::uint64_t unlimited = 1u << 30;

std::string written(const cache::PutCall& call) {
  std::string json;
  http::JsonWriter writer(json);
  writer.begin_object();
  for (const auto& [key, image] : call) writer.key(key).string(http::base64::encode(image.view()));
  writer.end_object();
  return json;
}

bool are_same(const cache::PutCall& a, const cache::PutCall& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return one.first == other.first && one.second.view() == other.second.view();
  });
}

void check_put(std::string_view body) {
  const Result<cache::PutCall> call = cache::parse_put_call(std::string(body), unlimited);
  if (!call) {
    require(call.error().code == Errc::invalid_argument, "a bad put is the caller's error");
    return;
  }
  require(!call->empty() && call->size() <= http::JsonObject::members_max, "a put has images");
  std::size_t largest = 0;
  for (const auto& [key, image] : *call) {
    require(cache::validate_key(key).ok(), "the keys of a put are good");
    require(!image.empty(), "no image is empty");
    largest = std::max(largest, image.size());
  }
  const Result<cache::PutCall> again = cache::parse_put_call(written(*call), largest);
  require(again && are_same(*again, *call), "a put that was written is read");
  const Result<cache::PutCall> limited = cache::parse_put_call(std::string(body), largest - 1);
  require(!limited && limited.error().code == Errc::too_large, "an image has its limit");
}

void check_keys(std::string_view body) {
  const Result<std::vector<std::string>> keys = cache::parse_key_list(body);
  if (!keys) return;
  require(keys->size() <= cache::CacheClient::keys_asked_max, "a call asks for so many keys");
  for (const std::string& key : *keys) {
    require(cache::validate_key(key).ok(), "the keys of a call are good");
  }
}

void check_key(std::string_view body) {
  const Result<std::string> key = cache::parse_key_call(std::string(body));
  if (!key) return;
  require(cache::validate_key(*key).ok(), "the key of a call is good");
  std::string json;
  http::JsonWriter(json).begin_object().key("key").string(*key).end_object();
  const Result<std::string> again = cache::parse_key_call(json);
  require(again && *again == *key, "a key that was written is read");
}

// Any key and any bytes can be put.
void check_pair(std::string_view text) {
  const std::string_view key = text.substr(0, text.size() / 2);
  const std::string_view image = text.substr(key.size());
  if (!cache::validate_key(key) || image.empty()) return;
  cache::PutCall call;
  call.emplace_back(key, Blob::copy_of(image));
  const Result<cache::PutCall> read = cache::parse_put_call(written(call), unlimited);
  require(read && are_same(*read, call), "whatever is put is what was meant");
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  const std::string_view body = fuzz::text_of(data, size);
  fuzz::check_put(body);
  fuzz::check_key(body);
  fuzz::check_keys(body);
  fuzz::check_pair(body);
  return 0;
}
