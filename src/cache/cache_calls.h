// What the JSON bodies of the cache service's calls say (see cache_api.h), as
// functions of the text alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/blob.h"
#include "base/result.h"
#include "cache/cache_client.h"

namespace imgcached::cache {

// Reads `{"key":"<key>"}`. Errors: invalid_argument, also when the key is no good;
// too_large: more than http::JsonObject::members_max members.
Result<std::string> parse_key_call(std::string text);

// A list of keys, as POST /keys takes and answers it: `{"keys":["<key>", ...]}`. Errors:
// invalid_argument, also when one is no good; too_large: more than CacheClient::keys_asked_max
// keys.
inline constexpr std::uint64_t key_list_bytes_max =
    CacheClient::keys_asked_max * 514 + 64;  // each of 255 bytes that JSON may double
Result<std::vector<std::string>> parse_key_list(std::string_view text);
std::string write_key_list(const std::vector<std::string>& keys);

// Keys and their images.
using PutCall = std::vector<std::pair<std::string, Blob>>;

// Reads `{"<key>":"<base64>", ...}`: at least one image, all of them good; of
// members with the same name the last one counts. Errors: invalid_argument;
// too_large: an image of more than `value_bytes_max` bytes.
Result<PutCall> parse_put_call(std::string text, std::uint64_t value_bytes_max);

// What is wrong with an image, whichever way it came; nothing if it may be put.
Result<void> validate_image(std::uint64_t bytes, std::uint64_t value_bytes_max);

}  // namespace imgcached::cache
