#include "pages/keys_page.h"

#include "http/url.h"
#include "pages/api.h"
#include "pages/format.h"
#include "pages/image_page.h"
#include "pages/parameters.h"

namespace imgcached::pages {
namespace {

View row_of(const db::ImageSummary& image) {
  View row;
  row.text("key", image.key)
      .text("url", image_page_url(image.key))
      .text("content_type", image.content_type)
      .text("size", bytes_in_words(image.byte_size))
      .text("updated", utc_time(image.updated_at_ms));
  return row;
}

std::string page_url(std::string_view prefix, std::string_view after) {
  std::string url = "/keys_list";
  if (!prefix.empty()) url += "?prefix=" + http::percent_encode(prefix);
  if (!after.empty()) url += (prefix.empty() ? "?after=" : "&after=") + http::percent_encode(after);
  return url;
}

}  // namespace

void KeysPage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/keys_list", [this](http::Request& r) { return show(r); }});
  router.add({http::Method::post, "/keys_list", [this](http::Request& r) { return show(r); },
              parameters_bytes_max});
}

Task<http::Response> KeysPage::show(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  Result<ListParameters> parameters = parse_list_parameters(*form);
  if (!parameters) co_return renderer_.failure(parameters.error());
  const std::string prefix = parameters->prefix;
  const std::string after = parameters->after;
  Result<std::uint64_t> total = co_await store_.count();
  if (!total) co_return renderer_.failure(total.error());
  Result<images::Listing> listing = co_await store_.list(prefix, after, keys_per_page);
  if (!listing) co_return renderer_.failure(listing.error());

  std::vector<View> rows;
  for (const db::ImageSummary& image : listing->images) rows.push_back(row_of(image));
  View view;
  view.text("total", grouped(*total))
      .flag("is_single", *total == 1)
      .flag("is_empty_store", *total == 0)
      .text("prefix", prefix)
      .flag("has_keys", !rows.empty());
  view.list("keys", std::move(rows));
  if (!after.empty()) view.text("first_url", page_url(prefix, {}));
  if (listing->more) view.text("next_url", page_url(prefix, listing->images.back().key));
  co_return renderer_.page(200, "keys", "Keys", std::move(view));
}

}  // namespace imgcached::pages
