// What a Parser makes of an input that comes in pieces, and what must hold of it
// whatever the input is.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/parser.h"
#include "tests/fuzz/property.h"

namespace imgcached::http {

struct ReadMessage {
  MessageHead head;
  std::string body;
  bool ended = false;
  std::size_t end = 0;  // when it ended: how much of the input lies before
};

struct Reading {
  Parser::Kind kind;
  std::vector<ReadMessage> messages;
  int error_status = 0;  // 0: there was no error
};

struct ReadingOptions {
  ParserLimits limits{};
  bool expect_body = true;
  bool ends = false;  // the connection ends behind the input
};

namespace reading_detail {

inline void take_event(Reading& reading, Parser& parser, Parser::Event event, std::size_t offset) {
  using fuzz::require;
  const bool is_inside = !reading.messages.empty() && !reading.messages.back().ended;
  switch (event) {
    case Parser::Event::need_more: break;
    case Parser::Event::head:
      require(!is_inside, "a message begins after the end of the one before");
      reading.messages.push_back({std::move(parser.head()), {}, false, 0});
      break;
    case Parser::Event::body:
      require(is_inside, "a body belongs to a message");
      require(!parser.body().empty(), "a piece of a body has bytes");
      reading.messages.back().body += parser.body();
      break;
    case Parser::Event::end:
      require(is_inside, "only what began ends");
      reading.messages.back().ended = true;
      reading.messages.back().end = offset;
      break;
    case Parser::Event::error:
      require(parser.error_status() >= 400, "an error has a status");
      require(!parser.error_message().empty(), "an error says what is wrong");
      reading.error_status = parser.error_status();
      std::string_view more = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
      require(parser.advance(more) == Parser::Event::error && parser.finish() == event,
              "nothing follows an error");
      break;
  }
}

}  // namespace reading_detail

// Each piece is copied to a place of its own that is gone afterwards, so that the
// sanitizer sees whoever looks beyond it or back at it.
inline Reading read(Parser::Kind kind, const fuzz::Pieces& pieces,
                    const ReadingOptions& options = {}) {
  using fuzz::require;
  using Event = Parser::Event;
  Parser parser(kind, options.limits);
  parser.expect_body(options.expect_body);
  Reading reading{kind, {}, 0};
  std::size_t offset = 0;
  for (const std::string_view piece : pieces) {
    const std::vector<char> copy(piece.begin(), piece.end());
    std::string_view input(copy.data(), copy.size());
    Event event = Event::head;
    while (event != Event::need_more) {
      event = parser.advance(input);
      // No input may lie elsewhere afterwards: nothing was used of it.
      const bool is_the_end =
          piece.empty() || input.data() + input.size() == copy.data() + copy.size();
      require(input.size() <= piece.size() && is_the_end, "what is used is taken off the front");
      const std::size_t used = offset + piece.size() - input.size();
      reading_detail::take_event(reading, parser, event, used);
      if (event == Event::error) return reading;
      // The server counts on it (BodyReader).
      if (event == Event::head && kind == Parser::Kind::request &&
          !reading.messages.back().head.has_body()) {
        std::string_view nothing;
        event = parser.advance(nothing);
        require(event == Event::end, "a request without a body is complete with its head");
        reading_detail::take_event(reading, parser, event, used);
      }
    }
    require(input.empty(), "more is needed only when the input is used up");
    offset += piece.size();
  }
  if (options.ends) reading_detail::take_event(reading, parser, parser.finish(), offset);
  return reading;
}

inline std::string to_text(const MessageHead& head, Parser::Kind kind) {
  std::string text = kind == Parser::Kind::request
                         ? std::string(to_string(head.method)) + " " + head.target
                         : std::to_string(head.status);
  text += " 1." + std::to_string(head.version_minor);
  if (head.keep_alive) text += " keep-alive";
  if (head.chunked) text += " chunked";
  if (head.content_length) text += " length=" + std::to_string(*head.content_length);
  for (const auto& [name, value] : head.headers) {
    text.append(" [").append(name).append("|").append(value).append("]");
  }
  return text + "\n";
}

// The reading as a line an event; a body is one event, however many pieces it
// came in. Errors by their status.
inline std::string to_text(const Reading& reading) {
  std::string text;
  for (const ReadMessage& message : reading.messages) {
    text += to_text(message.head, reading.kind);
    if (!message.body.empty()) text += "body " + message.body + "\n";
    if (message.ended) text += "end\n";
  }
  if (reading.error_status != 0) text += "error " + std::to_string(reading.error_status) + "\n";
  return text;
}

}  // namespace imgcached::http
