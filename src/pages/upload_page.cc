#include "pages/upload_page.h"

#include "images/image_type.h"
#include "pages/format.h"
#include "pages/image_page.h"
#include "pages/parameters.h"
#include "pages/raw_images.h"
#include "pages/upload_form.h"

namespace imgcached::pages {

void UploadPage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/upload_image", [this](http::Request& r) { return show(r); }});
  router.add({http::Method::post, "/upload_image", [this](http::Request& r) { return upload(r); },
              upload_bytes_max_ + upload_form_overhead_bytes, http::Route::Body::required});
}

http::Response UploadPage::page(int status, View view) const {
  view.text("accepted_types", std::string(images::accepted_types))
      .text("limit", bytes_in_words(upload_bytes_max_))
      .number("bytes_max", upload_bytes_max_);
  return renderer_.page(status, "upload", "Upload an image", std::move(view));
}

Task<http::Response> UploadPage::show(http::Request& request) {
  Result<http::Form> query = http::parse_form(request.query);
  if (!query) co_return renderer_.failure(query.error());
  View view;
  view.text("key", value_of(*query, "key"));
  co_return page(200, std::move(view));
}

Task<http::Response> UploadPage::upload(http::Request& request) {
  Upload upload = co_await receive_upload(request, store_);
  View view;
  if (!upload.stored) {
    const Failure failure = failure_of(upload.stored.error());
    view.text("key", upload.key);
    switch (upload.fault) {
      case UploadForm::Field::key: view.text("key_error", sentence(failure.message)); break;
      case UploadForm::Field::file: view.text("file_error", sentence(failure.message)); break;
      case UploadForm::Field::none: view.text("error", sentence(failure.message)); break;
    }
    co_return page(failure.status, std::move(view));
  }
  const images::Stored& stored = *upload.stored;
  view.text("stored_key", upload.key)
      .flag("created", stored.created)
      .text("content_type", std::string(stored.content_type))
      .text("size", bytes_in_words(stored.byte_size))
      .text("image_url", image_page_url(upload.key))
      .text("raw_url", raw_image_url(upload.key));
  co_return page(200, std::move(view));
}

}  // namespace imgcached::pages
