#include "pages/keys_page.h"

#include <algorithm>
#include <span>
#include <unordered_set>

#include "base/clock.h"
#include "cache/key.h"
#include "http/json.h"
#include "pages/format.h"
#include "pages/image_summary.h"
#include "pages/parameters.h"
#include "pages/raw_images.h"

namespace imgcached::pages {
namespace {

// What a form with every key of a page selected may have: each byte escaped.
constexpr std::uint64_t selection_bytes_max =
    KeysPage::keys_per_page_max * (cache::key_bytes_max * 3 + 8) + parameters_bytes_max;

// Where a browser shows nothing, or too much would be sent, there is no picture.
bool has_picture(const db::ImageSummary& image) {
  return image.content_type != "image/tiff" && image.byte_size <= KeysPage::picture_bytes_max;
}

std::span<const std::size_t> limits_of(KeysQuery::View view) {
  if (view == KeysQuery::View::gallery) return KeysPage::keys_per_gallery;
  return KeysPage::keys_per_table;
}

std::size_t default_limit(KeysQuery::View view) { return limits_of(view).front(); }

// Of the page that the query asks for; what goes without saying is left out.
std::string url_of(const KeysQuery& query) {
  std::string url = "/keys_list";
  const auto add = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    url += url.find('?') == std::string::npos ? '?' : '&';
    url.append(name).append("=").append(http::percent_encode(value));
  };
  if (query.view == KeysQuery::View::gallery) add("view", "gallery");
  add("prefix", query.prefix);
  add("after", query.after);
  add("before", query.before);
  if (query.last) add("last", "1");
  if (query.limit != default_limit(query.view)) add("limit", std::to_string(query.limit));
  return url;
}

// The page of the same keys, from the start, in other respects.
KeysQuery from_start(KeysQuery query) {
  query.after.clear();
  query.before.clear();
  query.last = false;
  return query;
}

std::string first_url(const KeysQuery& query) { return url_of(from_start(query)); }

std::string last_url(const KeysQuery& query) {
  KeysQuery other = from_start(query);
  other.last = true;
  return url_of(other);
}

std::string next_url(const KeysQuery& query, const std::string& last_key) {
  KeysQuery other = from_start(query);
  other.after = last_key;
  return url_of(other);
}

std::string previous_url(const KeysQuery& query, const std::string& first_key) {
  KeysQuery other = from_start(query);
  other.before = first_key;
  return url_of(other);
}

// From the same place on: a key of the page is on the other one, too.
std::string other_view_url(KeysQuery query, KeysQuery::View view) {
  query.view = view;
  query.limit = default_limit(view);
  return url_of(query);
}

// More or fewer keys on the page, from the same place on.
std::vector<View> limits_with(const KeysQuery& query) {
  std::vector<View> limits;
  for (const std::size_t limit : limits_of(query.view)) {
    KeysQuery other = query;
    other.limit = limit;
    View item;
    item.number("count", limit)
        .text("limit_url", url_of(other))
        .flag("current", limit == query.limit);
    limits.push_back(std::move(item));
  }
  return limits;
}

// `images` are all that are stored; where a page has room for them nobody need choose how
// many.
void add_paging(View& view, const KeysQuery& query, const images::Listing& listing,
                std::uint64_t images) {
  const bool is_at_start = query.is_backwards() ? !listing.more : query.after.empty();
  const bool is_at_end = query.is_backwards() ? query.before.empty() : !listing.more;
  const bool has_pages = !is_at_start || !is_at_end;
  view.flag("has_pages", has_pages)
      .flag("has_limits", has_pages || images > default_limit(query.view))
      .list("limits", limits_with(query));
  if (!is_at_start) view.text("first_url", first_url(query));
  if (!is_at_end) view.text("last_url", last_url(query));
  if (listing.images.empty()) return;
  if (!is_at_start) view.text("previous_url", previous_url(query, listing.images.front().key));
  if (!is_at_end) view.text("next_url", next_url(query, listing.images.back().key));
}

// What a form has to send along to come back to this page.
void add_place(View& view, const KeysQuery& query) {
  const bool is_gallery = query.view == KeysQuery::View::gallery;
  view.flag("is_gallery", is_gallery)
      .flag("is_table", !is_gallery)
      .text("view", is_gallery ? "gallery" : "table")
      .text("prefix", query.prefix)
      .text("after", query.after)
      .text("before", query.before)
      .flag("last", query.last)
      .number("limit", query.limit)
      .text("chosen_limit",
            query.limit == default_limit(query.view) ? "" : std::to_string(query.limit))
      .text("here_url", url_of(query));
}

std::vector<std::string> keys_of(const http::Form& form) {
  std::vector<std::string> keys;
  for (const auto& [name, value] : form.fields()) {
    if (name == "key") keys.push_back(value);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

}  // namespace

Result<KeysQuery> parse_keys_query(const http::Form& form) {
  KeysQuery query;
  const std::string view = value_of(form, "view");
  if (view == "gallery") {
    query.view = KeysQuery::View::gallery;
  } else if (!view.empty() && view != "table") {
    return Error{Errc::invalid_argument, "`view` must be `table` or `gallery`"};
  }
  query.prefix = value_of(form, "prefix");
  query.after = value_of(form, "after");
  query.before = value_of(form, "before");
  query.last = !value_of(form, "last").empty();
  if (!http::is_utf8(query.prefix) || !http::is_utf8(query.after) || !http::is_utf8(query.before)) {
    return Error{Errc::invalid_argument,
                 "`prefix`, `after` and `before` must be valid UTF-8, as keys are"};
  }
  if (!query.after.empty() + !query.before.empty() + query.last > 1) {
    return Error{Errc::invalid_argument, "only one of `after`, `before` and `last` makes sense"};
  }
  const Result<std::size_t> limit = http::parse_limit(
      value_of(form, "limit"), default_limit(query.view), KeysPage::keys_per_page_max);
  if (!limit) return limit.error();
  query.limit = *limit;
  return query;
}

void KeysPage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/keys_list", [this](http::Request& r) { return show(r); }});
  router.add({http::Method::post, "/keys_list", [this](http::Request& r) { return show(r); },
              parameters_bytes_max, http::Route::Body::optional, http::Route::Effect::reading});
  router.add({http::Method::post, "/delete_images", [this](http::Request& r) { return remove(r); },
              selection_bytes_max});
}

Task<http::Response> KeysPage::show(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  Result<KeysQuery> query = parse_keys_query(*form);
  if (!query) co_return renderer_.failure(query.error());
  View view;
  http::Response response = co_await render(200, std::move(*query), std::move(view));
  co_return response;
}

Task<http::Response> KeysPage::render(int status, KeysQuery query, View view) {
  Result<images::Listing> listing = images::Listing();
  if (query.is_backwards()) {
    listing = co_await store_.list_before(query.prefix, query.before, query.limit);
  } else {
    listing = co_await store_.list(query.prefix, query.after, query.limit);
  }
  if (!listing) co_return renderer_.failure(listing.error());
  Result<images::StoreFigures> figures = co_await store_.figures();
  if (!figures) co_return renderer_.failure(figures.error());

  const images::Totals totals = figures->totals;
  const bool is_nothing =
      query.prefix.empty() && listing->images.empty() && first_url(query) == url_of(query);
  view.text("total", grouped(totals.images))
      .text("total_size", bytes_in_words(totals.bytes))
      .flag("is_single", totals.images == 1)
      .flag("is_empty_store", is_nothing)
      .text("table_url", other_view_url(query, KeysQuery::View::table))
      .text("gallery_url", other_view_url(query, KeysQuery::View::gallery));
  add_place(view, query);
  add_paging(view, query, *listing, totals.images);
  co_await add_keys(view, query, std::move(*listing));
  co_return renderer_.page(status, "keys", "Keys", std::move(view));
}

Task<void> KeysPage::add_keys(View& view, const KeysQuery& query, images::Listing listing) {
  std::vector<std::string> keys;
  for (const db::ImageSummary& image : listing.images) keys.push_back(image.key);
  Result<std::vector<std::string>> cached = std::vector<std::string>();
  if (!keys.empty()) cached = co_await cache_.cached_of(std::move(keys));
  std::unordered_set<std::string> marked;
  if (cached) {
    marked.insert(cached->begin(), cached->end());
  } else {
    view.text("cache_problem", sentence(failure_of(of_dependency(cached.error())).message));
  }
  const std::int64_t now_ms = unix_ms();
  std::vector<View> rows;
  for (const db::ImageSummary& image : listing.images) {
    View row = summary_of(image, now_ms);
    row.flag("is_cached", marked.contains(image.key));
    if (query.view == KeysQuery::View::gallery && has_picture(image)) {
      row.text("picture_url", raw_image_url(image.key));
    }
    rows.push_back(std::move(row));
  }
  view.flag("has_keys", !rows.empty());
  view.list("keys", std::move(rows));
}

Task<http::Response> KeysPage::remove(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  Result<KeysQuery> query = parse_keys_query(*form);
  if (!query) co_return renderer_.failure(query.error());
  const std::vector<std::string> keys = keys_of(*form);
  View view;
  if (keys.empty()) {
    view.flag("is_nothing_selected", true);
    http::Response response = co_await render(400, std::move(*query), std::move(view));
    co_return response;
  }
  if (!form->find("confirmed")) {
    std::vector<View> rows;
    for (const std::string& key : keys) {
      View row;
      row.text("key", key);
      rows.push_back(std::move(row));
    }
    view.flag("at_keys", true)
        .text("count", grouped(keys.size()))
        .flag("is_single", keys.size() == 1);
    view.list("keys", std::move(rows));
    add_place(view, *query);
    co_return renderer_.page(200, "delete_images", "Delete images", std::move(view));
  }

  // One after another: each is a change of its own, and what went wrong is about one.
  std::size_t deleted = 0;
  std::optional<Error> error;
  std::string failed_key;
  for (const std::string& key : keys) {
    if (request.is_abandoned()) break;
    Result<void> removed = co_await store_.remove(key, nullptr);
    if (removed) {
      ++deleted;
    } else if (removed.error().code != Errc::not_found) {  // else somebody else was faster
      error = removed.error();
      failed_key = key;
      break;
    }
  }
  view.flag("is_deletion", true)
      .text("deleted", grouped(deleted))
      .flag("is_single_deletion", deleted == 1);
  int status = 200;
  if (error) {
    const Failure failure = failure_of(*error);
    status = failure.status;
    view.text("failed_key", failed_key).text("failure", sentence(failure.message));
  }
  http::Response response = co_await render(status, std::move(*query), std::move(view));
  co_return response;
}

}  // namespace imgcached::pages
