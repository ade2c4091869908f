#include "tests/e2e/store_checks.h"

#include <doctest/doctest.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <vector>

#include "base/blob.h"
#include "net/file_system.h"
#include "tests/e2e/deployment.h"

namespace imgcached::e2e {
namespace {

namespace fs = std::filesystem;

struct ImageRow {
  std::string key;
  std::string location;
  std::string etag;
};

std::vector<ImageRow> rows_of(const Server& server) {
  std::vector<ImageRow> rows;
  for (auto& row :
       Database::shared().query("SELECT `key`, location, etag FROM images", server.database())) {
    rows.push_back({std::move(row.at(0)), std::move(row.at(1)), std::move(row.at(2))});
  }
  return rows;
}

std::string without(const std::set<std::string>& some, const std::set<std::string>& others) {
  std::vector<std::string> left;
  std::set_difference(some.begin(), some.end(), others.begin(), others.end(),
                      std::back_inserter(left));
  return fmt::format("{}", fmt::join(left, " "));
}

void check_files(const Server& server, const std::vector<ImageRow>& rows) {
  std::set<std::string> locations;
  for (const ImageRow& row : rows) locations.insert(row.location);
  const std::set<std::string> files = files_of(server);
  const std::string orphans = without(files, locations);
  const std::string dangling = without(locations, files);
  CHECK_MESSAGE(orphans.empty(), "orphans: " << orphans);
  CHECK_MESSAGE(dangling.empty(), "dangling: " << dangling);
}

}  // namespace

std::set<std::string> files_of(const Server& server) {
  std::set<std::string> files;
  const std::string root = server.images_directory();
  fs::recursive_directory_iterator entry(root);
  for (; entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->is_regular_file() && entry.depth() > 0) files.insert(fs::relative(*entry, root));
  }
  return files;
}

bool are_synced_together(const Server& server) {
  return net::FileSystem::open_if_reliable(server.images_directory()).has_value();
}

void check_files_match_rows(const Server& server) { check_files(server, rows_of(server)); }

std::size_t check_rows_are_served(const Server& server, HttpPeer& backend) {
  const std::vector<ImageRow> rows = rows_of(server);
  for (const ImageRow& row : rows) {
    CAPTURE(row.key);
    const Reply reply = backend.get(path_of("/images/", row.key));
    CHECK(reply.status == 200);
    CHECK(digest_of(reply.body).hex() == row.etag);
  }
  check_files(server, rows);
  return rows.size();
}

std::optional<ExpectedImage::Bytes> ExpectedImage::match(const std::string* present) const {
  const auto is = [&](const Bytes& bytes) {
    return present ? bytes && *bytes == *present : !bytes;
  };
  if (is(acknowledged)) return acknowledged;
  if (attempted && is(*attempted)) return *attempted;
  return std::nullopt;
}

void check_and_settle(HttpPeer& backend, const std::string& key, ExpectedImage& expected) {
  CAPTURE(key);
  const Reply reply = backend.get(path_of("/images/", key));
  CAPTURE(reply.status);
  CHECK((reply.status == 200 || reply.status == 404));
  const auto present = expected.match(reply.status == 200 ? &reply.body : nullptr);
  CHECK_MESSAGE(present.has_value(), "neither the old image nor the new one");
  if (present) expected.settle(*present);
}

int put(HttpPeer& backend, const std::string& key, const std::string& image) {
  return backend.request("PUT", path_of("/images/", key), {}, image).status;
}

void check_image(HttpPeer& backend, const std::string& key, const std::string& image) {
  const Reply reply = backend.get(path_of("/images/", key));
  CHECK(reply.status == 200);
  CHECK((reply.body == image));
}

}  // namespace imgcached::e2e
