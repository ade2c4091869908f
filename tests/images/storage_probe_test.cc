// Probes of a real directory, counted, and held where a test wants them to be.
#include "images/storage_probe.h"

#include <doctest/doctest.h>

#include <deque>
#include <filesystem>
#include <vector>

#include "base/clock.h"
#include "base/gate.h"
#include "base/shared_result.h"
#include "tests/e2e/fixture.h"
#include "tests/net/run_task.h"
#include "tests/net/stream_pair.h"

namespace imgcached::images {
namespace {

namespace fs = std::filesystem;
using imgcached::test::keep_result;
using imgcached::test::run_until;

class HeldBlobStore : public BlobStore {
 public:
  explicit HeldBlobStore(BlobStore&& store) : BlobStore(std::move(store)) {}

  Task<Result<void>> probe() override {
    ++begun;
    SharedResult<bool>* gate = held_by;
    if (gate) static_cast<void>(co_await gate->wait());
    Task<Result<void>> probing = BlobStore::probe();
    Result<void> probed = co_await std::move(probing);
    co_return probed;
  }

  int begun = 0;
  SharedResult<bool>* held_by = nullptr;
};

struct Directory {
  e2e::ScratchDirectory scratch;
  net::Loop loop;
  Gate gate;
  HeldBlobStore blobs = open();

  HeldBlobStore open() {
    Result<BlobStore> store = BlobStore::open(loop, {.root = scratch.path() + "/images"});
    REQUIRE(store.ok());
    REQUIRE(store->prepare().ok());
    return HeldBlobStore(std::move(*store));
  }
  std::string unfinished() const { return scratch.path() + "/images/tmp"; }
  void ask(StorageProbe& probe, std::optional<Result<void>>& answer) {
    gate.spawn(keep_result(probe.run(), answer));
  }
};

TEST_CASE("however many ask for a probe, one runs at a time, and one in an interval") {
  constexpr std::uint64_t interval_ms = 30;
  Directory directory;
  StorageProbe probe(directory.loop, directory.blobs, interval_ms);
  const std::uint64_t began_ms = monotonic_ms();
  for (int round = 0; round < 5; ++round) {
    std::deque<std::optional<Result<void>>> answers(50);
    for (auto& answer : answers) directory.ask(probe, answer);
    run_until(directory.loop, [&] { return directory.gate.running() == 0; });
    for (const auto& answer : answers) CHECK(answer.value().ok());
  }
  const std::uint64_t elapsed_ms = monotonic_ms() - began_ms;
  CHECK(directory.blobs.begun <= 10);
  CHECK(directory.blobs.begun <= static_cast<int>(elapsed_ms / interval_ms) + 1);
}

TEST_CASE("who asks during a probe is answered by the next") {
  Directory directory;
  StorageProbe probe(directory.loop, directory.blobs, 1);
  SharedResult<bool> opened;
  SharedResult<bool> opened_again;
  directory.blobs.held_by = &opened;
  std::optional<Result<void>> first, second, third;
  directory.ask(probe, first);
  directory.ask(probe, second);
  directory.ask(probe, third);
  CHECK(directory.blobs.begun == 1);
  directory.blobs.held_by = &opened_again;  // or it could begin before the directory is gone
  opened.set(true);
  run_until(directory.loop, [&] { return first.has_value() && directory.blobs.begun == 2; });
  CHECK(first->ok());
  CHECK_FALSE(second.has_value());
  fs::remove(directory.unfinished());
  opened_again.set(true);
  run_until(directory.loop, [&] { return directory.gate.running() == 0; });
  CHECK(directory.blobs.begun == 2);
  CHECK_FALSE(second.value().ok());
  CHECK_FALSE(third.value().ok());
}

}  // namespace
}  // namespace imgcached::images
