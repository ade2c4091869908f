#include "pages/health.h"

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "http/metrics.h"
#include "pages/failure.h"

namespace imgcached::pages {
namespace {

constexpr const char* plain_text = "text/plain; charset=utf-8";

http::Response text_response(int status, std::string text) {
  http::Response response = http::make_response(status, plain_text, std::move(text));
  response.headers.add("Cache-Control", "no-store");
  add_retry_after(response);
  return response;
}

// `database: ok`, or why not.
void report(std::string& text, bool& ready, std::string_view part, const Result<void>& state) {
  ready = ready && state.ok();
  text += fmt::format("{}: {}\n", part, state ? "ok" : failure_of(state.error()).message);
}

}  // namespace

Health::Health(images::StoreClient& store, cache::CacheClient& cache, db::Pool& database,
               ReadLoopFigures loops)
    : store_(store),
      cache_(cache),
      database_(database),
      loops_(std::move(loops)),
      started_ms_(monotonic_ms()) {}

void Health::add_routes(http::Router& router) {
  router.add({http::Method::get, "/healthz", [this](http::Request& r) { return healthz(r); }});
  router.add({http::Method::get, "/readyz", [this](http::Request& r) { return readyz(r); }});
  router.add({http::Method::get, "/metrics", [this](http::Request& r) { return metrics(r); }});
}

Task<http::Response> Health::healthz(http::Request&) { co_return text_response(200, "ok\n"); }

Task<http::Response> Health::readyz(http::Request&) {
  const Result<void> database = co_await database_.ping();
  const Result<void> cache = co_await cache_.ping();
  const Result<void> images = co_await store_.probe();
  bool ready = true;
  std::string text;
  report(text, ready, "database", database);
  report(text, ready, "cache", cache);
  report(text, ready, "images", images);
  co_return text_response(ready ? 200 : 503, std::move(text));
}

Task<http::Response> Health::metrics(http::Request&) {
  const Result<images::StoreFigures> store = co_await store_.figures();
  const Result<LoopFigures> loops = co_await loops_();
  if (!store || !loops) {
    const Error& error = store ? loops.error() : store.error();
    co_return text_response(503, failure_of(error).message + "\n");
  }
  const images::ImageStoreStats& stats = store->counted;
  http::Metrics metrics;
  metrics.gauge("imgcached_backend_uptime_seconds", "Since the backend started.",
                (monotonic_ms() - started_ms_) / 1000);
  metrics.counter("imgcached_image_hits_total", "Reads that the cache answered.", stats.hits);
  metrics.counter("imgcached_image_misses_total", "Reads that it did not answer.", stats.misses);
  metrics.counter("imgcached_image_shared_fetches_total", "Misses that joined another one's fetch.",
                  stats.shared_fetches);
  metrics.counter("imgcached_uploads_total", "Images stored.", stats.uploads);
  metrics.counter("imgcached_removals_total", "Images removed.", stats.removals);
  metrics.counter("imgcached_cache_errors_total", "Failed calls of the cache service.",
                  stats.cache_errors);
  const net::BatchStats &files = store->file_batches, &rows = store->row_batches;
  metrics.counter("imgcached_file_batches_total", "Syncs that made small uploads durable.",
                  files.batches);
  metrics.counter("imgcached_file_batch_uploads_total", "Uploads in those.", files.items);
  metrics.counter("imgcached_file_batch_microseconds_total", "Spent on those.",
                  files.busy_ns / 1000);
  metrics.counter("imgcached_row_batches_total", "Statements that stored rows of uploads.",
                  rows.batches);
  metrics.counter("imgcached_row_batch_uploads_total", "Uploads in those.", rows.items);
  metrics.counter("imgcached_row_batch_microseconds_total", "Spent on those.", rows.busy_ns / 1000);
  metrics.gauge("imgcached_uploads_waiting", "Small uploads that wait for the next sync.",
                store->uploads_waiting);
  metrics.gauge("imgcached_unsettled_writes", "Writes of which the database did not say more.",
                store->unsettled_writes);
  metrics.gauge("imgcached_undelivered_invalidations", "Invalidations that the cache has to hear.",
                store->undelivered_invalidations);
  metrics.gauge("imgcached_backend_loops", "Threads that serve the port.", loops->loops);
  metrics.gauge("imgcached_database_connections", "Open connections to the database.",
                loops->database_connections);
  metrics.server(backend_name, loops->server);
  co_return metrics.response();
}

}  // namespace imgcached::pages
