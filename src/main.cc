// imgcached: an image store with an in-memory cache of its own.
//
// Starts what the role asks for, says so in one line, waits for SIGTERM or
// SIGINT, and ends in order. The backend runs on this thread, and on further ones if
// it is to have several loops; the cache service on this one when it is alone, else on one
// of its own.
//
// Exit status: 0 after a signal, 1 when it could not run, 2 for a setting that
// has to be changed.

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "backend_node.h"
#include "base/gate.h"
#include "base/log.h"
#include "cache_node.h"
#include "config.h"
#include "db/migrations.h"
#include "images/blob_store.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/signal_watcher.h"
#include "net/timer.h"

namespace imgcached {
namespace {

constexpr std::uint64_t drain_grace_ms = 10'000;
constexpr std::uint64_t migration_patience_ms = 5'000;  // for a database that starts with us
constexpr std::uint64_t migration_retry_ms = 250;

// Uploads wait for the disk on the thread pool; with more of them waiting, one
// journal commit of the file system serves more of them.
constexpr const char* thread_pool_threads = "16";

int exit_status_of(const Error& error) { return error.code == Errc::invalid_argument ? 2 : 1; }

int fail(const Error& error) {
  std::fprintf(stderr, "imgcached: %s\n", one_line(error.message).c_str());
  return exit_status_of(error);
}

void announce(const std::string& services) {
  std::printf("imgcached ready%s\n", services.c_str());
  std::fflush(stdout);
}

Task<void> migrate(net::Loop& loop, const Config& config, db::Missing missing,
                   Result<void>& outcome) {
  net::Timer timer(loop);
  const std::uint64_t deadline_ms = loop.now_ms() + migration_patience_ms;
  while (true) {
    outcome = co_await db::migrate(loop, config.database, missing);
    const bool passing = !outcome && outcome.error().code == Errc::unavailable;
    if (!passing || loop.now_ms() >= deadline_ms) co_return;
    co_await timer.wait(migration_retry_ms);
  }
}

Result<void> migrate_database(const Config& config, db::Missing missing) {
  net::Loop loop;
  Gate gate;
  Result<void> outcome;
  gate.spawn(migrate(loop, config, missing, outcome));
  loop.run();
  return outcome;
}

// --- The cache service alone --------------------------------------------------------------------

Task<void> stop_cache_on_signal(CacheNode& node, net::SignalWatcher& signals) {
  co_await signals.next();
  signals.close();
  Result<void> drained = co_await node.drain(drain_grace_ms);
  Result<void> closed = co_await node.close();
  (void)drained, (void)closed;
}

int run_cache(const Config& config) {
  const Result<void> migrated = migrate_database(config, db::Missing::create);
  if (!migrated) return fail(migrated.error());
  CacheNode node(config);
  net::SignalWatcher signals(node.loop(), {SIGTERM, SIGINT});
  Result<void> outcome;
  auto started = [&](Result<void> result) {
    outcome = std::move(result);
    if (!outcome) {
      signals.close();
      return;
    }
    announce(" cache=" + node.address().text());
    node.gate().spawn(stop_cache_on_signal(node, signals));
  };
  node.run(started);
  return outcome ? 0 : fail(outcome.error());
}

// --- The backend, with or without a cache service -----------------------------------------------

Task<void> drain_cache(CacheNode& cache, net::Mailbox& here) {
  auto drain = [&cache] { return cache.drain(drain_grace_ms); };
  Result<void> drained = co_await net::call_task(cache.mailbox(), cache.gate(), here, drain);
  (void)drained;
}

Task<void> close_cache(CacheNode& cache, net::Mailbox& here) {
  auto close = [&cache] { return cache.close(); };
  Result<void> closed = co_await net::call_task(cache.mailbox(), cache.gate(), here, close);
  (void)closed;
}

// A signal that comes before the service does ends the start.
Task<void> wait_for_signal(BackendNode& backend, net::SignalWatcher& signals) {
  const int signal = co_await signals.next();
  signals.close();
  if (signal != 0) co_await backend.break_off_start();
}

Task<void> serve_backend(BackendNode& backend, CacheNode* cache, net::SignalWatcher& signals,
                         Result<void>& outcome) {
  Gate waiting;
  waiting.spawn(wait_for_signal(backend, signals));
  outcome = co_await backend.start();
  if (outcome) {
    std::string services = " backend=" + backend.address().text();
    if (cache) services += " cache=" + cache->address().text();
    announce(services);
  } else {
    if (outcome.error().code == Errc::closed) outcome = Result<void>();  // as it was told to
    signals.close();
  }
  co_await waiting.drained();
  // Both ports are drained at once, so that one grace bounds it all.
  Gate draining;
  if (cache) draining.spawn(drain_cache(*cache, backend.mailbox()));
  co_await backend.stop(drain_grace_ms);
  co_await draining.drained();
  if (cache) co_await close_cache(*cache, backend.mailbox());
  backend.mailbox().close();
}

int serve(const Config& config, net::Loop& loop, images::BlobStore& blobs, CacheNode* cache) {
  Gate gate;
  net::SignalWatcher signals(loop, {SIGTERM, SIGINT});
  BackendNode backend(config, loop, blobs, cache);
  Result<void> outcome;
  gate.spawn(serve_backend(backend, cache, signals, outcome));
  loop.run();
  return outcome ? 0 : fail(outcome.error());
}

int serve_with_cache(const Config& config, net::Loop& loop, images::BlobStore& blobs) {
  CacheNode cache(config);
  std::promise<Result<void>> promise;
  auto started = [&](Result<void> result) { promise.set_value(std::move(result)); };
  Result<std::thread> cache_thread = net::start_thread([&] { cache.run(started); });
  if (!cache_thread) return fail(cache_thread.error());
  const Result<void> outcome = promise.get_future().get();
  const int status = outcome ? serve(config, loop, blobs, &cache) : fail(outcome.error());
  cache_thread->join();
  return status;
}

// A database that there is not, although there are images of one.
Error with_images(Error error, const Config& config) {
  if (error.message.starts_with("--db-name: ")) {
    error.message += "; " + config.images + " has images: name the database that they belong to";
  }
  return error;
}

int run_backend(const Config& config) {
  net::Loop loop;
  // The images come first: a start that fails on them leaves the database alone.
  Result<images::BlobStore> blobs = images::BlobStore::open(
      loop,
      {config.images, config.durability, config.max_upload_bytes, config.descriptors.upload_files});
  if (!blobs) return fail(bad_setting("images", blobs.error().message));
  Result<bool> has_images = blobs->has_images();
  if (!has_images) return fail(bad_setting("images", has_images.error().message));
  // These are of a database that exists: a name that does not is a mistyped one.
  const db::Missing missing = *has_images ? db::Missing::refuse : db::Missing::create;
  const Result<void> migrated = migrate_database(config, missing);
  if (!migrated)
    return fail(*has_images ? with_images(migrated.error(), config) : migrated.error());
  if (config.role == Role::backend) return serve(config, loop, *blobs, nullptr);
  return serve_with_cache(config, loop, *blobs);
}

// As many descriptors as we may have.
Result<void> fit_to_descriptors(Config& config) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::optional<DescriptorPlan> plan =
      plan_descriptors(limit.rlim_cur, config.role, config.backend_loops);
  if (!plan) {
    std::string wanted = std::to_string(descriptors_min(config.backend_loops)) + " are needed";
    if (config.backend_loops > 1) {
      wanted += " for --backend-loops " + std::to_string(config.backend_loops);
    }
    return Error{Errc::invalid_argument, "a process may open " + std::to_string(limit.rlim_cur) +
                                             " files here, " + wanted + "; raise `ulimit -n`"};
  }
  config.descriptors = *plan;
  log::info(
      "limits descriptors={} backend_loops={} backend_connections={} cache_connections={} "
      "upload_files={}",
      limit.rlim_cur, config.backend_loops, plan->backend_connections, plan->cache_connections,
      plan->upload_files);
  return {};
}

int run(Config config) {
  log::set_level(config.log_level);
  const Result<void> fitted = fit_to_descriptors(config);
  if (!fitted) return fail(fitted.error());
  const int status = config.role == Role::cache ? run_cache(config) : run_backend(config);
  if (status == 0) log::info("stopped");
  return status;
}

}  // namespace
}  // namespace imgcached

int main(int argument_count, char** arguments) {
  using namespace imgcached;
  const ParsedConfig parsed = parse_config(argument_count, arguments);
  if (!parsed.config) {
    std::fputs(parsed.message.c_str(), parsed.exit_status == 0 ? stdout : stderr);
    return parsed.exit_status;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit is an error of write()
  setenv("UV_THREADPOOL_SIZE", thread_pool_threads, 0);
  return run(*parsed.config);
}
