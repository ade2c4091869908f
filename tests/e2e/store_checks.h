// What the tests of crashes and of storage faults look at: the files of a store,
// its rows, what it serves, and its log.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "tests/e2e/fixture.h"
#include "tests/e2e/http_peer.h"

namespace imgcached::e2e {

// Images and unfinished uploads, by their paths below the images' directory;
// what lies beside the directories of these is neither.
std::set<std::string> files_of(const Server& server);

// Whether small uploads are made durable together, by one sync of the file system, where
// these tests keep their images.
bool are_synced_together(const Server& server);

// No file without a row, an unfinished upload being one, and no row without its
// file.
void check_files_match_rows(const Server& server);

// That, and every row's image is served and is the one that the row is about, so
// that there is no older one in the cache. Returns how many rows there are.
std::size_t check_rows_are_served(const Server& server, HttpPeer& backend);

// What may be under a key: what was acknowledged last or, while a request has
// no answer, what that would make of it.
struct ExpectedImage {
  using Bytes = std::shared_ptr<const std::string>;  // null: no image

  Bytes acknowledged;
  std::optional<Bytes> attempted;

  // The outcome of what was attempted is known.
  void settle(Bytes present) {
    acknowledged = std::move(present);
    attempted.reset();
  }
  // Which of them is there; nothing when none of them is.
  std::optional<Bytes> match(const std::string* present) const;
};

// Reads the key, which must be one of what may be there; that is expected from
// then on.
void check_and_settle(HttpPeer& backend, const std::string& key, ExpectedImage& expected);

// What a server has logged since.
class LogSince {
 public:
  explicit LogSince(const Server& server) : server_(server), begin_(server.log().size()) {}
  std::string text() const { return server_.log().substr(begin_); }
  bool has(std::string_view what) const { return text().find(what) != std::string::npos; }

 private:
  const Server& server_;
  std::size_t begin_;
};

// The status of an upload.
int put(HttpPeer& backend, const std::string& key, const std::string& image);
void check_image(HttpPeer& backend, const std::string& key, const std::string& image);

}  // namespace imgcached::e2e
