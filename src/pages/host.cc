#include "pages/host.h"

#include <algorithm>
#include <string_view>

namespace imgcached::pages {
namespace {

bool is_host(std::string_view text) {
  constexpr std::size_t bytes_max = 255;
  return !text.empty() && text.size() <= bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("-._:[]").find(c) != std::string_view::npos;
         });
}

}  // namespace

std::string host_of(const http::Request& request) {
  if (is_host(request.authority)) return std::string(request.authority);
  return request.stream->local().text();
}

}  // namespace imgcached::pages
