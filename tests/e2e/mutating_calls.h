// Calls with header fields of one's choice, and those that change something: what only
// some may send.
#pragma once

#include <string>
#include <vector>

#include "tests/e2e/http_peer.h"

namespace imgcached::e2e {

struct Call {
  const char* method;
  std::string target;
  Content content = {};
};

Reply ask(HttpPeer& service, const Call& call, const http::Headers& more);

// All of the backend's that change something, about the key `safe`.
std::vector<Call> mutating_calls(const std::string& image);

}  // namespace imgcached::e2e
