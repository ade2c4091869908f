// The one place that includes libuv, and how its error codes become Errors.
#pragma once

#include <uv.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace imgcached::net {

// The Error for a negative libuv status; `what` names the operation.
inline Error uv_error(int status, std::string_view what) {
  Errc code = Errc::internal;
  switch (status) {
    case UV_EOF:
    case UV_ECANCELED:
    case UV_ECONNRESET:
    case UV_EPIPE:
    case UV_ENOTCONN: code = Errc::closed; break;
    case UV_ETIMEDOUT: code = Errc::timed_out; break;
    case UV_ECONNREFUSED:
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_EAI_NONAME:
    case UV_EAI_AGAIN:
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOMEM:
    case UV_ENOBUFS: code = Errc::unavailable; break;
    case UV_EADDRINUSE:
    case UV_EADDRNOTAVAIL:
    case UV_EACCES:
    case UV_EINVAL: code = Errc::invalid_argument; break;
    default: break;
  }
  return Error{code, std::string(what) + ": " + uv_strerror(status)};
}

}  // namespace imgcached::net
