#include "http/access_token.h"

#include <doctest/doctest.h>

#include <string>

#include "http/base64.h"

namespace imgcached::http {
namespace {

constexpr const char* secret = "0123456789abcdef-._~+/=";

bool admits(const std::string& credentials) {
  Headers headers;
  headers.add_parsed("authorization", credentials);
  return AccessToken::parse(secret)->is_in(headers);
}

std::string basic(const std::string& pair) { return "Basic " + base64::encode(pair); }

TEST_CASE("a token is long, and of characters that both schemes can carry") {
  CHECK(AccessToken::parse(secret).ok());
  CHECK(AccessToken::parse("0123456789abcdef").ok());
  for (const char* bad : {"", "0123456789abcde", "0123456789 abcdef", "0123456789abcdef\r",
                          "0123456789abcdef:", "0123456789abcd\xc3\xa9", "\"0123456789abcdef\""}) {
    CAPTURE(bad);
    const Result<AccessToken> token = AccessToken::parse(bad);
    REQUIRE_FALSE(token.ok());
    CHECK(token.error().code == Errc::invalid_argument);
    CHECK(token.error().message.find(secret) == std::string::npos);
  }
}

TEST_CASE("a request says the token as a bearer or as the password of anybody") {
  const std::string token = secret;
  CHECK(admits("Bearer " + token));
  CHECK(admits("bearer  " + token + " "));
  CHECK(admits(AccessToken::parse(token)->authorization()));
  for (const char* user : {"", "admin", "J\xc3\xbcrgen"})
    CHECK(admits(basic(user + (":" + token))));
}

TEST_CASE("whatever else a request says is not the token") {
  const std::string token = secret;
  for (const std::string& other : {std::string(),
                                   std::string("Bearer"),
                                   std::string("Bearer "),
                                   token,
                                   "Bearer" + token,
                                   "Bearer " + token + token,
                                   "Bearer " + token.substr(1),
                                   "Bearer " + token.substr(0, 16),
                                   "Bearer x" + token,
                                   "Bearer " + token + "=",
                                   "Token " + token,
                                   "Bearer\t" + token,
                                   basic(token),
                                   basic(token + ":"),
                                   basic("a:b:" + token),
                                   basic(":" + token + "x"),
                                   std::string("Basic ") + token,
                                   std::string("Basic !"),
                                   std::string("Basic "),
                                   "Bearer " + base64::encode(":" + token)}) {
    CAPTURE(other);
    CHECK_FALSE(admits(other));
  }
  std::string changed = token;
  for (char& byte : changed) {
    byte ^= 1;
    CHECK_FALSE(admits("Bearer " + changed));
    byte ^= 1;
  }
}

TEST_CASE("a request that says two things says nothing") {
  Headers headers;
  const AccessToken token = *AccessToken::parse(secret);
  CHECK_FALSE(token.is_in(headers));
  headers.add("Authorization", token.authorization());
  CHECK(token.is_in(headers));
  headers.add("Authorization", token.authorization());
  CHECK_FALSE(token.is_in(headers));
}

}  // namespace
}  // namespace imgcached::http
