// UploadPage: `/upload_image` puts an image under a key.
#pragma once

#include <cstdint>

#include "base/task.h"
#include "http/router.h"
#include "images/store_client.h"
#include "pages/page_renderer.h"

namespace imgcached::pages {

class UploadPage {
 public:
  UploadPage(const PageRenderer& renderer, images::StoreClient& store,
             std::uint64_t upload_bytes_max)
      : renderer_(renderer), store_(store), upload_bytes_max_(upload_bytes_max) {}

  void add_routes(http::Router& router);

 private:
  Task<http::Response> show(http::Request& request);
  Task<http::Response> upload(http::Request& request);
  // The page with this in it and its form below.
  http::Response page(int status, View view) const;

  const PageRenderer& renderer_;
  images::StoreClient& store_;
  const std::uint64_t upload_bytes_max_;
};

}  // namespace imgcached::pages
