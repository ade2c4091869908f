#include "images/blob_store.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/e2e/fixture.h"
#include "tests/images/stored_files.h"
#include "tests/net/run_task.h"

namespace imgcached::images {
namespace {

namespace fs = std::filesystem;
using imgcached::test::run_task;

std::string gif_of(std::string_view what, std::size_t bytes = 64) {
  std::string image = "GIF89a" + std::string(what);
  image.resize(bytes, '.');
  return image;
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// A store in a fresh directory, whose parent is not there yet.
struct Disk {
  e2e::ScratchDirectory scratch;
  net::Loop loop;
  std::string root = scratch.path() + "/var/images";

  ~Disk() {
    loop.run();
    CHECK(loop.live_handles() == 0);
  }

  BlobStore open(Durability durability = Durability::strict, std::uint64_t bytes_max = 1 << 20) {
    Result<BlobStore> store = BlobStore::open(loop, {root, durability, bytes_max});
    REQUIRE_MESSAGE(store.ok(), store.error().message);
    REQUIRE(store->prepare().ok());
    return std::move(*store);
  }
  std::set<std::string> files() const { return stored_files(root); }
  template <class T>
  T run(Task<T> task) {
    return run_task(loop, std::move(task));
  }
  Result<BlobWriter::Finished> store(BlobStore& blobs, std::string bytes) {
    BlobWriter writer = blobs.begin();
    Result<void> written = run(writer.write(bytes));
    if (!written) {
      run_task(loop, writer.discard());
      return std::move(written).error();
    }
    return run(writer.finish());
  }
};

TEST_CASE("what was stored is read back, under either durability") {
  for (const Durability durability : {Durability::strict, Durability::none}) {
    Disk disk;
    BlobStore blobs = disk.open(durability);
    const std::string image = gif_of("cat");
    const Result<BlobWriter::Finished> stored = disk.store(blobs, image);
    REQUIRE(stored.ok());
    CHECK(stored->content_type == "image/gif");
    CHECK(stored->byte_size == image.size());
    CHECK(stored->digest == digest_of(image));
    CHECK(disk.files() == std::set<std::string>{stored->location});
    const Result<Blob> read = disk.run(blobs.read(stored->location));
    REQUIRE(read.ok());
    CHECK(read->view() == image);
  }
}

TEST_CASE("a location is the first two of 32 hexadecimal digits, a slash, and all of them") {
  Disk disk;
  BlobStore blobs = disk.open();
  std::set<std::string> locations;
  for (int i = 0; i < 20; ++i) {
    const Result<BlobWriter::Finished> stored = disk.store(blobs, gif_of("the same bytes"));
    REQUIRE(stored.ok());
    const std::string& location = stored->location;
    CHECK(location.size() == 35);
    CHECK(location.substr(0, 2) == location.substr(3, 2));
    CHECK(location[2] == '/');
    CHECK(location.substr(3).find_first_not_of("0123456789abcdef") == std::string::npos);
    locations.insert(location);
  }
  CHECK(locations.size() == 20);
  CHECK(disk.files() == locations);
  const Result<std::vector<std::string>> listed = disk.run(blobs.locations());
  REQUIRE(listed.ok());
  CHECK(std::set<std::string>(listed->begin(), listed->end()) == locations);
}

TEST_CASE("an image larger than the writer's buffer comes through in any pieces") {
  Disk disk;
  BlobStore blobs = disk.open();
  const std::string image = gif_of("large", 3 * BlobWriter::buffer_bytes + 17);
  for (const std::size_t piece_bytes :
       {std::size_t{1000}, BlobWriter::buffer_bytes, image.size()}) {
    CAPTURE(piece_bytes);
    BlobWriter writer = blobs.begin();
    for (std::size_t at = 0; at < image.size(); at += piece_bytes) {
      CHECK(disk.run(writer.write(std::string_view(image).substr(at, piece_bytes))).ok());
    }
    const Result<BlobWriter::Finished> stored = disk.run(writer.finish());
    REQUIRE(stored.ok());
    CHECK(stored->digest == digest_of(image));
    const Result<Blob> read = disk.run(blobs.read(stored->location));
    REQUIRE(read.ok());
    CHECK(read->view() == image);
  }
}

TEST_CASE("two uploads at a time do not share a temporary file") {
  Disk disk;
  BlobStore blobs = disk.open();
  const std::string images[] = {gif_of("one", 2 * BlobWriter::buffer_bytes),
                                gif_of("two", 2 * BlobWriter::buffer_bytes)};
  BlobWriter first = blobs.begin();
  BlobWriter second = blobs.begin();
  const std::size_t half = BlobWriter::buffer_bytes;
  for (const std::size_t at : {std::size_t{0}, half}) {
    CHECK(disk.run(first.write(std::string_view(images[0]).substr(at, half))).ok());
    CHECK(disk.run(second.write(std::string_view(images[1]).substr(at, half))).ok());
  }
  CHECK(disk.files().size() == 2);
  const Result<BlobWriter::Finished> stored[] = {disk.run(first.finish()),
                                                 disk.run(second.finish())};
  for (int i = 0; i < 2; ++i) {
    REQUIRE(stored[i].ok());
    CHECK(disk.run(blobs.read(stored[i].value().location))->view() == images[i]);
  }
}

TEST_CASE("no image and an empty file are refused and leave nothing") {
  Disk disk;
  BlobStore blobs = disk.open();
  const std::string texts[] = {"", "G", "plain text", std::string(200'000, 'x')};
  for (const std::string& text : texts) {
    CAPTURE(text.size());
    const Result<BlobWriter::Finished> stored = disk.store(blobs, text);
    REQUIRE_FALSE(stored.ok());
    CHECK(stored.error().code == (text.empty() ? Errc::invalid_argument : Errc::unsupported_type));
    CHECK(stored.error().message.ends_with(text.empty() ? "" : "AVIF or ICO"));
    CHECK(disk.files().empty());
  }
}

TEST_CASE("an image of the limit is stored, one byte more is too large and leaves nothing") {
  Disk disk;
  const std::uint64_t limit = 2 * BlobWriter::buffer_bytes;
  BlobStore blobs = disk.open(Durability::none, limit);
  CHECK(disk.store(blobs, gif_of("fits", limit)).ok());
  const std::set<std::string> before = disk.files();

  BlobWriter writer = blobs.begin();
  CHECK(disk.run(writer.write(gif_of("grows", limit))).ok());
  CHECK(disk.files().size() == before.size() + 1);  // it is being streamed
  const Result<void> written = disk.run(writer.write("!"));
  REQUIRE_FALSE(written.ok());
  CHECK(written.error().code == Errc::too_large);
  run_task(disk.loop, writer.discard());
  CHECK(disk.files() == before);
}

TEST_CASE("a discarded upload leaves nothing, however far it came") {
  Disk disk;
  BlobStore blobs = disk.open();
  for (const std::size_t bytes : {std::size_t{10}, 3 * BlobWriter::buffer_bytes}) {
    BlobWriter writer = blobs.begin();
    CHECK(disk.run(writer.write(gif_of("never mind", bytes))).ok());
    run_task(disk.loop, writer.discard());
    run_task(disk.loop, writer.discard());  // once more does no harm
    CHECK(disk.files().empty());
  }
}

TEST_CASE("so many uploads have a file at a time; one more is unavailable, a small one is not") {
  Disk disk;
  Result<BlobStore> opened = BlobStore::open(disk.loop, {disk.root, Durability::none, 1 << 20, 2});
  REQUIRE(opened.ok());
  BlobStore blobs = std::move(*opened);
  REQUIRE(blobs.prepare().ok());
  const std::string large = gif_of("large", BlobWriter::buffer_bytes);
  BlobWriter first = blobs.begin();
  BlobWriter second = blobs.begin();
  BlobWriter third = blobs.begin();
  CHECK(disk.run(first.write(large)).ok());
  CHECK(disk.run(second.write(large)).ok());
  const Result<void> refused = disk.run(third.write(large));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Errc::unavailable);
  run_task(disk.loop, third.discard());
  BlobWriter small = blobs.begin();
  CHECK(disk.run(small.write(gif_of("small"))).ok());
  CHECK(disk.run(small.finish()).ok());
  // Either end of an upload makes room.
  CHECK(disk.run(first.finish()).ok());
  BlobWriter fourth = blobs.begin();
  CHECK(disk.run(fourth.write(large)).ok());
  run_task(disk.loop, second.discard());
  BlobWriter fifth = blobs.begin();
  CHECK(disk.run(fifth.write(large)).ok());
  run_task(disk.loop, fourth.discard());
  run_task(disk.loop, fifth.discard());
}

TEST_CASE("unfinished uploads of a former run are removed at the start, images are not") {
  Disk disk;
  std::string location;
  {
    BlobStore blobs = disk.open();
    location = disk.store(blobs, gif_of("kept")).value().location;
  }
  write_file(disk.root + "/tmp/0123456789abcdef0123456789abcdef", "half an ima");
  BlobStore blobs = disk.open();
  CHECK(disk.files() == std::set<std::string>{location});
}

TEST_CASE("a directory belongs to one process at a time") {
  Disk disk;
  {
    BlobStore blobs = disk.open();
    const Result<BlobStore> second = BlobStore::open(disk.loop, {disk.root});
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().code == Errc::unavailable);
    CHECK(second.error().message.find(disk.root) != std::string::npos);
  }
  disk.open();
}

TEST_CASE("a root that can't be a directory is an error that names it") {
  Disk disk;
  write_file(disk.scratch.path() + "/var", "a file");
  const Result<BlobStore> store = BlobStore::open(disk.loop, {disk.root});
  REQUIRE_FALSE(store.ok());
  CHECK(store.error().message.find(disk.scratch.path() + "/var") != std::string::npos);
}

TEST_CASE("a store that is opened and not used leaves the disk as it was") {
  Disk disk;
  {
    const Result<BlobStore> store = BlobStore::open(disk.loop, {disk.root});
    REQUIRE(store.ok());
    CHECK_FALSE(store->has_images().value());
  }
  CHECK_FALSE(fs::exists(disk.scratch.path() + "/var"));

  fs::create_directories(disk.root);
  write_file(disk.root + "/of-the-user", "");
  CHECK(BlobStore::open(disk.loop, {disk.root}).ok());
  CHECK(fs::exists(disk.root + "/of-the-user"));
  CHECK_FALSE(fs::exists(disk.root + "/lock"));

  BlobStore used = disk.open();
  CHECK_FALSE(used.has_images().value());
  CHECK(disk.store(used, gif_of("cat")).ok());
  CHECK(used.has_images().value());
}

TEST_CASE("removing takes what is there and minds nothing that is not") {
  Disk disk;
  BlobStore blobs = disk.open();
  const std::string first = disk.store(blobs, gif_of("first")).value().location;
  const std::string second = disk.store(blobs, gif_of("second")).value().location;
  const std::string kept = disk.store(blobs, gif_of("kept")).value().location;
  CHECK(disk.run(blobs.remove({first, "00/gone", second})).ok());
  CHECK(disk.files() == std::set<std::string>{kept});
  const Result<Blob> read = disk.run(blobs.read(first));
  REQUIRE_FALSE(read.ok());
  CHECK(read.error().code == Errc::not_found);
}

TEST_CASE("a directory that takes no files fails the upload and the probe, and recovers") {
  Disk disk;
  BlobStore blobs = disk.open();
  CHECK(disk.run(blobs.probe()).ok());
  fs::remove(disk.root + "/tmp");
  write_file(disk.root + "/tmp", "in the way");  // stops root as well, unlike a mode
  const Result<BlobWriter::Finished> stored = disk.store(blobs, gif_of("cat"));
  REQUIRE_FALSE(stored.ok());
  CHECK(stored.error().code == Errc::storage_failed);
  CHECK(stored.error().message.find(disk.root) == std::string::npos);  // that is for the log
  CHECK_FALSE(disk.run(blobs.probe()).ok());

  fs::remove(disk.root + "/tmp");
  fs::create_directory(disk.root + "/tmp");
  CHECK(disk.store(blobs, gif_of("cat")).ok());
  CHECK(disk.run(blobs.probe()).ok());
  CHECK(disk.files().size() == 1);
}

TEST_CASE("an upload that can't get its final name leaves nothing") {
  Disk disk;
  BlobStore blobs = disk.open();
  for (const auto& entry : fs::directory_iterator(disk.root)) {
    if (entry.is_directory() && entry.path().filename() != "tmp") fs::remove(entry.path());
  }
  const Result<BlobWriter::Finished> stored = disk.store(blobs, gif_of("cat"));
  REQUIRE_FALSE(stored.ok());
  CHECK(stored.error().code == Errc::storage_failed);
  CHECK(disk.files().empty());
}

TEST_CASE("the scarcer files for uploads get, the faster an upload that has one must come") {
  constexpr std::size_t files_max = 4;
  Disk disk;
  Result<BlobStore> blobs =
      BlobStore::open(disk.loop, {disk.root, Durability::none, 1 << 20, files_max});
  REQUIRE(blobs.ok());
  REQUIRE(blobs->prepare().ok());
  std::vector<BlobWriter> writers;
  for (std::size_t i = 0; i <= files_max; ++i) writers.push_back(blobs->begin());
  const std::string large = gif_of("large", BlobWriter::buffer_bytes);
  const std::uint64_t paces[files_max] = {0, 0, BlobWriter::pace_max / 2, BlobWriter::pace_max};
  for (std::size_t i = 0; i < files_max; ++i) {
    const std::uint64_t pace = paces[i];
    BlobWriter& writer = writers[i];
    CHECK(writer.pace_min() == 0);  // it has no file yet
    REQUIRE(disk.run(writer.write(large)).ok());
    CHECK(writer.pace_min() == pace);
    CHECK(writers[0].pace_min() == pace);
  }
  const Result<void> refused = disk.run(writers.back().write(large));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Errc::unavailable);
  for (BlobWriter& writer : writers) disk.run(writer.discard());
  CHECK(writers[0].pace_min() == 0);
}

}  // namespace
}  // namespace imgcached::images
