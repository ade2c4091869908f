// BackendNode: the backend with everything it stands on: a loop, the image store,
// connections to the database, and port 5000, which further loops may share
// (BackendWorker). Wiring only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "backend_front.h"
#include "backend_worker.h"
#include "base/gate.h"
#include "base/result.h"
#include "base/task.h"
#include "cache_node.h"
#include "config.h"
#include "db/image_table.h"
#include "db/pool.h"
#include "db/store_identity_table.h"
#include "images/blob_store.h"
#include "images/image_store.h"
#include "net/address.h"
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
  net::Address address() const { return front_.address(); }

 private:
  Task<Result<void>> open_workers(net::SocketAddress address);
  Task<Result<pages::LoopFigures>> loop_figures();

  const Config& config_;
  net::Loop& loop_;
  images::BlobStore& blobs_;
  CacheNode* const cache_;
  net::Mailbox mailbox_;
  db::Pool pool_;
  db::ImageTable table_;
  db::StoreIdentityTable identities_;
  BackendFront front_;
  images::ImageStore store_;
  Gate calls_;  // of the workers
  std::vector<std::unique_ptr<BackendWorker>> workers_;
};

}  // namespace imgcached
