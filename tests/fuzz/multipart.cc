// Forms in multipart/form-data: the boundary of a Content-Type, the parser, and
// the upload form on top of it.
//
// The first line of an input is the Content-Type, the rest is the body.
#include <array>
#include <string>

#include "cache/key.h"
#include "http/multipart.h"
#include "pages/parameters.h"
#include "pages/upload_form.h"
#include "tests/fuzz/property.h"
#include "tests/http/multipart_reading.h"

namespace imgcached::fuzz {
namespace {

using http::MultipartReading;

void check_boundary(std::string_view boundary) {
  require(!boundary.empty() && boundary.size() <= 70 && !boundary.ends_with(' '),
          "a boundary has its length");
  for (const char c : boundary) require(c >= ' ' && c <= 'z', "a boundary is plain text");
  const auto again = http::boundary_of("multipart/form-data; boundary=\"" + std::string(boundary) +
                                       "\"; charset=utf-8");
  require(again && *again == boundary, "a quoted boundary is the same");
}

std::string quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': quoted += "%22"; break;
      case '\r': quoted += "%0D"; break;
      case '\n': quoted += "%0A"; break;
      case '\\': quoted += "\\\\"; break;
      default: quoted += c;
    }
  }
  return quoted + '"';
}

// Whether a client can say it: NUL is nowhere allowed, and what looks like one of
// a browser's three escapes is read as such.
bool can_be_quoted(std::string_view text) {
  for (const char* const escape : {"%22", "%0d", "%0D", "%0a", "%0A"}) {
    if (text.find(escape) != text.npos) return false;
  }
  return text.find('\0') == text.npos;
}

std::string written(const http::ReadPart& part, std::string_view boundary) {
  std::string text = "--" + std::string(boundary) + "\r\nContent-Disposition: form-data; name=";
  text += quoted(part.head.name);
  if (part.head.filename) text += "; filename=" + quoted(*part.head.filename);
  if (!part.head.content_type.empty()) text += "\r\nContent-Type: " + part.head.content_type;
  return text + "\r\n\r\n" + part.data + "\r\n";
}

// `parts` come back from a body that is made of them.
void check_round_trip(const std::vector<http::ReadPart>& parts, std::string_view boundary) {
  std::string body;
  for (const http::ReadPart& part : parts) {
    const http::MultipartParser::Part& head = part.head;
    if (!can_be_quoted(head.name) || !can_be_quoted(head.filename.value_or(""))) return;
    body += written(part, boundary);
  }
  body += "--" + std::string(boundary) + "--\r\n";
  for (const Pieces& pieces : {Pieces{body}, cut_at_random(body, 9)}) {
    MultipartReading reading(boundary);
    for (const std::string_view piece : pieces) reading.feed(piece);
    require(reading.ended() && !reading.error() && reading.parts().size() == parts.size(),
            "a form is read to its end");
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto& [head, data, ended] = reading.parts()[i];
      require(ended && head.name == parts[i].head.name && head.filename == parts[i].head.filename &&
                  head.content_type == parts[i].head.content_type && data == parts[i].data,
              "what was written is read");
    }
  }
}

void check_parts(const MultipartReading& reading, std::string_view boundary) {
  const std::string delimiter = "\r\n--" + std::string(boundary);
  require(reading.parts().size() <= http::MultipartParser::parts_max, "parts have their limit");
  for (const http::ReadPart& part : reading.parts()) {
    require(part.data.find(delimiter) == part.data.npos, "no part contains the delimiter");
    require(part.head.name.find('\0') == std::string::npos &&
                part.head.content_type.find_first_of(std::string_view("\0\r\n", 3)) ==
                    std::string::npos,
            "the headers of a part are lines");
  }
  require(reading.ended() == !reading.error(), "a body is complete or wrong");
  if (reading.ended()) check_round_trip(reading.parts(), boundary);
}

// What the upload form makes of the body, as text.
std::string read_upload(const Pieces& pieces, std::string_view boundary) {
  using Event = pages::UploadForm::Event;
  pages::UploadForm form(boundary);
  std::string file;
  auto event = Event::need_more;
  for (const std::string_view piece : pieces) {
    const ExactCopy copy(piece);
    std::string_view input = copy.text();
    do {
      event = form.next(input);
      if (event == Event::file_data) file += form.data();
    } while (event == Event::file_data);
    if (event != Event::need_more) break;
  }
  std::string text = "key " + form.key() + "\nfile " + file + "\n";
  if (event == Event::error) return text + form.error().message;
  if (event == Event::need_more) return text + form.finish().message;
  require(bool(cache::validate_key(form.key())), "an upload has a good key");
  return text;
}

void check_body(std::string_view body, std::string_view boundary) {
  MultipartReading whole(boundary);
  whole.feed(body);
  const std::string upload = read_upload({body}, boundary);
  for (const Pieces& pieces : cuts_of(body)) {
    MultipartReading reading(boundary);
    for (const std::string_view piece : pieces) reading.feed(piece);
    require(http::events_of(reading) == http::events_of(whole) &&
                http::error_of(reading) == http::error_of(whole),
            "the cuts change nothing");
    require(read_upload(pieces, boundary) == upload, "nor do they for an upload");
  }
  check_parts(whole, boundary);
}

// Any text is a file, if the boundary is none of its own.
void check_as_file(std::string_view text) {
  std::string boundary = "b";
  while (text.find("--" + boundary) != text.npos) boundary += 'b';
  check_round_trip({{{"key", std::nullopt, ""}, std::string(text.substr(text.size() / 2)), true},
                    {{"file", "x", "image/png"}, std::string(text), true}},
                   boundary);
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imgcached;
  std::string_view body = fuzz::text_of(data, size);
  const std::string_view content_type = fuzz::take_line(body);
  const Result<std::string> boundary = http::boundary_of(content_type);
  if (boundary) fuzz::check_boundary(*boundary);
  fuzz::check_body(body, boundary ? *boundary : "b");
  if (body.size() < 64) fuzz::check_as_file(body);
  (void)pages::parse_parameters(content_type, std::string(body));
  return 0;
}
