#include "net/file_system.h"

#include <doctest/doctest.h>
#include <sys/vfs.h>

#include "tests/e2e/fixture.h"

namespace imgcached::net {
namespace {

TEST_CASE("a sync of the file system is relied upon from Linux 5.17 on") {
  for (const char* release : {"5.17.0", "5.17", "5.100.3", "6.1.0-13-amd64", "10.0"}) {
    CAPTURE(release);
    CHECK(is_sync_reliable(release, "ext4"));
  }
  for (const char* release : {"5.16.20", "5.8.0", "4.19.0", "5", "5.", "", ".17", "x.y", "next"}) {
    CAPTURE(release);
    CHECK_FALSE(is_sync_reliable(release, "ext4"));
  }
}

TEST_CASE("a sync of the file system is relied upon on ext4 and XFS") {
  CHECK(is_sync_reliable("6.1.0", "xfs"));
  for (const char* type :
       {"", "ext2", "ext3", "ext", "ext44", "tmpfs", "overlay", "nfs4", "fuse"}) {
    CAPTURE(type);
    CHECK_FALSE(is_sync_reliable("6.1.0", type));
  }
}

TEST_CASE("of a directory it is found out where it is") {
  constexpr auto tmpfs_magic = 0x01021994;
  struct statfs status;
  if (::statfs("/dev/shm", &status) == 0 && status.f_type == tmpfs_magic) {
    CHECK_FALSE(FileSystem::open_if_reliable("/dev/shm").has_value());
  }
  CHECK_FALSE(FileSystem::open_if_reliable("/proc/self").has_value());
  CHECK_FALSE(FileSystem::open_if_reliable("/no/such/directory").has_value());
  e2e::ScratchDirectory scratch;
  std::optional<FileSystem> file_system = FileSystem::open_if_reliable(scratch.path());
  constexpr auto ext_magic = 0xEF53;
  REQUIRE(::statfs(scratch.path().c_str(), &status) == 0);
  if (!file_system) {
    MESSAGE("files are synced one by one here");
    return;
  }
  CHECK((status.f_type == ext_magic || status.f_type == 0x58465342));
  for (int i = 0; i < 2; ++i) {
    const Result<void> synced = file_system->sync();
    CHECK(synced.ok());
  }
}

}  // namespace
}  // namespace imgcached::net
