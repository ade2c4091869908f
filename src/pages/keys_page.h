// KeysPage: `/keys_list`, all keys, a page at a time, as a table or a gallery;
// `/delete_images` removes those that were selected.
//
// One goes on from the last key of a page, or back from its first, not by a page
// number: that costs the same anywhere in a million keys, and an upload meanwhile
// shifts nothing.
//
// The table shows no image. So a look at it is quick whatever is stored, and leaves
// alone the cache whose entries it marks. The pictures of a gallery are the images
// themselves: reads as any other, which the browser does when they come near.
#pragma once

#include "base/task.h"
#include "cache/cache_client.h"
#include "http/router.h"
#include "http/url.h"
#include "images/store_client.h"
#include "pages/page_renderer.h"

namespace imgcached::pages {

// What of the keys is asked for.
struct KeysQuery {
  enum class View { table, gallery };

  View view = View::table;
  std::string prefix;
  std::string after;   // those behind this key, or
  std::string before;  // those in front of this one, or
  bool last = false;   // those at the end
  std::size_t limit = 0;

  bool is_backwards() const { return last || !before.empty(); }
};

// Reads `view`, `prefix`, `after`, `before`, `last` and `limit`; error
// invalid_argument names the one that is wrong. An empty field is as good as none.
Result<KeysQuery> parse_keys_query(const http::Form& form);

class KeysPage {
 public:
  // What one can choose, the first unless `limit` says otherwise. A gallery's first view
  // is to take few requests.
  static constexpr std::size_t keys_per_table[] = {50, 100, 200};
  static constexpr std::size_t keys_per_gallery[] = {8, 24, 96};
  static constexpr std::size_t keys_per_page_max = 200;  // whatever it says; all can be selected
  // Larger images have no picture in a gallery.
  static constexpr std::uint64_t picture_bytes_max = 4 << 20;

  KeysPage(const PageRenderer& renderer, images::StoreClient& store, cache::CacheClient& cache)
      : renderer_(renderer), store_(store), cache_(cache) {}

  void add_routes(http::Router& router);

 private:
  Task<http::Response> show(http::Request& request);
  Task<http::Response> remove(http::Request& request);
  // Below what `view` has to say.
  Task<http::Response> render(int status, KeysQuery query, View view);
  Task<void> add_keys(View& view, const KeysQuery& query, images::Listing listing);

  const PageRenderer& renderer_;
  images::StoreClient& store_;
  cache::CacheClient& cache_;
};

}  // namespace imgcached::pages
