#include "server_options.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace imgcached {

http::Server::Options server_options(const Config& config, std::string name,
                                     std::size_t connections_max) {
  http::Server::Options options;
  options.limits.connections_max = connections_max;
  // An image in base64, as JSON, is the largest body there is.
  options.limits.body_bytes_in_flight_max =
      std::max(options.limits.body_bytes_in_flight_max, 2 * config.max_upload_bytes);
  options.limits.answer_bytes_in_flight_max =
      std::max(options.limits.answer_bytes_in_flight_max, 2 * config.max_upload_bytes);
  options.access_log = config.access_log;
  options.token = config.token;
  options.name = std::move(name);
  return options;
}

void warn_if_open(const Config& config, const http::Server& server) {
  const net::Address address = server.address();
  if (config.token || address.is_loopback()) return;
  log::warning(
      "open_to_all server={} address={} advice=\"whoever reaches it can change what it "
      "holds; give it a --token-file\"",
      server.name(), address.text());
}

}  // namespace imgcached
