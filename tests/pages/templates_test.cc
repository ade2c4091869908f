#include "pages/templates.h"

#include <doctest/doctest.h>

#include <string>

namespace imgcached::pages {
namespace {

std::string render(const std::string& page, const View& view) {
  Result<Templates> templates = Templates::parse({{"layout", "<{{> content}}>"}, {"page", page}});
  REQUIRE(templates.ok());
  const http::Body html = templates->render("page", view);
  http::TextBuffer buffer;
  return std::string(html.piece(0, html.size(), buffer));
}

std::string refusal(const Templates::Files& files) {
  Result<Templates> templates = Templates::parse(files);
  REQUIRE_FALSE(templates.ok());
  return templates.error().message;
}

TEST_CASE("a page is set into the layout") { CHECK(render("Hello\n", View()) == "<Hello>"); }

TEST_CASE("every value is escaped, in text and in attributes") {
  View view;
  view.text("key", "<script>alert('1')</script>\"&");
  const std::string escaped = "&lt;script&gt;alert(&apos;1&apos;)&lt;/script&gt;&quot;&amp;";
  CHECK(render("<a href=\"{{key}}\">{{key}}</a>", view) ==
        "<<a href=\"" + escaped + "\">" + escaped + "</a>>");
}

TEST_CASE("a value that looks like a template stays what it is") {
  View view;
  view.text("key", "{{other}}{{> content}}").text("other", "secret");
  CHECK(render("{{key}}", view) == "<{{other}}{{&gt; content}}>");
}

TEST_CASE("control characters, which HTML forbids, are replaced") {
  View view;
  view.text("key", std::string("a\0b\x01\x7f\nc", 7));
  CHECK(render("{{key}}", view) == "<a\ufffdb\ufffd\ufffd\nc>");
}

TEST_CASE("bytes that are no UTF-8 are replaced, in the values of a list too") {
  View row;
  row.text("key", "\xff\xc3\xa4");
  View view;
  view.text("key", "a\xff\xfe\xc3<\xe2\x82").list("rows", {row});
  CHECK(render("{{key}} {{#rows}}{{key}}{{/rows}}", view) ==
        "<a\ufffd\ufffd\ufffd&lt;\ufffd\ufffd \ufffd\u00e4>");
}

TEST_CASE("an empty text leaves its section out, a missing one too") {
  View view;
  view.text("error", "");
  CHECK(render("{{#error}}bad: {{error}}{{/error}}{{^error}}good{{/error}}", view) == "<good>");
  CHECK(render("{{#error}}bad{{/error}}{{^error}}good{{/error}}", View()) == "<good>");
  View wrong;
  wrong.text("error", "0");
  CHECK(render("{{#error}}bad: {{error}}{{/error}}", wrong) == "<bad: 0>");
}

TEST_CASE("a list repeats its section") {
  View a;
  a.text("key", "a").flag("big", true);
  View b;
  b.text("key", "<b>").flag("big", false);
  View view;
  view.list("keys", {a, b}).number("count", 2);
  CHECK(render("{{count}}:{{#keys}}({{key}}{{#big}} big{{/big}}){{/keys}}", view) ==
        "<2:(a big)(&lt;b&gt;)>");
  View none;
  none.list("keys", {});
  CHECK(render("{{#keys}}x{{/keys}}{{^keys}}none{{/keys}}", none) == "<none>");
}

TEST_CASE("bytes are shown in base64, where the page says and nowhere else") {
  View view;
  // A text that holds what stands for the bytes inside of the renderer.
  view.text("key", "\x01").base64("content", Blob::copy_of("\xff\xfe"));
  CHECK(render("{{key}} {{content}} {{key}}", view) == "<\ufffd //4= \ufffd>");
  CHECK(render("{{key}}", view) == "<\ufffd>");
}

TEST_CASE("a piece is included where it is named") {
  Result<Templates> templates = Templates::parse(
      {{"layout", "[{{> content}}]"}, {"page", "{{> form}}!"}, {"_form", "({{key}})\n"}});
  REQUIRE(templates.ok());
  View view;
  view.text("key", "a");
  CHECK(templates->render("page", view).view() == "[(a)!]");
}

TEST_CASE("a mistake in a template is refused at start, by name") {
  CHECK(refusal({{"layout", "{{> content}}"}, {"page", "{{#open}}"}}).find("page.mustache") !=
        std::string::npos);
  CHECK(refusal({{"layout", "{{> content}}"}, {"page", "{{> absent}}"}}).find("_absent") !=
        std::string::npos);
  CHECK(refusal({{"layout", "{{> content}}"}, {"page", "{{> a}}"}, {"_a", "{{> a}}"}})
            .find("includes itself") != std::string::npos);
}

TEST_CASE("a template can't ask for a value unescaped") {
  for (const char* tag : {"{{{key}}}", "{{&key}}", "{{ & key}}", "{{ {key} }}"}) {
    CAPTURE(tag);
    CHECK(refusal({{"layout", "{{> content}}"}, {"page", tag}}).find("escaping") !=
          std::string::npos);
    CHECK(refusal({{"layout", "{{> content}}"}, {"page", "{{> piece}}"}, {"_piece", tag}})
              .find("escaping") != std::string::npos);
  }
}

}  // namespace
}  // namespace imgcached::pages
