// What stands in a request line and in a form: percent escapes, the request
// target, and application/x-www-form-urlencoded fields (RFC 3986, RFC 9112,
// the WHATWG URL standard).
//
// Bytes are bytes here: whether decoded text is UTF-8 or makes a good key is
// decided by whoever gives it a meaning.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace imgcached::http {

// Replaces each %XX by its byte; `+` stays `+`, as it must in a path. A `%`
// without two hexadecimal digits is invalid_argument and says where it stands.
Result<std::string> percent_decode(std::string_view text);

// Escapes all but the unreserved characters of RFC 3986 (letters, digits and
// `-._~`), so that the result is one path segment, or one value of a query.
std::string percent_encode(std::string_view text);
// The same, but `/` stays as it is: for a key as the rest of a path.
std::string percent_encode_path(std::string_view text);

// A host and an optional port, still encoded, as a Host field has it.
struct Authority {
  std::string_view host;  // IPv6 in its brackets
  std::string_view port;  // digits; empty when there is none
};

// Nothing for what is no host with an optional port: empty, with a user, a path,
// a second host, or a byte that no host has.
std::optional<Authority> split_authority(std::string_view text);

// A request target, still encoded. Views into the text it was split from.
struct Target {
  std::string_view path;       // starts with `/`, or is `*`
  std::string_view query;      // without the `?`; empty when there is none
  std::string_view authority;  // of absolute-form; it counts before the Host field
};

// Understands origin-form (`/a?b`), absolute-form (`http://host/a?b`, sent to
// proxies) and `*`. Anything else is invalid_argument, a `#` too: a fragment is
// never sent, so the client forgot to write %23.
Result<Target> split_target(std::string_view target);

// `//api/x` as `/api/x`: repeated slashes at the start of a path count as one.
std::string_view collapse_leading_slashes(std::string_view path);

// The fields of a form or a query string, decoded, in the order they came.
class Form {
 public:
  using Field = std::pair<std::string, std::string>;  // name and value
  static constexpr std::size_t fields_max = 256;

  Form() = default;
  explicit Form(std::vector<Field> fields) : fields_(std::move(fields)) {}

  // The value of the first field of that name. Valid as long as the form.
  std::optional<std::string_view> find(std::string_view name) const;
  const std::vector<Field>& fields() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

// Reads `a=1&b=two+words&c`: `+` is a space, a field without `=` is empty, empty
// fields are skipped. A bad escape is invalid_argument and says where; more than
// Form::fields_max fields are too_large.
Result<Form> parse_form(std::string_view text);

// The `limit` of a listing: a whole number from 1, of which no more than `most`
// is taken; `otherwise` when it is empty. Error invalid_argument.
Result<std::size_t> parse_limit(std::string_view text, std::size_t otherwise, std::size_t most);

}  // namespace imgcached::http
