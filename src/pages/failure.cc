#include "pages/failure.h"

#include "base/log.h"
#include "http/json.h"
#include "http/json_error.h"
#include "http/status.h"

namespace imgcached::pages {
namespace {

http::Response uncached(http::Response response) {
  response.headers.add("Cache-Control", "no-cache");
  return response;
}

}  // namespace

Failure failure_of(const Error& error) {
  const int status = http::status_of(error.code);
  switch (error.code) {
    case Errc::storage_full:
      log::error("storage_full reason=\"{}\"", error.message);
      return {status, "the server's disk is full: nothing was stored; make room and try again"};
    case Errc::storage_failed:
      log::error("storage_failed reason=\"{}\"", error.message);
      return {status, "the server can't use its image directory; its log says why"};
    case Errc::internal:
      log::error("internal_error reason=\"{}\"", error.message);
      return {status, "something went wrong on the server; its log says what"};
    default: return {status, error.message};
  }
}

Error of_dependency(Error error) {
  switch (error.code) {
    case Errc::timed_out:
    case Errc::closed:
    case Errc::protocol: error.code = Errc::unavailable; return error;
    default: return error;
  }
}

http::Response json_failure(const Failure& failure) {
  const std::string_view message = http::is_utf8(failure.message)
                                       ? std::string_view(failure.message)
                                       : "the request contains text that is not valid UTF-8";
  return uncached(http::json_error(failure.status, message));
}

http::Response json_failure(const Error& error) { return json_failure(failure_of(error)); }

http::Response json_response(int status, http::Body json) {
  return uncached(http::make_response(status, "application/json", std::move(json)));
}

void add_retry_after(http::Response& response) {
  if (response.status == 503) response.headers.set("Retry-After", "1");
}

bool speaks_json(std::string_view path) {
  return path.empty() || path == "/api" || path.starts_with("/api/") || path == "/images" ||
         path.starts_with("/images/");
}

}  // namespace imgcached::pages
