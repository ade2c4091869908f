// MailboxStoreClient: the image store of another loop of this process.
//
// A read looks into the cache on its own loop, and goes to the store after a miss.
// Everything else goes there and back by mailbox.
//
// Why nothing stale is served: a hit is right on whichever loop it is found, since an
// invalidation comes before its write is answered. So does the word that something stayed
// open after a write: as long as that holds, the store is asked for each key whether it is
// one to be read around the cache. After a miss the store judges lease and flights, as it
// does for its own readers.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "cache/cache_client.h"
#include "images/image_store.h"
#include "images/store_client.h"
#include "net/loop.h"
#include "net/mailbox.h"

namespace imgcached::images {

class MailboxStoreClient : public StoreClient {
 public:
  // `there` is the store's loop, `here` that of the callers, and `cache` is theirs. All
  // outlive the client, which wants no call under way when it goes.
  MailboxStoreClient(ImageStore& store, net::Endpoint there, net::Endpoint here, net::Loop& loop,
                     cache::CacheClient& cache)
      : store_(store), there_(there), here_(here), loop_(loop), cache_(cache) {}

  Task<Result<Image>> get(std::string key) override;
  BlobWriter begin_upload() override { return store_.begin_upload(loop_); }
  Task<Result<Stored>> put(std::string key, BlobWriter& upload, Precondition precondition) override;
  Task<Result<void>> check(std::string key, Precondition precondition) override;
  Task<Result<void>> remove(std::string key, Precondition precondition) override;
  Task<Result<void>> remove_all(GoesOn goes_on) override;
  Task<Result<Listing>> list(std::string prefix, std::string after, std::size_t limit) override;
  Task<Result<Listing>> list_before(std::string prefix, std::string before,
                                    std::size_t limit) override;
  Task<Result<std::vector<db::ImageSummary>>> recent(std::size_t limit) override;
  Task<Result<std::optional<db::ImageRow>>> describe(std::string key) override;
  Task<Result<StoreFigures>> figures() override;
  Task<Result<void>> probe() override;

 private:
  // Awaits what `function` returns, on the store's loop. REQUIRES: it outlives that.
  template <class Function>
  net::TaskCall<Function> on_store(Function& function) {
    return net::call_task(there_.mailbox, there_.gate, here_.mailbox, function);
  }
  // On the store's loop.
  Task<bool> ask(const GoesOn& goes_on);

  ImageStore& store_;
  const net::Endpoint there_;
  const net::Endpoint here_;
  net::Loop& loop_;
  cache::CacheClient& cache_;
};

}  // namespace imgcached::images
