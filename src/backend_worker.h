// BackendWorker: one more loop that serves port 5000, on a thread of its own
// (--backend-loops). It finds hits in the cache by itself, receives uploads, makes pages;
// the image store is the main loop's. Wiring only.
//
// It is made and destroyed by the main loop's thread, and everything is called from that
// loop.
#pragma once

#include <cstdint>
#include <thread>

#include "backend_front.h"
#include "base/gate.h"
#include "base/result.h"
#include "base/task.h"
#include "cache_node.h"
#include "config.h"
#include "db/pool.h"
#include "images/image_store.h"
#include "images/mailbox_store_client.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "pages/backend.h"

namespace imgcached {

class BackendWorker {
 public:
  // `main` is the loop that calls, to which `store` belongs, and on which `loop_figures` may
  // be called.
  BackendWorker(const Config& config, images::ImageStore& store, net::Endpoint main,
                pages::ReadLoopFigures loop_figures, CacheNode* cache);
  // REQUIRES: close() has ended, if open() was called.
  ~BackendWorker();

  // Starts the thread and serves at this address, which the main loop shares. Errors name the
  // setting to change; unavailable when there is no thread.
  Task<Result<void>> open(net::SocketAddress address);
  // All that follows is nothing without a thread.
  Task<Result<pages::LoopFigures>> figures();
  // Ends serving.
  Task<void> drain(std::uint64_t grace_ms);
  // Then: ends the loop.
  Task<void> close();

 private:
  // On the worker's loop.
  Task<Result<void>> open_here(net::SocketAddress address);
  Task<Result<pages::LoopFigures>> figures_here();
  Task<Result<pages::LoopFigures>> figures_of_all();
  Task<Result<void>> drain_here(std::uint64_t grace_ms);
  Task<Result<void>> close_here();

  net::Loop loop_;
  net::Mailbox mailbox_;
  Gate gate_;
  const net::Endpoint main_;
  const pages::ReadLoopFigures loop_figures_;
  db::Pool pool_;
  BackendFront front_;
  images::MailboxStoreClient store_;
  std::thread thread_;
};

}  // namespace imgcached
