#include "http/body_reader.h"

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "http/json.h"

namespace imgcached::http {
namespace {

Error over_limit(std::uint64_t bytes_max) {
  return Error{Errc::too_large,
               "the body is over the limit of " + std::to_string(bytes_max) + " bytes; send less"};
}

Error over_budget() {
  return Error{Errc::unavailable, "too much is being sent to this server; try again in a moment"};
}

Error too_slow() {
  return Error{Errc::timed_out, "the body stopped coming, or came too slowly; send it again"};
}

}  // namespace

BodyReader::BodyReader(net::Stream& stream, net::ReadBuffer& buffer, Parser& parser,
                       const MessageHead& head, std::uint64_t bytes_max, Pace pace,
                       ByteBudget& budget)
    : stream_(stream),
      buffer_(buffer),
      parser_(parser),
      content_length_(head.chunked ? std::nullopt : head.content_length),
      bytes_max_(bytes_max),
      share_(budget),
      pace_(pace),
      bytes_per_second_min_(pace.bytes_per_second_min),
      patience_ms_(pace.pause_max_ms) {
  const auto expectation = head.headers.find("Expect");
  continue_pending_ = expectation && head.has_body() && head.version_minor >= 1;
  if (content_length_.value_or(0) > bytes_max_) error_ = over_limit(bytes_max_);
  if (!head.has_body()) {
    std::string_view nothing;
    at_end_ = parser_.advance(nothing) == Parser::Event::end;
    if (!at_end_) error_ = Error{Errc::protocol, parser_.error_message()};
  }
}

Task<Result<void>> BodyReader::refill() {
  if (continue_pending_) {
    continue_pending_ = false;
    stream_.set_deadline(pace_.pause_max_ms);
    const net::Stream::Pieces go_on{"HTTP/1.1 100 Continue\r\n\r\n", {}};
    Result<void> written = co_await stream_.write(go_on);
    if (!written) co_return std::move(written).error();
  }
  if (patience_ms_ == 0) co_return too_slow();
  const std::uint64_t began_ms = monotonic_ms();
  stream_.set_deadline(patience_ms_);
  Result<std::size_t> count = co_await stream_.read(buffer_);
  stream_.set_deadline(0);
  if (!count) {
    if (count.error().code == Errc::timed_out) co_return too_slow();
    co_return std::move(count).error();
  }
  if (*count == 0) co_return Error{Errc::closed, "the connection ended in the middle of the body"};
  account(*count, monotonic_ms() - began_ms);
  co_return Result<void>();
}

void BodyReader::account(std::uint64_t bytes, std::uint64_t waited_ms) {
  patience_ms_ -= std::min(patience_ms_, waited_ms);
  patience_ms_ += bytes * 1000 / bytes_per_second_min_;
  patience_ms_ = std::min(patience_ms_, pace_.pause_max_ms);
}

Task<Result<std::string_view>> BodyReader::next() {
  while (!error_ && !at_end_) {
    std::string_view input = buffer_.unread();
    if (!input.empty()) continue_pending_ = false;  // the client did not wait
    const Parser::Event event = parser_.advance(input);
    buffer_.consume(buffer_.unread().size() - input.size());
    if (event == Parser::Event::end) at_end_ = true;
    if (event == Parser::Event::error) error_ = Error{Errc::protocol, parser_.error_message()};
    if (event == Parser::Event::body) {
      const std::size_t size = parser_.body().size();
      bytes_read_ += size;
      if (bytes_read_ > bytes_max_) error_ = over_limit(bytes_max_);
      else if (is_kept_ && !share_.take(size)) error_ = over_budget();
      else co_return parser_.body();
    }
    if (event == Parser::Event::need_more) {
      Result<void> refilled = co_await refill();
      if (!refilled) error_ = std::move(refilled).error();
    }
  }
  if (error_) co_return *error_;
  co_return std::string_view();
}

// Before anything is allocated for it.
void BodyReader::judge_announced() {
  if (error_ || !content_length_) return;
  if (*content_length_ - bytes_read_ > share_.left()) error_ = over_budget();
}

Task<Result<std::string>> BodyReader::read_text() {
  judge_announced();
  std::string text;
  // With room for what JsonObject wants behind a text, or it would copy it.
  if (!error_ && content_length_) {
    text.reserve(*content_length_ - bytes_read_ + JsonObject::padding_bytes);
  }
  while (true) {
    Result<std::string_view> piece = co_await next();
    if (!piece) co_return std::move(piece).error();
    if (piece->empty()) co_return text;
    text += *piece;
  }
}

Task<Result<Blob>> BodyReader::read_blob() {
  judge_announced();
  if (error_) co_return *error_;
  if (!content_length_) {
    Result<std::string> text = co_await read_text();
    if (!text) co_return std::move(text).error();
    co_return Blob::copy_of(*text);
  }
  BlobBuffer buffer(*content_length_ - bytes_read_);
  std::size_t filled = 0;
  while (true) {
    Result<std::string_view> piece = co_await next();
    if (!piece) co_return std::move(piece).error();
    if (piece->empty()) break;
    std::memcpy(buffer.data() + filled, piece->data(), piece->size());
    filled += piece->size();
  }
  co_return std::move(buffer).seal();
}

bool BodyReader::droppable(std::uint64_t rest_bytes_max) const {
  const bool is_intact =
      !error_ || error_->code == Errc::too_large || error_->code == Errc::unavailable;
  if (!is_intact) return false;
  return content_length_ && *content_length_ - bytes_read_ <= rest_bytes_max && !continue_pending_;
}

Task<bool> BodyReader::drop() {
  error_.reset();  // at most: too much for its reader
  is_kept_ = false;
  bytes_max_ = content_length_.value_or(0);
  while (true) {
    Result<std::string_view> piece = co_await next();
    if (!piece) co_return false;
    if (piece->empty()) co_return true;
  }
}

}  // namespace imgcached::http
