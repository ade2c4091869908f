#include "pages/home_page.h"

#include "pages/format.h"

namespace imgcached::pages {

void HomePage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/", [this](http::Request& r) { return show(r); }});
}

Task<http::Response> HomePage::show(http::Request&) {
  View view;
  Result<std::uint64_t> images = co_await store_.count();
  if (images) {
    view.text("images", grouped(*images));
  } else {
    view.text("database_problem", sentence(failure_of(images.error()).message));
  }
  Result<cache::Stats> cached = co_await cache_.stats();
  if (cached) {
    view.text("items", grouped(cached->curr_items))
        .text("bytes", bytes_in_words(cached->bytes))
        .text("capacity", bytes_in_words(cached->capacity_bytes))
        .text("requests", grouped(cached->cmd_get));
    if (cached->cmd_get > 0) {
      view.text("hit_rate", percent(static_cast<double>(cached->get_hits) /
                                    static_cast<double>(cached->cmd_get)));
    }
  } else {
    view.text("cache_problem", sentence(failure_of(of_dependency(cached.error())).message));
  }
  co_return renderer_.page(200, "home", "Home", std::move(view));
}

}  // namespace imgcached::pages
