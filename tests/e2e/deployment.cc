#include "tests/e2e/deployment.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "http/json.h"
#include "http/url.h"

namespace imgcached::e2e {
namespace {

namespace fs = std::filesystem;

// What both processes are started with.
Server::Options common_options(const Deployment::Options& wanted) {
  Server::Options options = wanted.common;
  options.flags.insert(options.flags.end(), {"--max-upload", std::to_string(wanted.image_bytes_max),
                                             "--durability", wanted.durability});
  return options;
}

void add_backend_options(Server::Options& options, Deployment::Kind kind,
                         const Deployment::Options& wanted) {
  // Of many, few connections come to the store's own.
  const int usual = kind == Deployment::Kind::several_loops ? 8 : 1;
  const int loops = wanted.backend_loops.value_or(usual);
  options.flags.insert(options.flags.end(), {"--backend-loops", std::to_string(loops)});
  options.launcher = wanted.launcher;
}

std::unique_ptr<Server> start_cache(Deployment::Kind kind, const Deployment::Options& wanted) {
  Server::Options options = common_options(wanted);
  if (kind == Deployment::Kind::two_processes) {
    options.role = Server::Role::cache;
  } else {
    add_backend_options(options, kind, wanted);
  }
  return std::make_unique<Server>(std::move(options));
}

std::unique_ptr<Server> start_backend(Deployment::Kind kind, const Server& cache,
                                      const Deployment::Options& wanted) {
  if (kind != Deployment::Kind::two_processes) return nullptr;
  Server::Options options = common_options(wanted);
  options.role = Server::Role::backend;
  options.cache_url = cache.cache_url();
  options.database = cache.database();
  add_backend_options(options, kind, wanted);
  return std::make_unique<Server>(std::move(options));
}

// Left alone at exit when no test case ended them: then there is no test to fail.
std::array<Deployment*, 3> shared_deployments{};

}  // namespace

Deployment::Deployment(Kind kind, const Options& options)
    : Deployment(start_cache(kind, options), kind, options) {}

Deployment::Deployment(std::unique_ptr<Server> cache_server, Kind kind, const Options& options)
    : backend(0), cache(cache_server->cache_port()), cache_server_(std::move(cache_server)) {
  backend_server_ = start_backend(kind, *cache_server_, options);
  backend = HttpPeer(backend_server().backend_port());
}

Deployment& Deployment::shared(Kind kind) {
  Deployment*& deployment = shared_deployments.at(static_cast<std::size_t>(kind));
  if (!deployment) deployment = new Deployment(kind);
  return *deployment;
}

void Deployment::end_shared() {
  for (Deployment*& deployment : shared_deployments) delete std::exchange(deployment, nullptr);
}

void Deployment::restart() {
  backend.disconnect();
  cache.disconnect();
  cache_server_->restart();
  if (backend_server_) backend_server_->restart();
}

void Deployment::upload(std::string_view key, std::string_view bytes) {
  const Reply reply =
      backend.post("/api/upload", Multipart().field("key", key).file("file", bytes));
  REQUIRE_MESSAGE(reply.status == 200, reply.body);
}

Keys Deployment::keys(std::string_view prefix) {
  const Reply reply = backend.post("/api/list_keys", urlencoded({{"prefix", prefix}}));
  REQUIRE(reply.status == 200);
  Keys keys;
  const http::JsonDocument document = json(reply);
  const auto elements = document.root().find("keys")->elements();
  for (const http::JsonValue& key : elements.value()) keys.emplace_back(key.string().value());
  return keys;
}

std::string Deployment::read(std::string_view key) {
  Reply reply = backend.get(path_of("/images/", key));
  REQUIRE_MESSAGE(reply.status == 200, reply.body);
  return std::move(reply.body);
}

std::string Deployment::read_outcome(std::string_view key) {
  const Reply reply = backend.get(path_of("/images/", key));
  REQUIRE_MESSAGE(reply.status == 200, reply.body);
  return reply.header("X-Cache");
}

void Deployment::configure(std::string_view capacity_mb, std::string_view policy) {
  const Reply reply =
      backend.post("/cache_properties",
                   urlencoded({{"max_capacity", capacity_mb}, {"replacement_policy", policy}}));
  REQUIRE_MESSAGE(reply.status == 200, reply.body);
}

std::int64_t Deployment::stat(std::string_view name) {
  const http::JsonDocument document = json(cache.get("/stats"));
  const auto value = document.root().find(name);
  REQUIRE_MESSAGE(value.has_value(), "no figure " << name);
  return value->integer().value();
}

Keys Deployment::cached_keys() {
  Keys keys;
  const http::JsonDocument document = json(cache.get("/keys?limit=10000"));
  const auto elements = document.root().find("keys")->elements();
  for (const http::JsonValue& entry : elements.value())
    keys.emplace_back(entry.find("key")->string().value());
  return keys;
}

std::vector<std::string> Deployment::files() {
  std::vector<std::string> files;
  const fs::path root = backend_server().images_directory();
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_regular_file() && entry.path().parent_path() != root)
      files.push_back(entry.path());
  }
  return files;
}

Database::Rows Deployment::query(const std::string& sql) {
  return Database::shared().query(sql, cache_server_->database());
}

std::string path_of(std::string_view prefix, std::string_view key) {
  return std::string(prefix) + http::percent_encode(key);
}

}  // namespace imgcached::e2e
