// Api: the JSON calls under /api/, whose bodies are fixed by clients that exist.
//
// `success` is the string "true" or "false" everywhere; a failure says more, see
// failure.h. What changes nothing is there by GET as well as by POST.
#pragma once

#include <cstdint>
#include <string>

#include "base/task.h"
#include "db/cache_properties_table.h"
#include "db/cache_stats_table.h"
#include "http/router.h"
#include "http/url.h"
#include "images/store_client.h"

namespace imgcached::pages {

// What /api/list_keys is asked for.
struct ListParameters {
  // No answer has more keys, whatever was asked for.
  static constexpr std::size_t keys_max = 1'000'000;

  std::string prefix;
  std::string after;
  std::size_t limit = keys_max;
};

// Reads `prefix`, `after` and `limit`; error invalid_argument names the one that
// is wrong. An empty field is as good as none.
Result<ListParameters> parse_list_parameters(const http::Form& form);

class Api {
 public:
  Api(images::StoreClient& store, db::CacheStatsTable& stats, db::CachePropertiesTable& properties,
      std::uint64_t upload_bytes_max)
      : store_(store),
        stats_(stats),
        properties_(properties),
        upload_bytes_max_(upload_bytes_max) {}

  void add_routes(http::Router& router);

 private:
  Task<http::Response> upload(http::Request& request);
  Task<http::Response> list_keys(http::Request& request);
  Task<http::Response> get(http::Request& request);
  Task<http::Response> remove(http::Request& request);
  Task<http::Response> remove_all(http::Request& request);
  Task<http::Response> stats(http::Request& request);

  images::StoreClient& store_;
  db::CacheStatsTable& stats_;
  db::CachePropertiesTable& properties_;
  const std::uint64_t upload_bytes_max_;
};

}  // namespace imgcached::pages
