// KeysPage: `/keys_list`, all keys, a page at a time.
//
// One goes forward by the last key of a page, not by a page number: that costs
// the same anywhere in a million keys, and an upload meanwhile shifts nothing.
#pragma once

#include "base/task.h"
#include "http/router.h"
#include "images/image_store.h"
#include "pages/page_renderer.h"

namespace imgcached::pages {

class KeysPage {
 public:
  static constexpr std::size_t keys_per_page = 50;         // unless `limit` says otherwise
  static constexpr std::size_t keys_per_page_max = 1'000;  // whatever it says

  KeysPage(const PageRenderer& renderer, images::ImageStore& store)
      : renderer_(renderer), store_(store) {}

  void add_routes(http::Router& router);

 private:
  Task<http::Response> show(http::Request& request);

  const PageRenderer& renderer_;
  images::ImageStore& store_;
};

}  // namespace imgcached::pages
