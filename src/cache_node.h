// CacheNode: the cache service with everything it stands on: a loop, a mailbox,
// connections to the database, and port 5001. Wiring only.
#pragma once

#include <cstdint>
#include <string>

#include "base/gate.h"
#include "base/result.h"
#include "base/task.h"
#include "cache/cache_api.h"
#include "cache/cache_service.h"
#include "config.h"
#include "db/pool.h"
#include "http/router.h"
#include "http/server.h"
#include "net/loop.h"
#include "net/mailbox.h"

namespace imgcached {

class CacheNode {
 public:
  explicit CacheNode(const Config& config);

  // Runs the loop on the calling thread, until close() has ended or start()
  // failed; `started` is called on that thread with the outcome of start().
  template <class Started>
  void run(Started started) {
    gate_.spawn(start_and_tell(*this, started));
    loop_.run();
  }

  // On the node's loop. Errors name the setting to change.
  Task<Result<void>> start();
  // On the node's loop: ends serving HTTP.
  Task<Result<void>> drain(std::uint64_t grace_ms);
  // Then: writes the last statistics and lets the loop end.
  Task<Result<void>> close();

  net::Loop& loop() { return loop_; }
  net::Mailbox& mailbox() { return mailbox_; }
  Gate& gate() { return gate_; }
  cache::CacheService& service() { return service_; }
  // Any thread may ask, once start() has succeeded.
  const net::Address& address() const { return address_; }

 private:
  template <class Started>
  static Task<void> start_and_tell(CacheNode& node, Started& started) {
    Result<void> outcome = co_await node.start();
    if (!outcome) {
      Result<void> drained = co_await node.drain(0);
      Result<void> closed = co_await node.close();
      (void)drained, (void)closed;
    }
    started(std::move(outcome));
  }

  const Config& config_;
  net::Loop loop_;
  net::Mailbox mailbox_;
  db::Pool pool_;
  cache::CacheService service_;
  cache::CacheApi api_;
  http::Router router_;
  http::Server server_;
  net::Address address_;
  Gate gate_;
};

}  // namespace imgcached
