// Failure: what a client is told when something went wrong, as JSON to programs
// and (page_renderer.h) as a page to people.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace imgcached::pages {

struct Failure {
  int status = 500;
  std::string message;  // what went wrong and what to do
};

// What an Error means to the client. The reasons of the disk and of internal
// errors, which name paths and statements, go to the log and not to the client.
Failure failure_of(const Error& error);

// The same error when it came from a service we depend on rather than from the
// client: that one being slow or silent makes us unavailable.
Error of_dependency(Error error);

// {"success":"false","error":{"code":N,"message":"..."}}
http::Response json_failure(const Failure& failure);
http::Response json_failure(const Error& error);

// An answer of the API. REQUIRES: valid JSON.
http::Response json_response(int status, http::Body json);

// Says when to try again, if the status is one that passes.
void add_retry_after(http::Response& response);

// Whether a failure under this path is told in JSON. Before there is a path (a
// head too large, too slow or malformed) it is: people read that more easily
// than programs read HTML.
bool speaks_json(std::string_view path);

}  // namespace imgcached::pages
