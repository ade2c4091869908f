// BodyReader: the body of the request that is being handled, read as it comes.
//
// Nothing of a body is read before a handler asks for it, so a refusal costs
// the client and us nothing, and `Expect: 100-continue` is answered when the
// handler first asks. The bound is the route's; it is checked against
// Content-Length at once and against the bytes as they come otherwise.
//
// What has been read counts against a budget that all requests share, for as long
// as this one lives or until its reader says that it keeps less. A body that comes
// to more than is left is refused in the middle; one that is asked for in one piece
// and announces more, before a byte is read.
//
// A client may take its time, but not for ever: the pace bounds how long is
// waited. Each read uses up the time that was waited for it, each byte gives
// 1 / bytes_per_second_min of a second back, and never is there more left than
// pause_max_ms. So a client may be silent for that long once in a while; one
// that keeps dripping runs out of time, however much it had sent before. The
// time that a handler takes (for the disk) is not the client's and not counted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/blob.h"
#include "base/result.h"
#include "base/task.h"
#include "http/byte_budget.h"
#include "http/parser.h"
#include "net/stream.h"

namespace imgcached::http {

class BodyReader {
 public:
  // What is asked of the client; see above.
  struct Pace {
    std::uint64_t pause_max_ms;
    std::uint64_t bytes_per_second_min;
  };

  BodyReader(net::Stream& stream, net::ReadBuffer& buffer, Parser& parser, const MessageHead& head,
             std::uint64_t bytes_max, Pace pace, ByteBudget& budget);

  // What the client announced; absent with chunked coding.
  std::optional<std::uint64_t> content_length() const { return content_length_; }

  // The next piece, valid until the next call; empty at the end. Errors:
  // too_large, unavailable (the budget), timed_out, closed, protocol. After an
  // error, only errors.
  Task<Result<std::string_view>> next();

  // Of all that next() gave, the caller keeps that many bytes in memory.
  void keep(std::uint64_t bytes) { share_.keep(bytes); }

  // From now on that many bytes a second are asked of the client, or what the Pace says if
  // that is more: what he holds has become scarce, or plentiful again.
  void hasten(std::uint64_t bytes_per_second_min) {
    bytes_per_second_min_ = std::max(bytes_per_second_min, pace_.bytes_per_second_min);
  }

  // The rest of the body in one piece. Errors as above.
  Task<Result<std::string>> read_text();
  Task<Result<Blob>> read_blob();

  // Nothing of this body will come any more.
  bool at_end() const { return at_end_; }

  // What nobody wants to read: whether its rest is sure to come and is at most
  // that large, so that dropping it is cheaper than a new connection.
  bool droppable(std::uint64_t rest_bytes_max) const;
  // Reads and drops the rest. False when it could not be read to its end.
  // REQUIRES: droppable().
  Task<bool> drop();

 private:
  void judge_announced();
  Task<Result<void>> refill();
  // Between two reads of the socket: that many bytes took so long.
  void account(std::uint64_t bytes, std::uint64_t waited_ms);

  net::Stream& stream_;
  net::ReadBuffer& buffer_;
  Parser& parser_;
  std::optional<std::uint64_t> content_length_;
  std::uint64_t bytes_max_;
  std::uint64_t bytes_read_ = 0;
  ByteBudget::Share share_;
  bool is_kept_ = true;  // false: what is read is dropped, and counts for nothing
  const Pace pace_;
  std::uint64_t bytes_per_second_min_;
  std::uint64_t patience_ms_;  // for the next read
  bool at_end_ = false;
  bool continue_pending_ = false;  // the client may send nothing before our `100 Continue`
  std::optional<Error> error_;
};

}  // namespace imgcached::http
