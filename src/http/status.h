// HTTP status codes: their phrases, and the one place that maps an Error of
// ours to the status a client sees.
#pragma once

#include <string_view>

#include "base/result.h"

namespace imgcached::http {

// The registered phrase of a code (RFC 9110), "Unknown" for one we never send.
std::string_view reason_phrase(int status);

int status_of(Errc code);

}  // namespace imgcached::http
