// Parser: HTTP/1.x messages out of a stream of bytes; the only user of llhttp.
//
// A pull machine without I/O. advance() consumes input until something is
// worth telling:
//
//   need_more -> head -> (body)* -> end -> head -> ...
//                    \ error (final)
//
// After `end` the parser is ready for the next message of the connection, whose
// bytes may already follow in the input (pipelining).
//
// llhttp checks the grammar. On top of it stand our limits and those rules of
// RFC 9112 that concern a server's safety; error_status() says which code a
// refused request deserves. Nothing that follows an error is looked at.
//
// Where a message ends must not be a matter of opinion. Every line outside of a
// body ends with CR LF and continues no line before it, and a message is framed
// by what llhttp made of the header fields or not at all: what only our reading
// of a field calls chunked is refused. Trailers are checked and forgotten.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"

namespace imgcached::http {

struct ParserLimits {
  std::size_t target_bytes_max = 16 * 1024;  // beyond: 414
  std::size_t head_bytes_max = 64 * 1024;    // all field names and values, beyond: 431
  std::size_t headers_max = 128;             // beyond: 431
  // Of a chunked body, what is neither data nor what plain chunks need: extensions,
  // zeros in front of sizes, trailers. Beyond: 400.
  std::size_t chunk_excess_bytes_max = 16 * 1024;
};

class Parser {
 public:
  enum class Kind { request, response };
  enum class Event {
    need_more,  // the input is used up
    head,       // head() is complete
    body,       // body() has some bytes of the body
    end,        // the message is complete
    error,      // the peer broke the protocol or a limit
  };

  explicit Parser(Kind kind, ParserLimits limits = {});
  Parser(Parser&&) noexcept;
  Parser& operator=(Parser&&) noexcept;
  ~Parser();

  // Takes what it uses off the front of `input`. Before reading more, call it
  // until it needs more, without input too: the end of a message may be due.
  Event advance(std::string_view& input);

  // The end of the connection: Event::end when that completes a response of
  // unstated length, Event::error in the middle of a message, else need_more.
  Event finish();

  // Responses: whether the next one may have a body. The answer to HEAD has none
  // whatever its header fields say.
  void expect_body(bool expected);

  // Valid from the first input of a message to that of the next, or to trim().
  const MessageHead& head() const;
  // Between two messages: gives back what memory an unusually large head has taken, and
  // the head with it.
  void trim();

  // Valid until the input it points into goes.
  std::string_view body() const;

  // After an error, or while more is needed: whether it is about a head, and head() thus has
  // what came of that, its method from the target on.
  bool is_in_head() const;
  int error_status() const;
  const std::string& error_message() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace imgcached::http
