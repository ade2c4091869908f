#include "backend_worker.h"

#include <utility>

namespace imgcached {
namespace {

// For pages that show statistics and settings; the images' rows are the main loop's matter.
db::PoolLimits pool_limits() {
  db::PoolLimits limits;
  limits.connections_max = 2;
  return limits;
}

}  // namespace

BackendWorker::BackendWorker(const Config& config, images::ImageStore& store, net::Endpoint main,
                             pages::ReadLoopFigures loop_figures, CacheNode* cache)
    : mailbox_(loop_),
      main_(main),
      loop_figures_(std::move(loop_figures)),
      pool_(loop_, config.database, pool_limits()),
      front_(config, loop_, mailbox_, pool_, cache),
      store_(store, main, {mailbox_, gate_}, loop_, front_.cache()) {}

BackendWorker::~BackendWorker() {
  if (thread_.joinable()) thread_.join();
}

Task<Result<void>> BackendWorker::open(net::SocketAddress address) {
  Result<std::thread> thread = net::start_thread([this] { loop_.run(); });
  if (!thread) co_return std::move(thread).error();
  thread_ = std::move(*thread);
  auto open = [&] { return open_here(address); };
  Result<void> opened = co_await net::call_task(mailbox_, gate_, main_.mailbox, open);
  co_return opened;
}

Task<Result<void>> BackendWorker::open_here(net::SocketAddress address) {
  co_return front_.open(
      store_, [this] { return figures_of_all(); }, address, net::PortUse::shared_join);
}

Task<Result<pages::LoopFigures>> BackendWorker::figures() {
  if (!thread_.joinable()) co_return pages::LoopFigures{0, {}, 0};
  auto read = [this] { return figures_here(); };
  Result<pages::LoopFigures> figures =
      co_await net::call_task(mailbox_, gate_, main_.mailbox, read);
  co_return figures;
}

Task<Result<pages::LoopFigures>> BackendWorker::figures_here() { co_return front_.figures(); }

Task<Result<pages::LoopFigures>> BackendWorker::figures_of_all() {
  auto read = [this] { return loop_figures_(); };
  Result<pages::LoopFigures> figures =
      co_await net::call_task(main_.mailbox, main_.gate, mailbox_, read);
  co_return figures;
}

Task<void> BackendWorker::drain(std::uint64_t grace_ms) {
  if (!thread_.joinable()) co_return;
  auto drain = [&] { return drain_here(grace_ms); };
  Result<void> drained = co_await net::call_task(mailbox_, gate_, main_.mailbox, drain);
  (void)drained;
}

Task<Result<void>> BackendWorker::drain_here(std::uint64_t grace_ms) {
  co_await front_.drain(grace_ms);
  co_return Result<void>();
}

Task<void> BackendWorker::close() {
  if (!thread_.joinable()) co_return;
  auto close = [this] { return close_here(); };
  Result<void> closed = co_await net::call_task(mailbox_, gate_, main_.mailbox, close);
  (void)closed;
}

Task<Result<void>> BackendWorker::close_here() {
  front_.close();
  co_await pool_.close();
  mailbox_.close();
  co_return Result<void>();
}

}  // namespace imgcached
