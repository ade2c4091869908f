#include "backend_node.h"

#include "images/store_identity.h"
#include "net/address.h"
#include "server_options.h"

namespace imgcached {

BackendNode::BackendNode(const Config& config, net::Loop& loop, images::BlobStore& blobs,
                         CacheNode* cache)
    : config_(config),
      loop_(loop),
      blobs_(blobs),
      cache_(cache),
      mailbox_(loop),
      pool_(loop, config.database),
      table_(pool_),
      identities_(pool_),
      front_(config, loop, mailbox_, pool_, cache),
      store_(loop, blobs, table_, front_.cache()) {}

Task<Result<void>> BackendNode::start() {
  Result<std::vector<net::SocketAddress>> addresses = co_await net::resolve(loop_, config_.listen);
  if (!addresses) co_return bad_setting("listen", addresses.error().message);

  Result<void> matched = co_await images::match_identities(blobs_, identities_, table_);
  if (!matched) co_return std::move(matched).error();
  // A cache in another process may have outlived a backend that died between
  // a commit and its invalidation.
  const bool cache_is_older = cache_ == nullptr;
  Result<void> recovered = co_await store_.recover(cache_is_older);
  if (!recovered) co_return std::move(recovered).error();

  for (std::size_t i = 1; i < config_.backend_loops; ++i) {
    workers_.push_back(std::make_unique<BackendWorker>(
        config_, store_, net::Endpoint{mailbox_, calls_}, [this] { return loop_figures(); },
        cache_));
  }
  Result<void> opened = front_.open(
      store_, [this] { return loop_figures(); }, addresses->front(),
      workers_.empty() ? net::PortUse::exclusive : net::PortUse::shared);
  if (opened) opened = co_await open_workers(addresses->front());
  if (opened) warn_if_open(config_, pages::backend_name, front_.address());
  co_return opened;
}

Task<Result<void>> BackendNode::open_workers(net::SocketAddress address) {
  address.set_port(front_.address().port);  // which may have been 0
  for (const std::unique_ptr<BackendWorker>& worker : workers_) {
    Result<void> opened = co_await worker->open(address);
    if (!opened) co_return opened;
  }
  co_return Result<void>();
}

Task<Result<pages::LoopFigures>> BackendNode::loop_figures() {
  pages::LoopFigures all = front_.figures();
  for (const std::unique_ptr<BackendWorker>& worker : workers_) {
    Result<pages::LoopFigures> figures = co_await worker->figures();
    if (!figures) co_return figures;
    all.loops += figures->loops;
    all.server += figures->server;
    all.database_connections += figures->database_connections;
  }
  co_return all;
}

Task<void> BackendNode::break_off_start() {
  if (!front_.is_open()) co_await store_.close();
}

Task<void> BackendNode::stop(std::uint64_t grace_ms) {
  Gate draining;
  for (const std::unique_ptr<BackendWorker>& worker : workers_) {
    draining.spawn(worker->drain(grace_ms));
  }
  co_await front_.drain(grace_ms);
  co_await draining.drained();
  for (const std::unique_ptr<BackendWorker>& worker : workers_) co_await worker->close();
  co_await store_.close();
  front_.close();
  co_await pool_.close();
}

}  // namespace imgcached
