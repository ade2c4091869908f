#include "pages/image_page.h"

#include "base/clock.h"
#include "cache/key.h"
#include "http/url.h"
#include "images/image_dimensions.h"
#include "pages/format.h"
#include "pages/host.h"
#include "pages/parameters.h"
#include "pages/raw_images.h"

namespace imgcached::pages {
namespace {

// What a reader learns of a miss.
std::string fate_in_words(std::optional<cache::PutOutcome> put) {
  if (put == cache::PutOutcome::stored) return "and given to the cache";
  if (put == cache::PutOutcome::off) return "and not given to the cache, since caching is off";
  if (put == cache::PutOutcome::too_large) return "and is larger than the cache can hold";
  return "and not given to the cache this time";  // it is away, or the image was just replaced
}

// `.png`, say, for a command that saves the image; nothing when the type is none of ours.
std::string extension_of(std::string_view content_type) {
  if (!content_type.starts_with("image/")) return {};
  if (content_type == "image/vnd.microsoft.icon") return ".ico";
  return '.' + std::string(content_type.substr(std::string_view("image/").size()));
}

// What is in the bytes.
void describe_bytes(View& view, const images::Image& image) {
  const std::size_t size = image.bytes.size();
  view.text("content_type", std::string(image.content_type())).text("size", bytes_in_words(size));
  if (size >= 1024) view.text("exact_size", grouped(size));  // else the size is exact
  const auto dimensions = images::image_dimensions(image.bytes.view());
  if (!dimensions) return;
  view.text("width", grouped(dimensions->width))
      .text("height", grouped(dimensions->height))
      .flag("is_tiny", dimensions->width <= ImagePage::tiny_pixels_max &&
                           dimensions->height <= ImagePage::tiny_pixels_max);
}

// What the row says, if it is the one of these bytes: it may be newer.
void describe_row(View& view, const Result<std::optional<db::ImageRow>>& row,
                  const images::Image& image) {
  if (!row || !*row || (**row).etag != image.bytes.digest().hex()) return;
  const std::int64_t stored_ms = (**row).updated_at_ms;
  view.text("when", utc_time(stored_ms))
      .text("ago", ago_in_words(stored_ms, unix_ms()))
      .text("machine_time", machine_time(stored_ms))
      .flag("is_replaced", (**row).created_at_ms != stored_ms)
      .text("first_when", utc_time((**row).created_at_ms));
}

// The image in the page, or why it is not.
void embed(View& view, images::Image image) {
  // No browser but Safari knows TIFF.
  const std::string_view type = image.content_type();
  if (!type.starts_with("image/") || type == "image/tiff") {
    view.text("unshown_reason", "browsers do not show " + std::string(type));
  } else if (image.bytes.size() > ImagePage::embedded_bytes_max) {
    view.text("unshown_reason", "over " + bytes_in_words(ImagePage::embedded_bytes_max) +
                                    " it is too large to be part of a page");
  } else {
    view.flag("is_shown", true).base64("content", std::move(image.bytes));
  }
}

std::string upload_url(std::string_view key) {
  return "/upload_image?key=" + http::percent_encode(key);
}

}  // namespace

std::string image_page_url(std::string_view key) {
  return "/image?key_value=" + http::percent_encode(key);
}

void ImagePage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/image", [this](http::Request& r) { return show(r); }});
  router.add({http::Method::post, "/image", [this](http::Request& r) { return show(r); },
              parameters_bytes_max, http::Route::Body::optional, http::Route::Effect::reading});
  router.add(
      {http::Method::get, "/delete_image", [this](http::Request& r) { return ask_to_remove(r); }});
  router.add({http::Method::post, "/delete_image", [this](http::Request& r) { return remove(r); },
              parameters_bytes_max});
}

Task<http::Response> ImagePage::show(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  auto field = form->find("key_value");
  if (!field) field = form->find("key");
  if (!field && request.head.method != http::Method::post) {
    co_return renderer_.page(200, "image", "Get an image", View());
  }
  const std::string key(field.value_or(std::string_view()));
  Result<void> valid = cache::validate_key(key);
  if (!valid) co_return refuse(key, valid.error());
  const std::uint64_t began_ns = monotonic_ns();
  Result<images::Image> image = co_await store_.get(key);
  const std::uint64_t taken_ns = monotonic_ns() - began_ns;
  if (!image) co_return refuse(key, image.error());
  Result<std::optional<db::ImageRow>> row = co_await store_.describe(key);

  const std::string origin = "http://" + host_of(request);
  View view;
  view.text("key", key)
      .flag("found", true)
      .flag("hit", image->cached)
      .text("taken", duration_in_words(taken_ns))
      .text("raw_url", raw_image_url(key))
      .text("page_link", origin + image_page_url(key))
      .text("raw_link", origin + raw_image_url(key))
      .text("file_name", "image" + extension_of(image->content_type()))
      .text("replace_url", upload_url(key));
  if (!image->cached) view.text("fate", fate_in_words(image->put));
  describe_bytes(view, *image);
  describe_row(view, row, *image);
  embed(view, std::move(*image));
  co_return renderer_.page(200, "image", key, std::move(view));
}

http::Response ImagePage::refuse(const std::string& key, const Error& error) const {
  const Failure failure = failure_of(error);
  View view;
  view.text("typed", key).text("error", sentence(failure.message));
  if (error.code == Errc::not_found || error.code == Errc::data_lost) {
    view.flag("is_missing", true).text("upload_url", upload_url(key));
  }
  return renderer_.page(failure.status, "image", "Get an image", std::move(view));
}

Task<http::Response> ImagePage::ask_to_remove(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  const std::string key = value_of(*form, "key");
  Result<void> valid = cache::validate_key(key);
  if (!valid) co_return refuse(key, valid.error());
  Result<std::optional<db::ImageRow>> row = co_await store_.describe(key);
  if (!row) co_return refuse(key, row.error());
  if (!*row) co_return refuse(key, images::no_such_image());
  View view;
  view.flag("at_image", true)
      .text("key", key)
      .text("content_type", (**row).content_type)
      .text("size", bytes_in_words((**row).byte_size))
      .text("back_url", image_page_url(key));
  co_return renderer_.page(200, "delete_image", "Delete an image", std::move(view));
}

Task<http::Response> ImagePage::remove(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  const std::string key = value_of(*form, "key");
  Result<void> removed = co_await store_.remove(key, nullptr);
  if (!removed) co_return refuse(key, removed.error());
  View view;
  view.text("deleted_key", key);
  co_return renderer_.page(200, "image", "Deleted", std::move(view));
}

}  // namespace imgcached::pages
