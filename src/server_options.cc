#include "server_options.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace imgcached {

http::Server::Options server_options(const Config& config, std::string name,
                                     std::size_t connections_max, std::size_t servers) {
  http::Server::Options options;
  http::ServerLimits& limits = options.limits;
  limits.connections_max = connections_max / servers;
  limits.refusals_max = limits.refusals_max / servers;
  // An image in base64, as JSON, is the largest body there is.
  const std::uint64_t largest = 2 * config.max_upload_bytes;
  limits.body_bytes_in_flight_max = std::max(limits.body_bytes_in_flight_max / servers, largest);
  limits.answer_bytes_in_flight_max =
      std::max(limits.answer_bytes_in_flight_max / servers, largest);
  options.access_log = config.access_log;
  options.token = config.token;
  options.name = std::move(name);
  return options;
}

void warn_if_open(const Config& config, std::string_view name, const net::Address& address) {
  if (config.token || address.is_loopback()) return;
  log::warning(
      "open_to_all server={} address={} advice=\"whoever reaches it can change what it "
      "holds; give it a --token-file\"",
      name, address.text());
}

}  // namespace imgcached
