#include "http/json_error.h"

#include "http/json.h"
#include "http/status.h"

namespace imgcached::http {

Response json_error(int status, std::string_view message) {
  std::string text;
  JsonWriter(text)
      .begin_object()
      .key("success")
      .string("false")
      .key("error")
      .begin_object()
      .key("code")
      .integer(status)
      .key("message")
      .string(message)
      .end_object()
      .end_object();
  Response response = make_response(status, "application/json", std::move(text));
  if (status == 503) response.headers.add("Retry-After", "1");
  return response;
}

Response json_error(const Error& error) { return json_error(status_of(error.code), error.message); }

}  // namespace imgcached::http
