// StaticFiles: style sheets, scripts and icons, served under /static/.
//
// They are few and small, so all are read at start and served from memory: no
// request names a file. A browser may keep one but asks each time whether it
// has changed (no-cache), and a strong ETag makes that a 304.
//
// All of them are text, and each is kept in gzip, too, for clients that accept
// it: dygraphs alone is 128 KB, and 37 KB in gzip.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/blob.h"
#include "base/result.h"
#include "base/task.h"
#include "http/router.h"

namespace imgcached::pages {

class StaticFiles {
 public:
  // Blocks: for start-up. Takes the files of `directory`, and of dygraphs, which
  // stays where its Debian package puts it, the two that pages use. Errors name
  // the file.
  static Result<StaticFiles> load(const std::string& directory,
                                  const std::string& dygraphs_directory);

  void add_routes(http::Router& router);

 private:
  // A file in one coding.
  struct Representation {
    std::string etag;  // with its quotes
    Blob bytes;
  };
  struct File {
    std::string_view content_type;
    Representation plain;
    Representation gzipped;
  };

  Result<void> add(const std::string& directory, const std::string& name);
  Task<http::Response> get(http::Request& request) const;

  std::map<std::string, File, std::less<>> files_;
};

}  // namespace imgcached::pages
