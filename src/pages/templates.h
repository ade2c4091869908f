// Templates: the HTML of the pages, Mustache files in www/templates.
//
//   layout.mustache   what all pages share; `{{> content}}` is where a page goes
//   _NAME.mustache    a piece that others include as `{{> NAME}}`
//   NAME.mustache     a page
//
// Files are read, put together and parsed once, at start, so that a mistake in
// one keeps the program from starting and rendering parses nothing.
//
// Every value is HTML-escaped. A template that asks for a value unescaped is
// refused at start; hence no key, file name or message can become markup, as
// long as templates quote their attributes.
#pragma once

#include <concepts>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/blob.h"
#include "base/result.h"
#include "http/message.h"

namespace imgcached::pages {

// The values of a page by name. A template asks for `{{name}}`, or repeats or
// leaves out a section `{{#name}}...{{/name}}`; a name that an item of a list
// does not have is looked up outside of the list.
class View {
 public:
  // An empty text leaves its section out.
  View& text(std::string name, std::string value) { return add(std::move(name), std::move(value)); }
  View& number(const std::string& name, std::integral auto value) {
    return add(name, std::to_string(value));
  }
  View& flag(std::string name, bool value) { return add(std::move(name), value); }
  View& list(std::string name, std::vector<View> items) {
    return add(std::move(name), std::move(items));
  }
  // Bytes that the page shows in base64, encoded while it is sent. REQUIRES: a view
  // has one of these at most, and a page shows it once.
  View& base64(std::string name, Blob bytes) { return add(std::move(name), std::move(bytes)); }

 private:
  friend class Templates;
  using Value = std::variant<std::string, bool, std::vector<View>, Blob>;

  View& add(std::string name, Value value);

  std::vector<std::pair<std::string, Value>> values_;
};

class Templates {
 public:
  using Files = std::map<std::string, std::string, std::less<>>;  // name without suffix -> text

  // Blocks: for start-up. Errors name the file.
  static Result<Templates> load(const std::string& directory);
  // The same with files that are in memory. REQUIRES: a layout is among them.
  static Result<Templates> parse(const Files& files);

  Templates(Templates&&) noexcept;
  ~Templates();

  // REQUIRES: there is such a page.
  http::Body render(std::string_view page, const View& view) const;

 private:
  struct Page;
  struct Values;
  Templates();

  std::map<std::string, std::unique_ptr<Page>, std::less<>> pages_;
};

}  // namespace imgcached::pages
