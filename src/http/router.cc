#include "http/router.h"

#include <algorithm>
#include <cassert>

namespace imgcached::http {
namespace {

bool answers_head(const Route& route) {
  return route.method == Method::get && !route.is_mutating();
}

bool accepts(const Route& route, Method method) {
  return route.method == method || (method == Method::head && answers_head(route));
}

}  // namespace

void Router::add(Route route) {
  assert(route.pattern.starts_with('/'));
  if (!route.pattern.ends_with("/*")) {
    literals_[route.pattern].push_back(std::move(route));
    return;
  }
  const std::string path = route.pattern.substr(0, route.pattern.size() - 1);
  const auto place = std::find_if(prefixes_.begin(), prefixes_.end(), [&](const Prefix& prefix) {
    return prefix.path == path || prefix.path.size() < path.size();
  });
  if (place != prefixes_.end() && place->path == path) place->routes.push_back(std::move(route));
  else prefixes_.insert(place, Prefix{path, {std::move(route)}});
}

Router::Match Router::match(Method method, std::string_view path) const {
  if (const auto literal = literals_.find(path); literal != literals_.end()) {
    return match_method(literal->second, method);
  }
  const auto prefix =
      std::find_if(prefixes_.begin(), prefixes_.end(),
                   [&](const Prefix& candidate) { return path.starts_with(candidate.path); });
  if (prefix == prefixes_.end()) return {};
  Match match = match_method(prefix->routes, method);
  if (match.route) match.rest = path.substr(prefix->path.size());
  return match;
}

Router::Match Router::match_method(const std::vector<Route>& routes, Method method) {
  Match match;
  for (const Route& route : routes) {
    if (!accepts(route, method)) continue;
    match.route = &route;
    return match;
  }
  for (const Route& route : routes) {
    match.allowed.push_back(route.method);
    if (answers_head(route)) match.allowed.push_back(Method::head);
  }
  return match;
}

std::vector<Method> Router::methods() const {
  std::vector<Method> found;
  for (const Method method :
       {Method::get, Method::head, Method::post, Method::put, Method::delete_}) {
    const auto takes = [&](const auto& place) {
      return match_method(place, method).route != nullptr;
    };
    if (std::any_of(literals_.begin(), literals_.end(),
                    [&](const auto& literal) { return takes(literal.second); }) ||
        std::any_of(prefixes_.begin(), prefixes_.end(),
                    [&](const Prefix& prefix) { return takes(prefix.routes); })) {
      found.push_back(method);
    }
  }
  return found;
}

}  // namespace imgcached::http
