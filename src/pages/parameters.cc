#include "pages/parameters.h"

#include "http/json.h"
#include "http/message.h"
#include "http/multipart.h"

namespace imgcached::pages {
namespace {

constexpr std::string_view white_space = " \t\r\n";

Result<http::Form> parse_multipart(std::string_view content_type, std::string_view body) {
  Result<std::string> boundary = http::boundary_of(content_type);
  if (!boundary) return std::move(boundary).error();
  using Event = http::MultipartParser::Event;
  http::MultipartParser parser(*boundary);
  std::vector<http::Form::Field> fields;
  while (true) {
    switch (parser.next(body)) {
      case Event::part_begin: fields.emplace_back(parser.part().name, std::string()); break;
      case Event::data: fields.back().second += parser.data(); break;
      case Event::part_end: break;
      case Event::error: return parser.error();
      case Event::end: return http::Form(std::move(fields));
      case Event::need_more: {
        Result<void> complete = parser.finish();
        if (!complete) return std::move(complete).error();
        return http::Form(std::move(fields));
      }
    }
  }
}

Result<http::Form> parse_json(std::string body) {
  Result<http::JsonObject> object = http::JsonObject::parse(std::move(body));
  if (!object) return std::move(object).error();
  std::vector<http::Form::Field> fields;
  for (const http::JsonObject::Member& member : object->members()) {
    fields.emplace_back(member.name, member.text);
  }
  return http::Form(std::move(fields));
}

bool is_type(std::string_view content_type, std::string_view type) {
  return http::equals_ignoring_case(content_type.substr(0, type.size()), type);
}

}  // namespace

Result<http::Form> parse_parameters(std::string_view content_type, std::string body) {
  const std::size_t first = body.find_first_not_of(white_space);
  if (first == std::string::npos) return http::Form();
  if (is_type(content_type, "multipart/")) return parse_multipart(content_type, body);
  if (body[first] == '{' || is_type(content_type, "application/json")) {
    return parse_json(std::move(body));
  }
  return http::parse_form(body);
}

Task<Result<http::Form>> read_parameters(http::Request& request) {
  if (request.head.method != http::Method::post) co_return http::parse_form(request.query);
  Result<std::string> body = co_await request.body->read_text();
  if (!body) co_return std::move(body).error();
  const auto content_type = request.head.headers.find("Content-Type");
  co_return parse_parameters(content_type.value_or(std::string_view()), std::move(*body));
}

std::string value_of(const http::Form& form, std::string_view name) {
  return std::string(form.find(name).value_or(std::string_view()));
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(white_space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white_space) - first + 1);
}

}  // namespace imgcached::pages
