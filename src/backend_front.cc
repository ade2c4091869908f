#include "backend_front.h"

#include <utility>

#include "server_options.h"

namespace imgcached {
namespace {

// Templates and static files are read where the sources are.
constexpr const char* www_directory = IMGCACHED_SOURCE_DIRECTORY "/www";

}  // namespace

BackendFront::BackendFront(const Config& config, net::Loop& loop, net::Mailbox& mailbox,
                           db::Pool& pool, CacheNode* cache)
    : config_(config), loop_(loop), pool_(pool) {
  if (cache) {
    local_client_.emplace(cache->service(), cache->mailbox(), cache->gate(), mailbox);
    cache_ = &*local_client_;
  } else {
    http_client_.emplace(loop, *config.cache_service, config.max_upload_bytes, config.token);
    cache_ = &*http_client_;
  }
}

Result<void> BackendFront::open(images::StoreClient& store, pages::ReadLoopFigures loop_figures,
                                const net::SocketAddress& address, net::PortUse use) {
  pages::BackendServices services{store, *cache_, pool_, std::move(loop_figures)};
  pages::BackendSettings settings;
  settings.upload_bytes_max = config_.max_upload_bytes;
  settings.www_directory = www_directory;
  Result<std::unique_ptr<pages::Backend>> pages =
      pages::Backend::open(std::move(services), settings);
  if (!pages) return std::move(pages).error();
  pages_ = std::move(*pages);

  server_.emplace(loop_, pages_->router(), pages_->error_renderer(),
                  server_options(config_, pages::backend_name,
                                 config_.descriptors.backend_connections, config_.backend_loops));
  Result<void> listening = server_->listen(address, use);
  if (!listening) return bad_setting("listen", listening.error().message);
  return {};
}

pages::LoopFigures BackendFront::figures() const {
  return {1, server_ ? server_->figures() : http::ServerFigures(), pool_.connections()};
}

Task<void> BackendFront::drain(std::uint64_t grace_ms) {
  if (server_) co_await server_->drain(grace_ms);
}

void BackendFront::close() {
  if (http_client_) http_client_->close();
}

}  // namespace imgcached
