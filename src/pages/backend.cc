#include "pages/backend.h"

#include "pages/failure.h"

namespace imgcached::pages {
namespace {

bool takes_images(std::string_view path) {
  return path == "/api/upload" || path == "/upload_image" || path == "/images" ||
         path.starts_with("/images/");
}

}  // namespace

Result<std::unique_ptr<Backend>> Backend::open(BackendServices services,
                                               const BackendSettings& settings) {
  Result<Templates> templates = Templates::load(settings.www_directory + "/templates");
  if (!templates) return std::move(templates).error();
  Result<StaticFiles> static_files =
      StaticFiles::load(settings.www_directory + "/static", settings.dygraphs_directory);
  if (!static_files) return std::move(static_files).error();
  return std::unique_ptr<Backend>(
      new Backend(services, settings, std::move(*templates), std::move(*static_files)));
}

Backend::Backend(BackendServices services, const BackendSettings& settings, Templates templates,
                 StaticFiles static_files)
    : upload_bytes_max_(settings.upload_bytes_max),
      templates_(std::move(templates)),
      renderer_(templates_),
      static_files_(std::move(static_files)),
      properties_(services.database),
      stats_(services.database),
      api_(services.store, stats_, properties_, settings.upload_bytes_max),
      raw_images_(services.store, settings.upload_bytes_max),
      home_page_(renderer_, services.store, services.cache, stats_),
      image_page_(renderer_, services.store),
      upload_page_(renderer_, services.store, settings.upload_bytes_max),
      keys_page_(renderer_, services.store, services.cache),
      cache_properties_page_(renderer_, properties_, services.cache),
      cache_stats_page_(renderer_, stats_, properties_, services.cache),
      health_(services.store, services.cache, services.database, std::move(services.loop_figures)) {
  api_.add_routes(router_);
  raw_images_.add_routes(router_);
  home_page_.add_routes(router_);
  image_page_.add_routes(router_);
  upload_page_.add_routes(router_);
  keys_page_.add_routes(router_);
  cache_properties_page_.add_routes(router_);
  cache_stats_page_.add_routes(router_);
  health_.add_routes(router_);
  static_files_.add_routes(router_);
}

http::ErrorRenderer Backend::error_renderer() const {
  return [this](std::string_view path, int status, std::string_view message) {
    Failure failure{status, std::string(message)};
    // The limit that was met allows for what a form adds; say the one that counts.
    if (status == 413 && takes_images(path)) {
      failure.message = "an image may have at most " + std::to_string(upload_bytes_max_) +
                        " bytes; send a smaller one";
    }
    return speaks_json(path) ? json_failure(failure) : renderer_.failure(failure);
  };
}

}  // namespace imgcached::pages
