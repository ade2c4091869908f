#include "http/multipart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "http/message.h"
#include "http/white_space.h"

namespace imgcached::http {
namespace {

constexpr std::string_view end_of_headers = "\r\n\r\n";

Error malformed(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// Takes the part of a header value before the first `;` off its front.
std::string_view take_value(std::string_view& rest) {
  const auto end = std::min(rest.find(';'), rest.size());
  const std::string_view value = trimmed(rest.substr(0, end));
  rest.remove_prefix(end);
  return value;
}

// Takes a quoted string off the front of `rest`, and undoes what clients do to
// quotes in names. Browsers write `"`, CR and LF as %22, %0D and %0A (the WHATWG
// HTML standard, "multipart/form-data encoding algorithm") and leave all else as
// it is, backslashes too; older clients put a backslash before a quote or a
// backslash. So a backslash before anything else is itself, and so is a percent
// sign. Nothing if the closing quote is missing.
std::optional<std::string> take_quoted(std::string_view& rest) {
  std::string text;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    const std::string_view here = rest.substr(i);
    if (here.front() == '"') {
      rest.remove_prefix(i + 1);
      return text;
    }
    if (here.starts_with("\\\"") || here.starts_with("\\\\")) {
      text += here[1];
      i += 1;
    } else if (here.starts_with("%22")) {
      text += '"';
      i += 2;
    } else if (equals_ignoring_case(here.substr(0, 3), "%0d")) {
      text += '\r';
      i += 2;
    } else if (equals_ignoring_case(here.substr(0, 3), "%0a")) {
      text += '\n';
      i += 2;
    } else {
      text += here.front();
    }
  }
  return std::nullopt;
}

// Takes `; name=value` off the front of `rest`; the name is empty when there is
// none left.
Result<std::pair<std::string_view, std::string>> take_parameter(std::string_view& rest) {
  using Parameter = std::pair<std::string_view, std::string>;
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t;"), rest.size()));
  if (rest.empty()) return Parameter{};
  const auto equals = rest.find_first_of("=;");
  if (equals == rest.npos || rest[equals] == ';' || equals == 0) {
    return malformed("a parameter without a name and a value");
  }
  const std::string_view name = trimmed(rest.substr(0, equals));
  rest.remove_prefix(equals + 1);
  rest = trimmed_front(rest);
  if (!rest.starts_with('"')) return Parameter{name, std::string(take_value(rest))};
  auto value = take_quoted(rest);
  if (!value) return malformed("a quoted value without its closing quote");
  if (!take_value(rest).empty()) return malformed("text between a quoted value and the next ';'");
  return Parameter{name, *std::move(value)};
}

// Reads the value of a Content-Disposition header into `part`.
Result<void> read_disposition(std::string_view value, MultipartParser::Part& part) {
  if (!equals_ignoring_case(take_value(value), "form-data")) {
    return malformed("Content-Disposition is not form-data");
  }
  std::optional<std::string> name;
  while (true) {
    auto parameter = take_parameter(value);
    if (!parameter) {
      return malformed("Content-Disposition has " + std::move(parameter).error().message);
    }
    auto& [key, text] = *parameter;
    if (key.empty()) break;
    if (equals_ignoring_case(key, "name")) {
      name = std::move(text);
    } else if (equals_ignoring_case(key, "filename")) {
      part.filename = std::move(text);
    }
  }
  if (!name) return malformed("Content-Disposition has no name");
  part.name = *std::move(name);
  return {};
}

// Reads header lines, each ended by CRLF.
Result<MultipartParser::Part> read_headers(std::string_view lines) {
  MultipartParser::Part part;
  bool has_disposition = false;
  while (!lines.empty()) {
    const auto end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    const auto colon = line.find(':');
    if (colon == line.npos || colon == 0) return malformed("a header line is not 'Name: value'");
    const std::string_view name = line.substr(0, colon);
    if (std::any_of(line.begin(), line.end(),
                    [](char c) { return c == '\r' || c == '\n' || c == '\0'; })) {
      return malformed("a header line contains a control character");
    }
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (equals_ignoring_case(name, "content-disposition")) {
      auto read = read_disposition(value, part);
      if (!read) return std::move(read).error();
      has_disposition = true;
    } else if (equals_ignoring_case(name, "content-type")) {
      part.content_type = value;
    } else if (equals_ignoring_case(name, "content-transfer-encoding")) {
      // RFC 7578, 4.7: deprecated. To ignore an encoding would store garbage.
      if (!equals_ignoring_case(value, "binary") && !equals_ignoring_case(value, "8bit") &&
          !equals_ignoring_case(value, "7bit")) {
        return malformed(
            "its Content-Transfer-Encoding is not supported: send the bytes as they are");
      }
    }
  }
  if (!has_disposition) return malformed("it has no Content-Disposition header");
  return part;
}

}  // namespace

Result<std::string> boundary_of(std::string_view content_type) {
  if (!equals_ignoring_case(take_value(content_type), "multipart/form-data")) {
    return malformed("the Content-Type must be multipart/form-data");
  }
  while (true) {
    auto parameter = take_parameter(content_type);
    if (!parameter) {
      return malformed("the Content-Type has " + std::move(parameter).error().message);
    }
    auto& [name, boundary] = *parameter;
    if (name.empty()) return malformed("the Content-Type multipart/form-data has no boundary");
    if (!equals_ignoring_case(name, "boundary")) continue;
    const bool legal = std::all_of(boundary.begin(), boundary.end(), [](char c) {
      return is_alphanumeric(c) ||
             std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
    });
    if (boundary.empty() || boundary.size() > 70 || !legal || boundary.ends_with(' ')) {
      return malformed(
          "the boundary in the Content-Type must be 1 to 70 letters, digits and '()+_,-./:=?");
    }
    return std::move(boundary);
  }
}

MultipartParser::MultipartParser(std::string_view boundary)
    : delimiter_("\r\n--" + std::string(boundary)) {
  assert(!boundary.empty() && boundary.find('\r') == boundary.npos);
}

MultipartParser::Event MultipartParser::next(std::string_view& input) {
  data_ = {};
  while (true) {
    std::optional<Event> event;
    switch (state_) {
      case State::preamble:
      case State::data: {
        const bool in_part = state_ == State::data;
        if (scan(input) == Scan::delimiter) {
          state_ = State::after_delimiter;
          if (in_part) return Event::part_end;
        } else if (data_.empty()) {
          return Event::need_more;
        } else if (in_part) {
          return Event::data;
        }
        continue;
      }
      case State::after_delimiter: event = end_delimiter_line(input); break;
      case State::headers: event = collect_headers(input); break;
      case State::epilogue: input = {}; break;
      case State::failed: return Event::error;
    }
    if (event) return *event;
    if (input.empty()) return Event::need_more;
  }
}

// Moves on to the next delimiter. Either takes that off the input; or takes off
// what is no part of one, as data_; or uses the input up with data_ empty.
MultipartParser::Scan MultipartParser::scan(std::string_view& input) {
  data_ = {};
  if (delimiter_matched_ > 0) {
    const std::string_view missing = std::string_view(delimiter_).substr(delimiter_matched_);
    const std::size_t limit = std::min(missing.size(), input.size());
    if (input.substr(0, limit) != missing.substr(0, limit)) {
      data_ = std::string_view(delimiter_).substr(0, std::exchange(delimiter_matched_, 0));
      return Scan::no_delimiter;
    }
    input.remove_prefix(limit);
    delimiter_matched_ += limit;
    if (limit < missing.size()) return Scan::no_delimiter;
    delimiter_matched_ = 0;
    return Scan::delimiter;
  }

  if (input.empty()) return Scan::no_delimiter;
  const void* found = memmem(input.data(), input.size(), delimiter_.data(), delimiter_.size());
  std::size_t data_size = input.size();
  if (found != nullptr) {
    data_size = static_cast<std::size_t>(static_cast<const char*>(found) - input.data());
    if (data_size == 0) {
      input.remove_prefix(delimiter_.size());
      return Scan::delimiter;
    }
  } else {
    // A delimiter that the end of the input cuts off starts at the last CR.
    const auto tail_at = input.size() - std::min(input.size(), delimiter_.size() - 1);
    const auto cr = input.substr(tail_at).rfind('\r');
    if (cr != input.npos && delimiter_.starts_with(input.substr(tail_at + cr))) {
      data_size = tail_at + cr;
      delimiter_matched_ = input.size() - data_size;
    }
  }
  data_ = input.substr(0, data_size);
  input.remove_prefix(data_size + delimiter_matched_);
  return Scan::no_delimiter;
}

std::optional<MultipartParser::Event> MultipartParser::end_delimiter_line(std::string_view& input) {
  while (!input.empty() && line_end_.size() < 2) {
    // RFC 2046 lets a relay pad the line with white space.
    if (line_end_.empty()) input = trimmed_front(input);
    if (input.empty()) break;
    line_end_ += input.front();
    input.remove_prefix(1);
    if (!std::string_view("\r\n").starts_with(line_end_) &&
        !std::string_view("--").starts_with(line_end_)) {
      return fail(Errc::invalid_argument,
                  fmt::format("the boundary {} part {} is followed by neither CRLF nor two hyphens",
                              parts_ == 0 ? "before" : "after", std::max<std::size_t>(parts_, 1)));
    }
  }
  if (line_end_.size() < 2) return std::nullopt;
  const bool last = std::exchange(line_end_, {}) == "--";
  if (last) {
    state_ = State::epilogue;
    return Event::end;
  }
  if (parts_ == parts_max) {
    return fail(Errc::too_large, fmt::format("the body has more than {} parts", parts_max));
  }
  ++parts_;
  header_block_ = "\r\n";
  state_ = State::headers;
  return std::nullopt;
}

std::optional<MultipartParser::Event> MultipartParser::collect_headers(std::string_view& input) {
  const std::size_t before = header_block_.size();
  header_block_ += input.substr(0, part_header_bytes_max - before);
  const auto end = header_block_.find(end_of_headers, before - std::min<std::size_t>(before, 3));
  if (end == header_block_.npos) {
    if (header_block_.size() == part_header_bytes_max) {
      return fail(Errc::too_large, fmt::format("the headers of part {} are longer than {} bytes",
                                               parts_, part_header_bytes_max));
    }
    input = {};
    return std::nullopt;
  }
  input.remove_prefix(end + end_of_headers.size() - before);
  const std::string_view lines = std::string_view(header_block_).substr(2, end);
  auto part = read_headers(lines);
  if (!part) {
    return fail(Errc::invalid_argument, fmt::format("part {}: {}", parts_, part.error().message));
  }
  part_ = *std::move(part);
  state_ = State::data;
  return Event::part_begin;
}

MultipartParser::Event MultipartParser::fail(Errc code, std::string message) {
  error_ = Error{code, "broken multipart body: " + std::move(message)};
  state_ = State::failed;
  return Event::error;
}

Result<void> MultipartParser::finish() const {
  switch (state_) {
    case State::epilogue: return {};
    case State::failed: return *error_;
    case State::preamble:
      return malformed(
          "broken multipart body: the boundary of the Content-Type does not occur in it");
    default:
      return malformed("broken multipart body: it was cut off, the closing boundary is missing");
  }
}

}  // namespace imgcached::http
