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

// The page of the same listing that begins behind `after`; the first without one.
std::string page_url(const ListParameters& listing, std::string_view after) {
  std::string url = "/keys_list";
  const auto add = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    url += url.find('?') == std::string::npos ? '?' : '&';
    url.append(name).append("=").append(http::percent_encode(value));
  };
  add("prefix", listing.prefix);
  add("after", after);
  if (listing.limit != KeysPage::keys_per_page) add("limit", std::to_string(listing.limit));
  return url;
}

}  // namespace

void KeysPage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/keys_list", [this](http::Request& r) { return show(r); }});
  router.add({http::Method::post, "/keys_list", [this](http::Request& r) { return show(r); },
              parameters_bytes_max, http::Route::Body::optional, http::Route::Effect::reading});
}

Task<http::Response> KeysPage::show(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  Result<ListParameters> parameters =
      parse_list_parameters(*form, keys_per_page, keys_per_page_max);
  if (!parameters) co_return renderer_.failure(parameters.error());
  const ListParameters& asked = *parameters;
  Result<std::uint64_t> total = co_await store_.count();
  if (!total) co_return renderer_.failure(total.error());
  Result<images::Listing> listing = co_await store_.list(asked.prefix, asked.after, asked.limit);
  if (!listing) co_return renderer_.failure(listing.error());

  std::vector<View> rows;
  for (const db::ImageSummary& image : listing->images) rows.push_back(row_of(image));
  View view;
  view.text("total", grouped(*total))
      .flag("is_single", *total == 1)
      .flag("is_empty_store", *total == 0)
      .text("prefix", asked.prefix)
      .flag("has_keys", !rows.empty());
  view.list("keys", std::move(rows));
  if (!asked.after.empty()) view.text("first_url", page_url(asked, {}));
  if (listing->more) view.text("next_url", page_url(asked, listing->images.back().key));
  co_return renderer_.page(200, "keys", "Keys", std::move(view));
}

}  // namespace imgcached::pages
