// A disk that is full and a directory that can't be written: the client is told,
// the log says why, what was stored before stays whole, and nothing is left of
// the attempt.
#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/e2e/fixture.h"
#include "tests/e2e/http_peer.h"
#include "tests/e2e/store_checks.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

namespace fs = std::filesystem;

// A file system of its own for the images of a server, which move there.
class SmallDisk {
 public:
  // False when mounting is not permitted.
  SmallDisk(Server& server, const std::string& size) : path_(server.images_directory()) {
    REQUIRE(server.terminate() == 0);
    const ScratchDirectory meanwhile;
    const std::string copy = meanwhile.path() + "/images";
    fs::copy(path_, copy, fs::copy_options::recursive);
    const std::string options = "size=" + size + ",mode=0700";
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, options.c_str()) == 0;
    if (!mounted_) MESSAGE("not tried, as a tmpfs can't be mounted: " << std::strerror(errno));
    if (mounted_) fs::copy(copy, path_, fs::copy_options::recursive);
    server.restart();
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  explicit operator bool() const { return mounted_; }
  std::uint64_t free_bytes() const {
    struct statvfs status;
    REQUIRE(::statvfs(path_.c_str(), &status) == 0);
    return status.f_bavail * status.f_bsize;
  }

 private:
  std::string path_;
  bool mounted_ = false;
};

