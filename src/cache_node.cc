#include "cache_node.h"

#include <algorithm>

namespace imgcached {
namespace {

// Refreshes and one row of statistics every five seconds: two do.
constexpr std::size_t database_connections_max = 2;

db::PoolLimits pool_limits() {
  db::PoolLimits limits;
  limits.connections_max = database_connections_max;
  return limits;
}

}  // namespace

http::Server::Options server_options(const Config& config, std::string name,
                                     std::size_t connections_max) {
  http::Server::Options options;
  options.limits.connections_max = connections_max;
  // An image in base64, as JSON, is the largest body there is.
  options.limits.body_bytes_in_flight_max =
      std::max(options.limits.body_bytes_in_flight_max, 2 * config.max_upload_bytes);
  options.access_log = config.access_log;
  options.name = std::move(name);
  return options;
}

CacheNode::CacheNode(const Config& config)
    : config_(config),
      mailbox_(loop_),
      pool_(loop_, config.database, pool_limits()),
      service_(loop_, pool_),
      api_(service_, config.max_upload_bytes),
      server_(loop_, router_, cache::CacheApi::render_error,
              server_options(config, "cache", config.descriptors.cache_connections)) {
  api_.add_routes(router_);
  api_.set_server(server_);
}

Task<Result<void>> CacheNode::start() {
  Result<std::vector<net::SocketAddress>> addresses =
      co_await net::resolve(loop_, config_.cache_listen);
  if (!addresses) co_return bad_setting("cache-listen", addresses.error().message);
  Result<void> configured = co_await service_.refresh_configuration();
  if (!configured) co_return std::move(configured).error();
  Result<void> listening = server_.listen(addresses->front());
  if (!listening) co_return bad_setting("cache-listen", listening.error().message);
  address_ = server_.address();
  service_.start_recording();
  co_return Result<void>();
}

Task<Result<void>> CacheNode::drain(std::uint64_t grace_ms) {
  co_await server_.drain(grace_ms);
  co_return Result<void>();
}

Task<Result<void>> CacheNode::close() {
  co_await service_.close();
  co_await pool_.close();
  mailbox_.close();
  co_return Result<void>();
}

}  // namespace imgcached
