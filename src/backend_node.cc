#include "backend_node.h"

#include "images/store_identity.h"
#include "server_options.h"

namespace imgcached {
namespace {

// Templates and static files are read where the sources are.
constexpr const char* www_directory = IMGCACHED_SOURCE_DIRECTORY "/www";

}  // namespace

BackendNode::BackendNode(const Config& config, net::Loop& loop, images::BlobStore& blobs,
                         CacheNode* cache)
    : config_(config),
      loop_(loop),
      blobs_(blobs),
      mailbox_(loop),
      pool_(loop, config.database),
      table_(pool_),
      identities_(pool_),
      storage_(loop, blobs) {
  if (cache) {
    local_client_.emplace(cache->service(), cache->mailbox(), cache->gate(), mailbox_);
    cache_ = &*local_client_;
  } else {
    http_client_.emplace(loop, *config.cache_service, config.max_upload_bytes, config.token);
    cache_ = &*http_client_;
  }
}

Task<Result<void>> BackendNode::start() {
  store_.emplace(loop_, blobs_, table_, *cache_);
  Result<std::vector<net::SocketAddress>> addresses = co_await net::resolve(loop_, config_.listen);
  if (!addresses) co_return bad_setting("listen", addresses.error().message);

  Result<void> matched = co_await images::match_identities(blobs_, identities_, table_);
  if (!matched) co_return std::move(matched).error();
  // A cache in another process may have outlived a backend that died between
  // a commit and its invalidation.
  const bool cache_is_older = http_client_.has_value();
  Result<void> recovered = co_await store_->recover(cache_is_older);
  if (!recovered) co_return std::move(recovered).error();

  const pages::BackendServices services{*store_, storage_, *cache_, pool_};
  pages::BackendSettings settings;
  settings.upload_bytes_max = config_.max_upload_bytes;
  settings.www_directory = www_directory;
  Result<std::unique_ptr<pages::Backend>> pages = pages::Backend::open(services, settings);
  if (!pages) co_return std::move(pages).error();
  pages_ = std::move(*pages);

  server_.emplace(loop_, pages_->router(), pages_->error_renderer(),
                  server_options(config_, "backend", config_.descriptors.backend_connections));
  pages_->observe(*server_);
  Result<void> listening = server_->listen(addresses->front());
  if (!listening) co_return bad_setting("listen", listening.error().message);
  warn_if_open(config_, *server_);
  co_return Result<void>();
}

Task<void> BackendNode::break_off_start() {
  if (!server_) co_await store_->close();
}

Task<void> BackendNode::stop(std::uint64_t grace_ms) {
  if (server_) co_await server_->drain(grace_ms);
  co_await store_->close();
  if (http_client_) http_client_->close();
  co_await pool_.close();
}

}  // namespace imgcached
