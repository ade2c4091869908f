// BackendFront: port 5000 on one loop: the pages and the API with a server, and the way
// to the cache. Wiring only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/task.h"
#include "cache/cache_client.h"
#include "cache/http_cache_client.h"
#include "cache/local_cache_client.h"
#include "cache_node.h"
#include "config.h"
#include "db/pool.h"
#include "http/server.h"
#include "images/store_client.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "pages/backend.h"

namespace imgcached {

class BackendFront {
 public:
  // Loop, mailbox and pool are of the front's loop. `cache` is the one of this process;
  // null when it is elsewhere.
  BackendFront(const Config& config, net::Loop& loop, net::Mailbox& mailbox, db::Pool& pool,
               CacheNode* cache);

  cache::CacheClient& cache() { return *cache_; }

  // Listens and serves what the store has. Blocks: for start-up. Errors name the setting to
  // change.
  Result<void> open(images::StoreClient& store, pages::ReadLoopFigures loop_figures,
                    const net::SocketAddress& address, net::PortUse use);
  bool is_open() const { return server_.has_value(); }
  // REQUIRES: it is open.
  net::Address address() const { return server_->address(); }
  pages::LoopFigures figures() const;

  // Ends serving.
  Task<void> drain(std::uint64_t grace_ms);
  // REQUIRES: no call of the cache under way.
  void close();

 private:
  const Config& config_;
  net::Loop& loop_;
  db::Pool& pool_;
  std::optional<cache::LocalCacheClient> local_client_;  // one of the two
  std::optional<cache::HttpCacheClient> http_client_;
  cache::CacheClient* cache_ = nullptr;
  std::unique_ptr<pages::Backend> pages_;
  std::optional<http::Server> server_;
};

}  // namespace imgcached
