// What operators ask: does it live, can it serve, what did it count.
#include <doctest/doctest.h>

#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

DEPLOYED_TEST_CASE("health: both services live and are ready") {
  Deployment& it = Where::deployment();
  for (HttpPeer* service : {&it.backend, &it.cache}) {
    for (const char* path : {"/healthz", "/readyz"}) {
      CAPTURE(path);
      CHECK(service->get(path).status == 200);
      CHECK(service->request("HEAD", path).status == 200);
      CHECK(service->get(path).header("Content-Type").starts_with("text/plain"));
    }
  }
}

DEPLOYED_TEST_CASE("health: metrics are Prometheus text and count what happens") {
  Deployment& it = Where::deployment();
  const Reply backend = it.backend.get("/metrics");
  const Reply cache = it.cache.get("/metrics");
  it.upload("metrics", png(300, 1));
  it.read("metrics");
  it.read("metrics");
  it.backend.get("/api/nothing");
  const Reply backend_after = it.backend.get("/metrics");
  const Reply cache_after = it.cache.get("/metrics");
  CHECK(backend.header("Content-Type").starts_with("text/plain; version=0.0.4"));
  const auto grown = [&](const std::string& name) {
    return sample(backend_after, name) - sample(backend, name);
  };
  CHECK(grown("imgcached_uploads_total") == 1);
  CHECK(grown("imgcached_row_batches_total") == 1);
  CHECK(grown("imgcached_row_batch_uploads_total") == 1);
  CHECK(grown("imgcached_row_batch_microseconds_total") > 0);
  CHECK(grown("imgcached_file_batches_total") == grown("imgcached_file_batch_uploads_total"));
  CHECK(grown("imgcached_image_hits_total") == 1);
  CHECK(grown("imgcached_image_misses_total") == 1);
  CHECK(grown("imgcached_http_responses_total{server=\"backend\",status=\"4xx\"}") == 1);
  CHECK(sample(cache_after, "imgcached_cache_get_hits_total") -
            sample(cache, "imgcached_cache_get_hits_total") ==
        1);
  CHECK(sample(cache_after, "imgcached_cache_items") == 1);
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
