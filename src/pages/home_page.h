// HomePage: `/`, where one begins: get an image, put one, see how things are.
#pragma once

#include "base/task.h"
#include "cache/cache_client.h"
#include "http/router.h"
#include "images/image_store.h"
#include "pages/page_renderer.h"

namespace imgcached::pages {

class HomePage {
 public:
  HomePage(const PageRenderer& renderer, images::ImageStore& store, cache::CacheClient& cache)
      : renderer_(renderer), store_(store), cache_(cache) {}

  void add_routes(http::Router& router);

 private:
  // Comes in any case; what can't be found out at present is said to be so.
  Task<http::Response> show(http::Request& request);

  const PageRenderer& renderer_;
  images::ImageStore& store_;
  cache::CacheClient& cache_;
};

}  // namespace imgcached::pages
