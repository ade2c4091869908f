#include "tests/e2e/mutating_calls.h"

#include <string_view>

namespace imgcached::e2e {

Reply ask(HttpPeer& service, const Call& call, const http::Headers& more) {
  http::Headers headers;
  if (!call.content.type.empty()) headers.add("Content-Type", call.content.type);
  if (std::string_view(call.method) != "GET") {
    headers.add("Content-Length", std::to_string(call.content.body.size()));
  }
  for (const auto& [name, value] : more) headers.add(name, value);
  return service.request(call.method, call.target, headers, call.content.body);
}

std::vector<Call> mutating_calls(const std::string& image) {
  const Content form = Multipart().field("key", "safe").file("file", image);
  return {{"POST", "/api/upload", form},
          {"POST", "/api/delete/safe"},
          {"DELETE", "/api/key/safe"},
          {"POST", "/api/delete_all"},
          {"PUT", "/images/safe", {"image/png", image}},
          {"PUT", "/images?key=safe", {"image/png", image}},
          {"DELETE", "/images/safe"},
          {"POST", "/upload_image", form},
          {"POST", "/delete_image", urlencoded({{"key", "safe"}})},
          {"POST", "/delete_images", urlencoded({{"key", "safe"}, {"confirmed", "1"}})},
          {"POST", "/cache_properties", urlencoded({{"max_capacity", "7"}})},
          {"POST", "/cache_properties", urlencoded({{"clear_cache", "1"}})}};
}

}  // namespace imgcached::e2e
