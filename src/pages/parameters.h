// The parameters of a request, however the client chose to send them.
//
// GET has them in the query string. POST has them in the body, whose format
// tells itself: multipart by its Content-Type; else JSON if it begins with a
// brace (`curl -d '{...}'` calls that a form); else a urlencoded form. The
// query string of a POST means nothing: scripts leave things there.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "http/router.h"
#include "http/url.h"

namespace imgcached::pages {

// What a body with parameters may have; small, for it holds no file.
inline constexpr std::uint64_t parameters_bytes_max = 64 * 1024;

// An empty body has no parameters. What is malformed is invalid_argument that
// says where.
Result<http::Form> parse_parameters(std::string_view content_type, std::string body);

// Errors also those of BodyReader.
Task<Result<http::Form>> read_parameters(http::Request& request);

// The value of a field as a text of its own; empty when there is none.
std::string value_of(const http::Form& form, std::string_view name);

// `text` without white space at its ends. Line ends count as such, other than
// between the words of a header (http/white_space.h): a field is what a person
// typed, or what `curl -d @file` read.
std::string_view trimmed(std::string_view text);

}  // namespace imgcached::pages
