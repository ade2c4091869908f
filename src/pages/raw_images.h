// RawImages: the images themselves, for <img>, curl and browsers.
//
//   GET, HEAD /images/KEY   the bytes; conditional by ETag, ranges
//   PUT       /images/KEY   the body is the file: curl -T cat.jpg host:5000/images/cat
//   DELETE    /images/KEY
//
// If-Match and If-None-Match count for all of them; for a change they are judged
// against the row at the moment of its commit, so of two clients that both replace
// what they have seen one gets 412.
//
// The key is the decoded rest of the path. Clients normalise paths before they
// send them, so a key like `..` or `a/../b` can't be reached that way: all of it
// is at /images?key=KEY too. Failures are JSON as under /api: these are calls of
// programs, and a page in place of an <img> would show nowhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/task.h"
#include "http/router.h"
#include "images/store_client.h"

namespace imgcached::pages {

// Where a key's image is, as a link that no client changes on the way.
std::string raw_image_url(std::string_view key);

class RawImages {
 public:
  RawImages(images::StoreClient& store, std::uint64_t upload_bytes_max)
      : store_(store), upload_bytes_max_(upload_bytes_max) {}

  void add_routes(http::Router& router);

 private:
  Task<http::Response> get(http::Request& request);
  Task<http::Response> put(http::Request& request);
  Task<http::Response> remove(http::Request& request);

  images::StoreClient& store_;
  const std::uint64_t upload_bytes_max_;
};

}  // namespace imgcached::pages
