#include "http/request_origin.h"

#include <algorithm>
#include <string>

#include "http/url.h"

namespace imgcached::http {
namespace {

// The port that a URL without one means; empty for a scheme that has no servers.
std::string_view default_port(std::string_view scheme) {
  if (equals_ignoring_case(scheme, "http")) return "80";
  if (equals_ignoring_case(scheme, "https")) return "443";
  return {};
}

// Whether the origin, as `scheme://host:port`, is that of pages at `authority`. By
// which scheme we are reached is not known here: a proxy may speak TLS for us.
bool is_same(std::string_view origin, std::string_view authority) {
  constexpr std::string_view separator = "://";
  const auto scheme_end = origin.find(separator);
  if (scheme_end == origin.npos) return false;  // `null` above all
  const std::string_view port = default_port(origin.substr(0, scheme_end));
  const auto theirs = split_authority(origin.substr(scheme_end + separator.size()));
  const auto ours = split_authority(authority);
  if (port.empty() || !theirs || !ours) return false;
  const auto port_or_default = [&](std::string_view given) { return given.empty() ? port : given; };
  return equals_ignoring_case(theirs->host, ours->host) &&
         port_or_default(theirs->port) == port_or_default(ours->port);
}

// An IPv4 address, as far as a name can be told from one: its last label is a number.
bool ends_in_number(std::string_view host) {
  const std::string_view label = host.substr(host.rfind('.') + 1);
  return !label.empty() &&
         std::all_of(label.begin(), label.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_cross_origin(const Headers& headers, std::string_view authority) {
  if (const auto site = headers.joined("Sec-Fetch-Site")) {
    return *site != "same-origin" && *site != "none";  // none: typed in, or a bookmark
  }
  const auto origin = headers.joined("Origin");
  return origin && !is_same(*origin, authority);
}

bool is_rebound(std::string_view authority, const net::Address& local) {
  const auto asked = split_authority(authority);
  if (!asked || !local.is_loopback()) return false;
  const std::string_view port = asked->port.empty() ? default_port("http") : asked->port;
  if (port != std::to_string(local.port)) return false;
  std::string_view host = asked->host;
  if (host.ends_with('.')) host.remove_suffix(1);
  constexpr std::string_view localhost = ".localhost";
  const bool is_local_name =
      host.size() >= localhost.size() &&
      equals_ignoring_case(host.substr(host.size() - localhost.size()), localhost);
  return host.find('.') != host.npos && !host.starts_with('[') && !ends_in_number(host) &&
         !is_local_name;
}

}  // namespace imgcached::http
