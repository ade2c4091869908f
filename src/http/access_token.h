// AccessToken: the one secret that a service may ask for.
//
// A client sends it as `Authorization: Bearer <token>` (RFC 6750), or as the
// password in HTTP Basic (RFC 7617), whatever the name, which is what browsers can.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace imgcached::http {

class AccessToken {
 public:
  // Shorter ones can be guessed.
  static constexpr std::size_t length_min = 16;

  // Errors: invalid_argument, when it is short, or has other characters than those
  // that either scheme can carry: letters, digits and -._~+/=
  static Result<AccessToken> parse(std::string_view text);
  // The one that is the first line of a file. Errors: invalid_argument. Blocks.
  static Result<AccessToken> read(const std::string& path);

  // Whether the request says it. Takes as long for a wrong one as for the right one,
  // whatever they have in common.
  bool is_in(const Headers& headers) const;

  // The value of the Authorization field that says it.
  std::string authorization() const { return "Bearer " + token_; }

 private:
  explicit AccessToken(std::string token) : token_(std::move(token)) {}

  std::string token_;
};

}  // namespace imgcached::http
