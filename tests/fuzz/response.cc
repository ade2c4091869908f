// Responses, as the client reads them: http::Parser of that kind, also where no
// body is to come, and at the end of a connection.
#include "tests/fuzz/message.h"

namespace imgcached::fuzz {
namespace {

void check_body(const http::ReadMessage& message, bool expect_body) {
  const http::MessageHead& head = message.head;
  if (!expect_body || !may_have_body(head)) {
    require(message.body.empty(), "what has no body brings none");
  } else if (head.content_length) {
    require(message.body.size() <= *head.content_length, "a body is no longer than announced");
    require(!message.ended || message.body.size() == *head.content_length,
            "a body is as long as announced");
  } else if (!head.chunked) {
    require(!head.keep_alive, "what ends with its connection does not keep it");
  }
}

void check_responses(std::string_view input, const http::ReadingOptions& options) {
  const http::Reading reading = read_every_way(http::Parser::Kind::response, input, options);
  for (const http::ReadMessage& message : reading.messages) {
    check_message(message, options.limits);
    require(message.head.status >= 0 && message.head.status <= 999, "a status has three digits");
    check_body(message, options.expect_body);
  }
  check_ends(reading, input, options.expect_body);
  require(!options.ends || reading.error_status != 0 || reading.messages.empty() ||
              reading.messages.back().ended,
          "the end of the connection ends a response or is an error");
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  const std::string_view input = fuzz::text_of(data, size);
  fuzz::check_responses(input, {.ends = true});
  fuzz::check_responses(input, {.expect_body = false, .ends = true});
  fuzz::check_responses(input, {.limits = {.head_bytes_max = 48, .headers_max = 3}});
  return 0;
}
