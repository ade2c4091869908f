// Streaming multipart/form-data (RFC 7578 over RFC 2046): the format in which
// browsers and curl upload files.
//
// A body is parts between delimiters; a delimiter is CRLF, two hyphens and the
// boundary that the Content-Type header announced, and the last one has two
// hyphens more:
//
//   --b CRLF  headers CRLF CRLF  data  CRLF--b CRLF  headers ...  CRLF--b--
//
// The parser is pulled: give next() the input that came and call it until it
// wants more. Data is never copied: it points into the input, and a file of any
// size passes through in constant memory. Input may be split anywhere; the
// events say the same, only the data comes in other pieces.
//
// What makes this simple: a CR can only be the first byte of a delimiter, as no
// boundary contains one. So a delimiter that was begun and fails cannot overlap
// another, and what has to be held back when the input ends within a possible
// delimiter is a prefix of the delimiter itself, of which only the length needs
// to be kept.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace imgcached::http {

// The boundary that a Content-Type header announces. invalid_argument if it is
// not multipart/form-data, or has no boundary of 1 to 70 legal characters.
Result<std::string> boundary_of(std::string_view content_type);

class MultipartParser {
 public:
  static constexpr std::size_t part_header_bytes_max = 8 * 1024;
  static constexpr std::size_t parts_max = 16;

  enum class Event {
    need_more,   // all input is used up: call again with more, or finish()
    part_begin,  // part() tells which
    data,        // data() is the next piece of the part's content, not empty
    part_end,
    end,    // the last delimiter; what may follow it is skipped without events
    error,  // error() tells why; so will every further call
  };

  // What the headers of a part say; whatever a client may claim in them.
  struct Part {
    std::string name;                     // of the form field
    std::optional<std::string> filename;  // none: a plain field
    std::string content_type;             // empty: not given
  };

  // REQUIRES: a boundary as boundary_of() returns it.
  explicit MultipartParser(std::string_view boundary);

  // Takes what it has dealt with off the front of `input`. The bytes of `input`
  // must stay while data() is used.
  Event next(std::string_view& input);

  // Valid from part_begin until the next one.
  const Part& part() const { return part_; }
  // Valid until the next call of next().
  std::string_view data() const { return data_; }
  // REQUIRES: next() returned Event::error.
  const Error& error() const { return *error_; }

  // To be called at the end of the body: invalid_argument if it was cut off.
  Result<void> finish() const;

 private:
  enum class State {
    preamble,         // before the first delimiter; skipped
    data,             // within a part's content
    after_delimiter,  // a delimiter was read: its line ends, or the body does
    headers,          // within a part's header block
    epilogue,         // after the last delimiter; skipped
    failed,
  };
  enum class Scan { delimiter, no_delimiter };

  Scan scan(std::string_view& input);
  // These return nothing when they need more input or another state goes on.
  std::optional<Event> end_delimiter_line(std::string_view& input);
  std::optional<Event> collect_headers(std::string_view& input);
  Event fail(Errc code, std::string message);

  const std::string delimiter_;  // CRLF, hyphens, boundary
  State state_ = State::preamble;
  // How much of a delimiter the input so far ended with. The first delimiter has
  // no CRLF before it when it opens the body: so we begin as if it had been read.
  std::size_t delimiter_matched_ = 2;
  std::string line_end_;      // what follows a delimiter, up to two bytes
  std::string header_block_;  // from the CRLF that precedes it, so that even an
                              // empty block ends with CRLF CRLF
  std::size_t parts_ = 0;
  Part part_;
  std::string_view data_;
  std::optional<Error> error_;
};

}  // namespace imgcached::http
