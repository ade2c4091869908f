#include "pages/image_page.h"

#include "cache/key.h"
#include "http/url.h"
#include "pages/format.h"
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

}  // namespace

std::string image_page_url(std::string_view key) {
  return "/image?key_value=" + http::percent_encode(key);
}

void ImagePage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/image", [this](http::Request& r) { return show(r); }});
  router.add({http::Method::post, "/image", [this](http::Request& r) { return show(r); },
              parameters_bytes_max, http::Route::Body::optional, http::Route::Effect::reading});
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
  Result<images::Image> image = co_await store_.get(key);
  if (!image) co_return refuse(key, image.error());

  View view;
  view.text("key", key)
      .flag("found", true)
      .flag("hit", image->cached)
      .text("content_type", std::string(image->content_type()))
      .text("size", bytes_in_words(image->bytes.size()))
      .text("exact_size", grouped(image->bytes.size()))
      .text("raw_url", raw_image_url(key))
      .text("replace_url", "/upload_image?key=" + http::percent_encode(key));
  if (!image->cached) view.text("fate", fate_in_words(image->put));
  // No browser but Safari knows TIFF.
  const std::string_view type = image->content_type();
  if (!type.starts_with("image/") || type == "image/tiff") {
    view.text("unshown_reason", "browsers do not show " + std::string(type));
  } else if (image->bytes.size() > embedded_bytes_max) {
    view.text("unshown_reason", "over " + bytes_in_words(embedded_bytes_max) +
                                    " it is too large to be part of a page");
  } else {
    view.flag("is_shown", true).base64("content", std::move(image->bytes));
  }
  co_return renderer_.page(200, "image", key, std::move(view));
}

http::Response ImagePage::refuse(const std::string& key, const Error& error) const {
  const Failure failure = failure_of(error);
  View view;
  view.text("key", key).text("error", sentence(failure.message));
  if (error.code == Errc::not_found || error.code == Errc::data_lost) {
    view.flag("is_missing", true)
        .text("upload_url", "/upload_image?key=" + http::percent_encode(key));
  }
  return renderer_.page(failure.status, "image", "Get an image", std::move(view));
}

Task<http::Response> ImagePage::remove(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  const std::string key = value_of(*form, "key");
  Result<void> removed = co_await store_.remove(key);
  if (!removed) co_return refuse(key, removed.error());
  View view;
  view.text("deleted_key", key);
  co_return renderer_.page(200, "image", "Deleted", std::move(view));
}

}  // namespace imgcached::pages
