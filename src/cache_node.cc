#include "cache_node.h"

#include "server_options.h"

namespace imgcached {
namespace {

// Refreshes and one row of statistics every five seconds: two do.
constexpr std::size_t database_connections_max = 2;

db::PoolLimits pool_limits() {
  db::PoolLimits limits;
  limits.connections_max = database_connections_max;
  return limits;
}

// All of it is the token's, reading too: it has no public part.
http::Server::Options guarded_options(const Config& config) {
  http::Server::Options options =
      server_options(config, "cache", config.descriptors.cache_connections);
  options.token_for = http::TokenFor::everything;
  return options;
}

}  // namespace

CacheNode::CacheNode(const Config& config)
    : config_(config),
      mailbox_(loop_),
      pool_(loop_, config.database, pool_limits()),
      service_(loop_, pool_),
      api_(service_, config.max_upload_bytes),
      server_(loop_, router_, cache::CacheApi::render_error, guarded_options(config)) {
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
  warn_if_open(config_, server_.name(), address_);
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
