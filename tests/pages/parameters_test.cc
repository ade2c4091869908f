#include "pages/parameters.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "pages/api.h"

namespace imgcached::pages {
namespace {

constexpr std::string_view form_type = "application/x-www-form-urlencoded";

std::string field(std::string_view content_type, const std::string& body, std::string_view name) {
  Result<http::Form> form = parse_parameters(content_type, body);
  REQUIRE(form.ok());
  return value_of(*form, name);
}

TEST_CASE("parameters come as a form, as multipart or as JSON") {
  CHECK(field(form_type, "prefix=a+b%2F", "prefix") == "a b/");
  CHECK(field("", "prefix=a", "prefix") == "a");
  CHECK(field("application/json", R"({"prefix":"a\u00e9"})", "prefix") == "a\u00e9");
  CHECK(field("multipart/form-data; boundary=b",
              "--b\r\nContent-Disposition: form-data; name=\"prefix\"\r\n\r\na&b\r\n--b--",
              "prefix") == "a&b");
}

TEST_CASE("curl -d '{...}' is JSON though it is called a form") {
  CHECK(field(form_type, R"(  {"prefix":"a","limit":5})", "prefix") == "a");
  CHECK(field(form_type, R"({"prefix":"a","limit":5})", "limit") == "5");
}

TEST_CASE("an empty body has no parameters, whatever its type") {
  for (const std::string_view type :
       {form_type, std::string_view("application/json"), std::string_view("multipart/form-data"),
        std::string_view()}) {
    CAPTURE(type);
    Result<http::Form> form = parse_parameters(type, " \r\n");
    REQUIRE(form.ok());
    CHECK(form->fields().empty());
  }
}

TEST_CASE("malformed parameters are the client's fault") {
  CHECK_FALSE(parse_parameters(form_type, "{\"a\":").ok());
  CHECK_FALSE(parse_parameters("application/json", "prefix=a").ok());
  CHECK_FALSE(parse_parameters(form_type, "a=%zz").ok());
  CHECK_FALSE(parse_parameters("multipart/form-data; boundary=b", "--b\r\n").ok());
  CHECK_FALSE(parse_parameters("multipart/form-data", "--b\r\n").ok());
}

ListParameters list_of(const std::string& query) {
  Result<ListParameters> parameters = parse_list_parameters(*http::parse_form(query));
  REQUIRE(parameters.ok());
  return *parameters;
}

TEST_CASE("a list of keys is unlimited, but for the hard bound, unless it is limited") {
  CHECK(list_of("").limit == ListParameters::keys_max);
  CHECK(list_of("limit=").limit == ListParameters::keys_max);
  CHECK(list_of("limit=1").limit == 1);
  CHECK(list_of("limit=1000001").limit == ListParameters::keys_max);
  CHECK(list_of("limit=99999999999999999999999").limit == ListParameters::keys_max);
  CHECK(list_of("prefix=a%20b&after=c&limit=7").prefix == "a b");
  CHECK(list_of("prefix=a%20b&after=c&limit=7").after == "c");
}

TEST_CASE("a limit is a whole number of at least 1") {
  for (const char* limit : {"0", "-1", "+1", "1.5", "1e3", "abc", "1 ", "0x10"}) {
    CAPTURE(limit);
    const http::Form form(std::vector<http::Form::Field>{{"limit", limit}});
    Result<ListParameters> parameters = parse_list_parameters(form);
    REQUIRE_FALSE(parameters.ok());
    CHECK(parameters.error().code == Errc::invalid_argument);
    CHECK(parameters.error().message.find("limit") != std::string::npos);
  }
}

TEST_CASE("a prefix that is no UTF-8 is refused") {
  CHECK_FALSE(
      parse_list_parameters(http::Form(std::vector<http::Form::Field>{{"prefix", "\xff"}})).ok());
  CHECK_FALSE(
      parse_list_parameters(http::Form(std::vector<http::Form::Field>{{"after", "\xc3"}})).ok());
}

}  // namespace
}  // namespace imgcached::pages
