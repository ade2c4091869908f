#include "pages/home_page.h"

#include <algorithm>

#include "pages/format.h"

namespace imgcached::pages {
namespace {

// A name or address and a port, and nothing that a shell would make more of: the
// page shows commands to copy.
bool is_host(std::string_view text) {
  constexpr std::size_t bytes_max = 255;
  return !text.empty() && text.size() <= bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("-._:[]").find(c) != std::string_view::npos;
         });
}

// Where the reader found us; else where we listen.
std::string host_of(const http::Request& request) {
  if (is_host(request.authority)) return request.authority;
  return request.stream->local().text();
}

}  // namespace

void HomePage::add_routes(http::Router& router) {
  router.add({http::Method::get, "/", [this](http::Request& r) { return show(r); }});
}

Task<http::Response> HomePage::show(http::Request& request) {
  View view;
  view.text("host", host_of(request));
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
