#include "pages/keys_page.h"

#include <doctest/doctest.h>

namespace imgcached::pages {
namespace {

Result<KeysQuery> parse(std::string_view text) {
  Result<http::Form> form = http::parse_form(text);
  REQUIRE(form.ok());
  return parse_keys_query(*form);
}

TEST_CASE("without fields, or with empty ones, the keys page is a table from the start") {
  for (const char* text : {"", "view=&prefix=&after=&before=&last=&limit=", "other=1"}) {
    CAPTURE(text);
    const Result<KeysQuery> query = parse(text);
    REQUIRE(query.ok());
    CHECK(query->view == KeysQuery::View::table);
    CHECK(query->limit == KeysPage::keys_per_table[0]);
    CHECK_FALSE(query->is_backwards());
    CHECK((query->prefix + query->after + query->before).empty());
  }
}

TEST_CASE("each field of the keys page means what it says") {
  const Result<KeysQuery> gallery = parse("view=gallery&prefix=a%20&after=b&limit=7");
  REQUIRE(gallery.ok());
  CHECK(gallery->view == KeysQuery::View::gallery);
  CHECK(gallery->prefix == "a ");
  CHECK(gallery->after == "b");
  CHECK(gallery->limit == 7);
  CHECK(parse("view=gallery")->limit == KeysPage::keys_per_gallery[0]);
  CHECK(parse("limit=9999")->limit == KeysPage::keys_per_page_max);
  CHECK(parse("before=b")->is_backwards());
  CHECK(parse("last=1")->is_backwards());
}

TEST_CASE("what makes no sense of the keys page is refused and named") {
  for (const auto& [text, named] :
       {std::pair("view=list", "`view`"), std::pair("limit=0", "limit"),
        std::pair("prefix=%ff", "`prefix`"), std::pair("before=%ff", "`before`"),
        std::pair("after=a&before=b", "only one"), std::pair("after=a&last=1", "only one")}) {
    CAPTURE(text);
    const Result<KeysQuery> query = parse(text);
    REQUIRE_FALSE(query.ok());
    CHECK(query.error().code == Errc::invalid_argument);
    CHECK(query.error().message.find(named) != std::string::npos);
  }
}

}  // namespace
}  // namespace imgcached::pages
