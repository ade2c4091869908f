#include "pages/templates.h"

#include <algorithm>
#include <cassert>
#include <kainjow/mustache.hpp>
#include <optional>

#include "http/json.h"
#include "net/file.h"

namespace imgcached::pages {
namespace {

namespace mustache = kainjow::mustache;

constexpr std::string_view suffix = ".mustache";
constexpr std::size_t template_bytes_max = 1 << 20;
constexpr int include_depth_max = 8;

// Stands for the bytes of View::base64() while Mustache is at work. No text can
// contain it, see presentable().
constexpr char blob_marker = '\x01';

// What a page can't hold becomes U+FFFD: control characters but white space, which
// HTML forbids, and bytes that are no UTF-8, as which pages are declared.
std::string presentable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    std::size_t length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    const std::string_view character = text.substr(0, length);
    const bool forbidden = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f ||
                           (byte >= 0x80 && !http::is_utf8(character));
    if (forbidden) {
      length = 1;
      out += "\ufffd";
    } else {
      out += character;
    }
    text.remove_prefix(std::min(length, text.size()));
  }
  return out;
}

Error bad_template(std::string_view name, std::string_view reason) {
  return {Errc::invalid_argument,
          "template " + std::string(name) + std::string(suffix) + ": " + std::string(reason)};
}

// Puts the included files in the place of their tags. `content` is what
// `{{> content}}` stands for.
Result<std::string> expand(const Templates::Files& files, std::string_view name,
                           std::string_view content, int depth) {
  if (depth > include_depth_max) return bad_template(name, "it includes itself");
  const auto file = files.find(name);
  if (file == files.end()) return bad_template(name, "it is included but does not exist");
  std::string_view text = file->second;
  std::string out;
  while (true) {
    const std::size_t begin = text.find("{{>");
    out += text.substr(0, begin);
    if (begin == std::string_view::npos) return out;
    const std::size_t end = text.find("}}", begin);
    if (end == std::string_view::npos) return bad_template(name, "a {{> tag is not closed");
    const std::string included =
        mustache::trim(std::string(text.substr(begin + 3, end - begin - 3)));
    const std::string target = included == "content" ? std::string(content) : "_" + included;
    Result<std::string> part = expand(files, target, content, depth + 1);
    if (!part) return part;
    // The newline that ends a file is not part of what it says.
    if (part->ends_with('\n')) part->pop_back();
    out += *part;
    text.remove_prefix(end + 2);
  }
}

bool has_unescaped_tag(std::string_view text) {
  for (std::size_t at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", at)) {
    at = text.find_first_not_of(' ', at + 2);
    if (at == std::string_view::npos) return false;
    if (text[at] == '{' || text[at] == '&') return true;
  }
  return false;
}

}  // namespace

View& View::add(std::string name, Value value) {
  values_.emplace_back(std::move(name), std::move(value));
  return *this;
}

struct Templates::Page {
  explicit Page(const std::string& text) : parsed(text) {}
  mustache::mustache parsed;
};

// Turns a View into what Mustache wants, and keeps the bytes apart.
struct Templates::Values {
  std::optional<Blob> blob;

  mustache::data object(const View& view) {
    mustache::data data;
    for (const auto& [name, value] : view.values_) data.set(name, of(value));
    return data;
  }
  mustache::data of(const View::Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      if (text->empty()) return mustache::data(false);
      return mustache::data(presentable(*text));
    }
    if (const auto* flag = std::get_if<bool>(&value)) return mustache::data(*flag);
    if (const auto* items = std::get_if<std::vector<View>>(&value)) {
      mustache::data list(mustache::data::type::list);
      for (const View& item : *items) list.push_back(object(item));
      return list;
    }
    assert(!blob);
    blob = std::get<Blob>(value);
    return mustache::data(std::string(1, blob_marker));
  }
};

Templates::Templates() = default;
Templates::Templates(Templates&&) noexcept = default;
Templates::~Templates() = default;

Result<Templates> Templates::load(const std::string& directory) {
  Result<std::vector<std::string>> names = net::list_directory(directory);
  if (!names) return std::move(names).error();
  Files files;
  for (const std::string& name : *names) {
    if (!name.ends_with(suffix)) continue;
    Result<Blob> text = net::read_file(directory + "/" + name, template_bytes_max);
    if (!text) return std::move(text).error();
    files.emplace(name.substr(0, name.size() - suffix.size()), text->view());
  }
  if (!files.contains("layout")) {
    return Error{Errc::not_found, "there is no layout.mustache in " + directory};
  }
  return parse(files);
}

Result<Templates> Templates::parse(const Files& files) {
  Templates templates;
  for (const auto& [name, text] : files) {
    if (name == "layout" || name.starts_with('_')) continue;
    Result<std::string> whole = expand(files, "layout", name, 0);
    if (!whole) return std::move(whole).error();
    if (has_unescaped_tag(*whole)) {
      return bad_template(name, "it has a tag without escaping, {{{ or {{&, which is not allowed");
    }
    auto page = std::make_unique<Page>(*whole);
    if (!page->parsed.is_valid()) return bad_template(name, page->parsed.error_message());
    templates.pages_.emplace(name, std::move(page));
  }
  return templates;
}

http::Body Templates::render(std::string_view page, const View& view) const {
  const auto found = pages_.find(page);
  assert(found != pages_.end());
  Values values;
  const mustache::data data = values.object(view);
  std::string html = found->second->parsed.render(data);
  const std::size_t marker = html.find(blob_marker);
  if (marker == std::string::npos) return html;
  std::string after = html.substr(marker + 1);
  assert(after.find(blob_marker) == std::string::npos);
  html.resize(marker);
  return http::Base64Body{std::move(html), std::move(*values.blob), std::move(after)};
}

}  // namespace imgcached::pages
