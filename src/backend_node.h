// BackendNode: the pages and the API with everything they stand on: a loop, the
// image store, connections to the database, and port 5000. Wiring only.
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
#include "db/image_table.h"
#include "db/pool.h"
#include "db/store_identity_table.h"
#include "http/server.h"
#include "images/blob_store.h"
#include "images/image_store.h"
#include "images/storage_probe.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "pages/backend.h"

namespace imgcached {

class BackendNode {
 public:
  // `cache` is the one of this process; null when it is elsewhere.
  BackendNode(const Config& config, net::Loop& loop, images::BlobStore& blobs, CacheNode* cache);

  // Errors name the setting to change; closed when it was broken off.
  Task<Result<void>> start();
  // Has a start() that is under way end soon, whatever it waits for; else does nothing.
  Task<void> break_off_start();
  // Drains and closes; the mailbox stays, to stop the cache with. REQUIRES: start() has ended.
  Task<void> stop(std::uint64_t grace_ms);

  net::Mailbox& mailbox() { return mailbox_; }
  net::Address address() const { return server_->address(); }

 private:
  const Config& config_;
  net::Loop& loop_;
  images::BlobStore& blobs_;
  net::Mailbox mailbox_;
  db::Pool pool_;
  db::ImageTable table_;
  db::StoreIdentityTable identities_;
  std::optional<cache::LocalCacheClient> local_client_;  // one of the two
  std::optional<cache::HttpCacheClient> http_client_;
  cache::CacheClient* cache_ = nullptr;
  images::StorageProbe storage_;
  std::optional<images::ImageStore> store_;
  std::unique_ptr<pages::Backend> pages_;
  std::optional<http::Server> server_;
};

}  // namespace imgcached
