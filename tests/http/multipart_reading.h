// What a MultipartParser makes of a body that comes in pieces.
#pragma once

#include <fmt/core.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/multipart.h"
#include "tests/fuzz/property.h"

namespace imgcached::http {

struct ReadPart {
  MultipartParser::Part head;
  std::string data;
  bool ended = false;
};

class MultipartReading {
 public:
  explicit MultipartReading(std::string_view boundary) : parser_(boundary) {}

  // The piece is copied to a place of its own that is gone afterwards, so that
  // the sanitizer sees whoever looks beyond it or back at it.
  void feed(std::string_view piece) {
    const std::vector<char> copy(piece.begin(), piece.end());
    std::string_view input(copy.data(), copy.size());
    auto event = MultipartParser::Event::end;
    while (event != MultipartParser::Event::need_more && event != MultipartParser::Event::error) {
      event = parser_.next(input);
      take(event);
    }
    fuzz::require(input.empty() || event == MultipartParser::Event::error,
                  "more is needed only when the input is used up");
  }

  const std::vector<ReadPart>& parts() const { return parts_; }
  // Whether the last delimiter came.
  bool ended() const { return ended_; }
  // What is wrong with the body if nothing more comes.
  std::optional<Error> error() const {
    const Result<void> finished = parser_.finish();
    if (finished) return std::nullopt;
    return finished.error();
  }

 private:
  void take(MultipartParser::Event event) {
    using fuzz::require;
    const bool is_inside = !parts_.empty() && !parts_.back().ended;
    switch (event) {
      case MultipartParser::Event::need_more: break;
      case MultipartParser::Event::part_begin:
        require(!is_inside && !ended_, "a part begins after the end of the one before");
        parts_.push_back({parser_.part(), {}, false});
        break;
      case MultipartParser::Event::data:
        require(is_inside && !parser_.data().empty(), "data belong to a part, and are not empty");
        parts_.back().data += parser_.data();
        break;
      case MultipartParser::Event::part_end:
        require(is_inside, "only what began ends");
        parts_.back().ended = true;
        break;
      case MultipartParser::Event::end:
        require(!is_inside && !ended_, "the end comes once, and behind the parts");
        ended_ = true;
        break;
      case MultipartParser::Event::error:
        std::string_view more = "--b--";
        require(parser_.next(more) == event, "nothing follows an error");
        require(parser_.error().message == error()->message, "the error stays");
        break;
    }
  }

  MultipartParser parser_;
  std::vector<ReadPart> parts_;
  bool ended_ = false;
};

// A line an event, data joined.
inline std::vector<std::string> events_of(const MultipartReading& reading) {
  std::vector<std::string> events;
  for (const auto& [head, data, ended] : reading.parts()) {
    events.push_back(fmt::format("part name=[{}] filename=[{}] type=[{}]", head.name,
                                 head.filename.value_or("(none)"), head.content_type));
    if (!data.empty()) events.push_back("data " + data);
    if (ended) events.emplace_back("part_end");
  }
  if (reading.ended()) events.emplace_back("end");
  return events;
}

// The reason why the body is no good; empty if it is.
inline std::string error_of(const MultipartReading& reading) {
  const std::optional<Error> error = reading.error();
  return error ? error->message : std::string();
}

}  // namespace imgcached::http
