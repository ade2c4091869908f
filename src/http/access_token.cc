#include "http/access_token.h"

#include <algorithm>

#include "http/base64.h"
#include "http/white_space.h"
#include "net/file.h"

namespace imgcached::http {
namespace {

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~+/=").find(c) != std::string_view::npos;
}

// The time depends on the length of `given` alone.
bool equals_in_constant_time(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^
                  static_cast<unsigned>(static_cast<unsigned char>(secret[i % secret.size()]));
  }
  return difference == 0;
}

// The secret within the credentials; empty if there is none.
std::string secret_of(std::string_view credentials) {
  const std::size_t space = credentials.find(' ');
  if (space == credentials.npos) return {};
  const std::string_view scheme = credentials.substr(0, space);
  const std::string_view rest = trimmed(credentials.substr(space));
  if (equals_ignoring_case(scheme, "Bearer")) return std::string(rest);
  if (!equals_ignoring_case(scheme, "Basic")) return {};
  const Result<Blob> decoded = base64::decode(rest);
  if (!decoded) return {};
  const std::string_view pair = decoded->view();
  const std::size_t colon = pair.find(':');
  return colon == pair.npos ? std::string() : std::string(pair.substr(colon + 1));
}

}  // namespace

Result<AccessToken> AccessToken::parse(std::string_view text) {
  if (text.size() < length_min || !std::all_of(text.begin(), text.end(), is_token_character)) {
    return Error{Errc::invalid_argument,
                 "a token is a line of at least " + std::to_string(length_min) +
                     " letters, digits and -._~+/= (`openssl rand -hex 16` makes one)"};
  }
  return AccessToken(std::string(text));
}

Result<AccessToken> AccessToken::read(const std::string& path) {
  const Result<std::string> line = net::read_first_line(path);
  if (!line) return line.error();
  return parse(*line);
}

bool AccessToken::is_in(const Headers& headers) const {
  const auto credentials = headers.find("Authorization");
  if (!credentials || headers.count("Authorization") != 1) return false;
  return equals_in_constant_time(secret_of(*credentials), token_);
}

}  // namespace imgcached::http
