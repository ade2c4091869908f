#include "pages/page_renderer.h"

#include "http/status.h"
#include "pages/format.h"

namespace imgcached::pages {
namespace {

// Images that a page shows are in it as data: URIs (image_page.cc), or are files that
// were chosen for an upload (blob:); all else it needs comes from us, and nothing in it
// is inline.
constexpr const char* content_security_policy =
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

}  // namespace

http::Response PageRenderer::page(int status, std::string_view name, std::string title,
                                  View view) const {
  view.text("title", std::move(title)).flag("at_" + std::string(name), true);
  http::Response response =
      http::make_response(status, "text/html; charset=utf-8", templates_.render(name, view));
  response.headers.add("Cache-Control", "no-cache");
  response.headers.add("Content-Security-Policy", content_security_policy);
  add_retry_after(response);
  return response;
}

http::Response PageRenderer::failure(const Failure& failure) const {
  View view;
  view.number("status", failure.status)
      .text("message", sentence(failure.message))
      .flag("is_missing", failure.status == 404)
      .flag("is_ours", failure.status >= 500);
  return page(failure.status, "error", std::string(http::reason_phrase(failure.status)),
              std::move(view));
}

}  // namespace imgcached::pages
