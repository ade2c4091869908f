// How both services put a failure into JSON.
#pragma once

#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace imgcached::http {

// {"success":"false","error":{"code":<status>,"message":"..."}}, and Retry-After
// with a 503.
Response json_error(int status, std::string_view message);
// The same for an Error, whose code decides the status.
Response json_error(const Error& error);

}  // namespace imgcached::http
