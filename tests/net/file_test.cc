#include "net/file.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/e2e/fixture.h"

namespace imgcached::net {
namespace {

// A directory of its own for each test, removed with all that is in it.
struct TemporaryDirectory : e2e::ScratchDirectory {
  std::string operator/(std::string_view name) const { return path() + "/" + std::string(name); }
};

void write_file(const std::string& path, std::string_view bytes) {
  Result<File> file = File::create(path);
  REQUIRE(file.ok());
  REQUIRE(file->write(bytes).ok());
}

TEST_CASE("what was written and synced is read back") {
  const TemporaryDirectory directory;
  const std::string path = directory / "file";
  {
    Result<File> file = File::create(path);
    REQUIRE(file.ok());
    CHECK(file->write("one ").ok());
    CHECK(file->write("").ok());
    CHECK(file->write("two").ok());
    CHECK(file->sync().ok());
  }
  CHECK(sync_directory(directory.path()).ok());
  const Result<Blob> bytes = read_file(path, 7);
  REQUIRE(bytes.ok());
  CHECK(bytes->view() == "one two");
}

TEST_CASE("an empty file reads as no bytes") {
  const TemporaryDirectory directory;
  write_file(directory / "empty", "");
  const Result<Blob> bytes = read_file(directory / "empty", 0);
  REQUIRE(bytes.ok());
  CHECK(bytes->empty());
}

TEST_CASE("creating refuses a name that is taken and leaves the file alone") {
  const TemporaryDirectory directory;
  write_file(directory / "file", "first");
  const Result<File> second = File::create(directory / "file");
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == Errc::storage_failed);
  CHECK(second.error().message.find(directory / "file") != std::string::npos);
  CHECK(read_file(directory / "file", 100)->view() == "first");
}

TEST_CASE("a missing file or directory is not found, and the error names it") {
  const TemporaryDirectory directory;
  const std::string missing = directory / "missing";
  CHECK(read_file(missing, 100).error().code == Errc::not_found);
  CHECK(read_file(missing, 100).error().message.find(missing) != std::string::npos);
  CHECK(File::create(missing + "/file").error().code == Errc::not_found);
  CHECK(rename_file(missing, directory / "other").error().code == Errc::not_found);
  CHECK(list_directory(missing).error().code == Errc::not_found);
  CHECK(sync_directory(missing).error().code == Errc::not_found);
}

TEST_CASE("a file over the limit is too large, a directory is no file") {
  const TemporaryDirectory directory;
  write_file(directory / "file", "12345");
  const Result<Blob> bytes = read_file(directory / "file", 4);
  REQUIRE_FALSE(bytes.ok());
  CHECK(bytes.error().code == Errc::too_large);
  CHECK(read_file(directory.path(), 100).error().code == Errc::data_lost);
}

TEST_CASE("a full disk is storage_full") {
  // Linux has a device for it.
  if (::access("/dev/full", W_OK) != 0) return;
  Result<File> full = File::lock("/dev/full");
  REQUIRE(full.ok());
  const Result<void> written = full->write("x");
  REQUIRE_FALSE(written.ok());
  CHECK(written.error().code == Errc::storage_full);
}

TEST_CASE("a rename replaces what had the name") {
  const TemporaryDirectory directory;
  write_file(directory / "old", "old");
  write_file(directory / "new", "new");
  CHECK(rename_file(directory / "new", directory / "old").ok());
  CHECK(read_file(directory / "old", 100)->view() == "new");
  CHECK(read_file(directory / "new", 100).error().code == Errc::not_found);
}

TEST_CASE("removing works once and is no error twice") {
  const TemporaryDirectory directory;
  write_file(directory / "file", "x");
  CHECK(remove_file(directory / "file").ok());
  CHECK(remove_file(directory / "file").ok());
  CHECK(read_file(directory / "file", 100).error().code == Errc::not_found);
  CHECK_FALSE(remove_file(directory.path()).ok());
}

TEST_CASE("a directory is made once, and a file in its place is an error") {
  const TemporaryDirectory directory;
  CHECK(make_directory(directory / "images").ok());
  CHECK(make_directory(directory / "images").ok());
  CHECK(make_directory(directory / "a/b").error().code == Errc::not_found);
  write_file(directory / "file", "x");
  CHECK(make_directory(directory / "file").error().code == Errc::storage_failed);
}

TEST_CASE("a directory is for us alone, or for whom it is said") {
  using std::filesystem::perms;
  const auto mode_of = [](const std::string& path) {
    return std::filesystem::status(path).permissions() & perms::others_all;
  };
  const TemporaryDirectory directory;
  REQUIRE(make_directory(directory / "ours").ok());
  REQUIRE(make_directory(directory / "everybodys", 0777).ok());
  CHECK(mode_of(directory / "ours") == perms::none);
  CHECK((mode_of(directory / "everybodys") & perms::others_read) != perms::none);
}

TEST_CASE("a first line is read without its end, and has its limit") {
  const TemporaryDirectory directory;
  write_file(directory / "two", "first\nsecond\n");
  write_file(directory / "open", "no end of line");
  write_file(directory / "blank", "\n");
  write_file(directory / "long", std::string(1'023, 'x') + "\n");
  write_file(directory / "longer", std::string(1'024, 'x') + "\n");
  write_file(directory / "empty", "");
  CHECK(*read_first_line(directory / "two") == "first");
  CHECK(*read_first_line(directory / "open") == "no end of line");
  CHECK(read_first_line(directory / "blank")->empty());
  CHECK(read_first_line(directory / "long")->size() == 1'023);
  for (const char* bad : {"longer", "empty", "nowhere"}) {
    const Result<std::string> line = read_first_line(directory / bad);
    REQUIRE_FALSE(line.ok());
    CHECK(line.error().code == Errc::invalid_argument);
    CHECK(line.error().message.find(directory / bad) != std::string::npos);
  }
}

TEST_CASE("a directory is listed without its dots") {
  const TemporaryDirectory directory;
  CHECK(list_directory(directory.path())->empty());
  write_file(directory / "b", "");
  write_file(directory / ".hidden", "");
  REQUIRE(make_directory(directory / "a").ok());
  Result<std::vector<std::string>> names = list_directory(directory.path());
  REQUIRE(names.ok());
  std::sort(names->begin(), names->end());
  CHECK(*names == std::vector<std::string>{".hidden", "a", "b"});
}

TEST_CASE("a lock keeps others out for as long as it lives") {
  const TemporaryDirectory directory;
  {
    const Result<File> held = File::lock(directory / "lock");
    REQUIRE(held.ok());
    const Result<File> refused = File::lock(directory / "lock");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Errc::unavailable);
  }
  CHECK(File::lock(directory / "lock").ok());
}

}  // namespace
}  // namespace imgcached::net