TEST_CASE("a full disk is 507, keeps the old image, leaves nothing, and passes") {
  Server server;
  const SmallDisk disk(server, "2m");
  if (!disk) return;
  HttpPeer peer(server.backend_port());
  const std::string first = png(300'000, 1);
  CHECK(put(peer, "first", first) == 201);
  int stored = 1;
  int status = 0;
  while ((status = put(peer, "fill" + std::to_string(stored), png(300'000, 2))) == 201) {
    REQUIRE(++stored < 20);
  }
  CHECK(status == 507);

  const LogSince log(server);
  const std::uint64_t free_bytes = disk.free_bytes();
  const Reply form =
      peer.post("/api/upload", Multipart().field("key", "first").file("file", png(1'000'000, 3)));
  CHECK(form.status == 507);
  CHECK(form.body_has("\"code\":507"));
  CHECK(form.body_has("full"));
  CHECK(put(peer, "first", png(1'000'000, 4)) == 507);
  CHECK(log.has("No space left on device"));
  CHECK_FALSE(form.body_has(server.images_directory()));
  CHECK(files_of(server).size() == static_cast<std::size_t>(stored));
  CHECK(disk.free_bytes() == free_bytes);
  check_image(peer, "first", first);
  server.restart();  // from disk, too
  peer.disconnect();
  check_image(peer, "first", first);

  CHECK(peer.request("DELETE", "/images/fill1").status == 204);
  CHECK(put(peer, "first", png(200'000, 5)) == 200);
  check_image(peer, "first", png(200'000, 5));
}

TEST_CASE("a limit on the size of files is 507 as well, and does not kill the server") {
  Server server;
  HttpPeer peer(server.backend_port());
  const std::string old_image = png(50'000, 1);
  CHECK(put(peer, "cat", old_image) == 201);
  rlimit before;
  REQUIRE(::prlimit(server.pid(), RLIMIT_FSIZE, nullptr, &before) == 0);
  const rlimit small{200'000, before.rlim_max};
  REQUIRE(::prlimit(server.pid(), RLIMIT_FSIZE, &small, nullptr) == 0);

  const LogSince log(server);
  CHECK(put(peer, "cat", png(700'000, 2)) == 507);  // begins to be written while it comes
  CHECK(put(peer, "dog", png(250'000, 3)) == 507);
  CHECK(log.has("File too large"));
  CHECK(files_of(server).size() == 1);
  check_image(peer, "cat", old_image);
  CHECK(put(peer, "small", png(10'000, 4)) == 201);

  REQUIRE(::prlimit(server.pid(), RLIMIT_FSIZE, &before, nullptr) == 0);
  CHECK(put(peer, "cat", png(700'000, 2)) == 200);
  check_image(peer, "cat", png(700'000, 2));
}

TEST_CASE("a directory that can't be written is a failure that is logged, and passes") {
  Server server;
  HttpPeer peer(server.backend_port());
  const std::string old_image = png(5'000, 1);
  CHECK(put(peer, "cat", old_image) == 201);
  CHECK(peer.get("/readyz").status == 200);
  // A file in its place stops root as well, unlike a mode.
  const std::string unfinished = server.images_directory() + "/tmp";
  fs::remove(unfinished);
  std::ofstream(unfinished) << "in the way";

  const LogSince log(server);
  for (const std::size_t bytes : {1'000, 500'000}) {
    const Reply reply = peer.request("PUT", "/images/cat", {}, png(bytes, 2));
    CHECK(reply.status == 503);
    CHECK(reply.header("Retry-After") != "");
    CHECK_FALSE(reply.body_has(server.images_directory()));
  }
  CHECK(log.has("Not a directory"));
  CHECK(log.has(unfinished));
  CHECK(peer.get("/readyz").status == 503);
  CHECK(files_of(server).size() == 1);
  check_image(peer, "cat", old_image);
  check_image(peer, "cat", old_image);

  fs::remove(unfinished);
  fs::create_directory(unfinished);
  CHECK(put(peer, "cat", png(5'000, 3)) == 200);
  check_image(peer, "cat", png(5'000, 3));
  CHECK(peer.get("/readyz").status == 200);
}

// By every way to read it: what happened and what to do.
void check_data_lost(HttpPeer& peer, std::string_view what) {
  CAPTURE(what);
  for (const char* target : {"/images/cat", "/api/key/cat", "/image?key=cat"}) {
    CAPTURE(target);
    const Reply reply = peer.get(target);
    CHECK(reply.status == 500);
    CHECK(reply.body_has(what));
    CHECK(reply.body_has("upload it again"));
  }
  CHECK(peer.get("/image?key=cat").body_has("/upload_image?key=cat"));
}

TEST_CASE("an image whose file was damaged or lost is a 500 until it is uploaded again") {
  Server server;
  HttpPeer peer(server.backend_port());
  CHECK(put(peer, "cat", png(5'000, 1)) == 201);
  const std::string location = *files_of(server).begin();
  const std::string path = server.images_directory() + "/" + location;
  const LogSince log(server);
  SUBCASE("damaged") {
    std::ofstream(path, std::ios::binary | std::ios::in).seekp(2'000) << "damage";
    check_data_lost(peer, "is damaged");
    CHECK(log.has("image_file_damaged key=\"cat\" location=" + location));
  }
  SUBCASE("a directory in its place") {
    fs::remove(path);
    fs::create_directory(path);
    check_data_lost(peer, "is damaged");
    CHECK(log.has("image_file_damaged key=\"cat\" location=" + location));
  }
  SUBCASE("a pipe in its place") {
    fs::remove(path);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    check_data_lost(peer, "is damaged");
    CHECK(log.has("image_file_damaged key=\"cat\" location=" + location));
  }
  SUBCASE("lost while the server runs") {
    fs::remove(path);
    check_data_lost(peer, "is missing");
    CHECK(log.has("image_file_missing key=\"cat\" location=" + location));
  }
  SUBCASE("lost, as the server says when it starts") {
    fs::remove(path);
    server.restart();
    peer.disconnect();
    CHECK(log.has("image_file_missing key=\"cat\" location=" + location));
    CHECK(log.has("files_missing=1"));
    check_data_lost(peer, "is missing");
  }
  CHECK(put(peer, "cat", png(5'000, 2)) == 200);
  check_image(peer, "cat", png(5'000, 2));
}

TEST_CASE("a directory that another server owns is refused, by name") {
  Server server;
  const Outcome outcome =
      run_imgcached({"--listen", "127.0.0.1:0", "--cache-listen", "127.0.0.1:0", "--images",
                     server.images_directory(), "--db-socket", Database::shared().socket(),
                     "--db-user", "root", "--db-name", server.database()});
  CHECK(outcome.status == 2);
  CHECK(outcome.errors.find("--images") != std::string::npos);
  CHECK(outcome.errors.find("in use by another imgcached") != std::string::npos);
}

}  // namespace
}  // namespace imgcached::e2e
