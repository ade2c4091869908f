// Backend: everything that port 5000 says.
//
// It owns what it shows (templates, static files) and one small class for each
// part of the site, which adds its routes; it knows none of their business. The
// services it stands on belong to the caller.
//
//   Backend::open(services, settings) -> router(), error_renderer() -> http::Server
//
// A failure is told in JSON under /api and /images, whose users are programs,
// and as a page elsewhere.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "cache/cache_client.h"
#include "db/cache_properties_table.h"
#include "db/cache_stats_table.h"
#include "db/pool.h"
#include "http/router.h"
#include "http/server.h"
#include "images/store_client.h"
#include "pages/api.h"
#include "pages/cache_properties_page.h"
#include "pages/cache_stats_page.h"
#include "pages/health.h"
#include "pages/home_page.h"
#include "pages/image_page.h"
#include "pages/keys_page.h"
#include "pages/page_renderer.h"
#include "pages/raw_images.h"
#include "pages/static_files.h"
#include "pages/templates.h"
#include "pages/upload_page.h"

namespace imgcached::pages {

struct BackendServices {
  images::StoreClient& store;
  cache::CacheClient& cache;
  db::Pool& database;
  ReadLoopFigures loop_figures;
};

struct BackendSettings {
  std::uint64_t upload_bytes_max = 32u << 20;  // of one image
  std::string www_directory;                   // holds templates/ and static/
  std::string dygraphs_directory = "/usr/share/javascript/dygraphs";
};

class Backend {
 public:
  // Blocks: for start-up. Errors name the file that is missing or wrong. The
  // services must outlive the Backend.
  static Result<std::unique_ptr<Backend>> open(BackendServices services,
                                               const BackendSettings& settings);

  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // Both are valid as long as the Backend.
  const http::Router& router() const { return router_; }
  http::ErrorRenderer error_renderer() const;

 private:
  Backend(BackendServices services, const BackendSettings& settings, Templates templates,
          StaticFiles static_files);

  const std::uint64_t upload_bytes_max_;
  Templates templates_;
  PageRenderer renderer_;
  StaticFiles static_files_;
  db::CachePropertiesTable properties_;
  db::CacheStatsTable stats_;

  Api api_;
  RawImages raw_images_;
  HomePage home_page_;
  ImagePage image_page_;
  UploadPage upload_page_;
  KeysPage keys_page_;
  CachePropertiesPage cache_properties_page_;
  CacheStatsPage cache_stats_page_;
  Health health_;
  http::Router router_;
};

}  // namespace imgcached::pages
