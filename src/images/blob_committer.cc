#include "images/blob_committer.h"

#include <utility>

#include "net/offload.h"

namespace imgcached::images {

BlobCommitter::BlobCommitter(net::Loop& loop, net::FileSystem file_system)
    : loop_(loop),
      file_system_(std::move(file_system)),
      queue_(loop, [this](Batch batch) { return carry_out(std::move(batch)); }) {}

Task<Result<void>> BlobCommitter::commit(PutInPlace put_in_place) {
  Item item{std::move(put_in_place), {}};
  const bool accepted = co_await queue_.carry_out(item);
  if (!accepted) co_return Error{Errc::unavailable, "too many uploads are waiting; try again"};
  co_return std::move(item.result);
}

Task<void> BlobCommitter::carry_out(Batch batch) {
  auto job = [&]() -> Result<void> {
    for (Item* item : batch) item->result = item->put_in_place();
    return file_system_.sync();
  };
  Result<void> synced = co_await net::offload(loop_, job);
  if (synced) co_return;
  for (Item* item : batch) {
    if (item->result) item->result = synced;
  }
}

}  // namespace imgcached::images
