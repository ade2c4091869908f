// CachePropertiesPage: `/cache_properties` configures and clears the cache.
//
// A change appends a row to cache_properties, whose newest row is in force, and
// then has the cache service read it. When the service can't be told, the row
// stays: it is what the user wants, and the service takes it at its next start.
// What the page shows as in force is what the service answers, not the row.
//
// `?confirm=clear` is the page with the question whether to clear, for browsers
// without JavaScript; the others ask in a dialog.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "cache/cache_client.h"
#include "db/cache_properties_table.h"
#include "http/router.h"
#include "http/url.h"
#include "pages/page_renderer.h"

namespace imgcached::pages {

// A capacity in MB as a user types it: decimal digits, white space around them,
// at most what the cache's machine has, as far as that is known (the service cuts what
// is more). Error invalid_argument says what is wrong with it.
Result<std::uint64_t> parse_capacity_mb(std::string_view text,
                                        std::optional<std::uint64_t> machine_mb);

// What a form wants changed.
struct CacheChange {
  std::optional<std::uint64_t> capacity_mb;
  std::optional<cache::Replacement> replacement;
  bool clear = false;
  // Why nothing may be done, by field; empty when all is well.
  std::string capacity_error;
  std::string replacement_error;

  bool configures() const { return capacity_mb || replacement; }
  bool refused() const { return !capacity_error.empty() || !replacement_error.empty(); }
};

// A field that is not there leaves its setting as it is. `clear_cache`, with any
// value, clears; the form it comes with may leave the capacity blank then.
CacheChange parse_cache_change(const http::Form& form, std::optional<std::uint64_t> machine_mb);

class CachePropertiesPage {
 public:
  CachePropertiesPage(const PageRenderer& renderer, db::CachePropertiesTable& table,
                      cache::CacheClient& cache);

  void add_routes(http::Router& router);

 private:
  using Rows = std::vector<db::CachePropertiesRow>;

  struct Settings {
    std::uint64_t capacity_mb;
    cache::Replacement replacement;
    std::string problem;  // why the newest row is not in force
  };

  // What the user asked for, which the form keeps when it was not done.
  struct Typed {
    std::optional<std::string> capacity;
    std::optional<cache::Replacement> replacement;
  };

  // What the newest row says, or the defaults.
  static Settings settings_of(const Rows& rows);

  Task<http::Response> show(http::Request& request);
  Task<http::Response> change(http::Request& request);
  // Makes `settings` the newest row, and has the cache take it.
  Task<Result<void>> apply(Settings settings);
  // The page: `view` has what there is to say. Without rows, as the database is away,
  // there is no form.
  Task<http::Response> render(int status, View view, std::optional<Rows> rows, Typed typed);

  const PageRenderer& renderer_;
  db::CachePropertiesTable& table_;
  cache::CacheClient& cache_;
};

}  // namespace imgcached::pages
