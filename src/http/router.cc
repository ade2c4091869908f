#include "http/router.h"

#include <algorithm>
#include <cassert>

namespace imgcached::http {
namespace {

bool is_prefix_pattern(std::string_view pattern) { return pattern.ends_with("/*"); }

std::string_view prefix_of(std::string_view pattern) {
  return pattern.substr(0, pattern.size() - 1);
}

bool answers_head(const Route& route) {
  return route.method == Method::get && !route.is_mutating();
}

bool accepts(const Route& route, Method method) {
  return route.method == method || (method == Method::head && answers_head(route));
}

bool matches(std::string_view pattern, std::string_view path) {
  return is_prefix_pattern(pattern) ? path.starts_with(prefix_of(pattern)) : path == pattern;
}

// Literals first, then prefixes by falling length.
bool comes_before(const Route& a, const Route& b) {
  if (is_prefix_pattern(a.pattern) != is_prefix_pattern(b.pattern)) {
    return !is_prefix_pattern(a.pattern);
  }
  return is_prefix_pattern(a.pattern) && a.pattern.size() > b.pattern.size();
}

}  // namespace

void Router::add(Route route) {
  assert(route.pattern.starts_with('/'));
  const auto place = std::upper_bound(routes_.begin(), routes_.end(), route, comes_before);
  routes_.insert(place, std::move(route));
}

Router::Match Router::match(Method method, std::string_view path) const {
  Match match;
  std::string_view pattern;  // the first that fits the path decides
  for (const Route& route : routes_) {
    if (!pattern.empty() ? route.pattern != pattern : !matches(route.pattern, path)) continue;
    pattern = route.pattern;
    if (accepts(route, method)) {
      match.route = &route;
      match.allowed.clear();
      if (is_prefix_pattern(pattern)) match.rest = path.substr(prefix_of(pattern).size());
      return match;
    }
    match.allowed.push_back(route.method);
    if (answers_head(route)) match.allowed.push_back(Method::head);
  }
  return match;
}

std::vector<Method> Router::methods() const {
  std::vector<Method> found;
  for (const Method method :
       {Method::get, Method::head, Method::post, Method::put, Method::delete_}) {
    const auto takes = [&](const Route& route) { return accepts(route, method); };
    if (std::any_of(routes_.begin(), routes_.end(), takes)) found.push_back(method);
  }
  return found;
}

}  // namespace imgcached::http
