// ImagePage: `/image` shows the image of a key, what is known of it, and whether it
// was a hit or a miss; `/delete_image` asks (GET) and removes it (POST).
//
// A look at the page is one read: the page asks the image store once, and the
// very bytes it got are in the page, as a data: URI. An <img> that names the
// image would make the browser ask a second time, and what the page says about
// hit, miss, time and size would be about another request than the one that is seen.
#pragma once

#include <string>

#include "base/task.h"
#include "http/router.h"
#include "images/store_client.h"
#include "pages/page_renderer.h"

namespace imgcached::pages {

// The page of a key, as a link.
std::string image_page_url(std::string_view key);

class ImagePage {
 public:
  // Firefox shows data: URIs up to 32 MB, in base64. What would come to more is
  // only linked to.
  static constexpr std::size_t embedded_bytes_max = 20 << 20;
  // An image that is no larger, in pixels, either way, is shown enlarged.
  static constexpr std::uint32_t tiny_pixels_max = 64;

  ImagePage(const PageRenderer& renderer, images::StoreClient& store)
      : renderer_(renderer), store_(store) {}

  void add_routes(http::Router& router);

 private:
  Task<http::Response> show(http::Request& request);
  Task<http::Response> ask_to_remove(http::Request& request);
  Task<http::Response> remove(http::Request& request);
  // The form again, with what was typed and why it did not work.
  http::Response refuse(const std::string& key, const Error& error) const;

  const PageRenderer& renderer_;
  images::StoreClient& store_;
};

}  // namespace imgcached::pages
