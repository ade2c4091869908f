// Config: every setting of the program, read and validated once.
//
// A flag beats its environment variable (`--cache-listen` is
// IMGCACHED_CACHE_LISTEN), which beats the key `cache-listen` in the TOML file
// that --config names, which beats the default.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "db/settings.h"
#include "http/access_token.h"
#include "images/blob_store.h"
#include "net/address.h"

namespace imgcached {

enum class Role {
  combined,  // both services in this process, on loops of their own
  backend,   // pages and API; the cache service is elsewhere
  cache,     // the cache service only
};

// How many descriptors may be open at a time, for what.
struct DescriptorPlan {
  std::size_t backend_connections = 16'384;
  std::size_t cache_connections = 16'384;
  std::size_t upload_files = 1'024;

  friend bool operator==(const DescriptorPlan&, const DescriptorPlan&) = default;
};

struct Config {
  Role role = Role::combined;
  net::Address listen{"127.0.0.1", 5000};
  net::Address cache_listen{"127.0.0.1", 5001};
  std::optional<net::Address> cache_service;  // of --cache-url
  std::string images = "var/images";
  db::Settings database;
  std::uint64_t max_upload_bytes = 32u << 20;
  images::Durability durability = images::Durability::strict;
  std::optional<http::AccessToken> token;  // of --token-file
  log::Level log_level = log::Level::info;
  bool access_log = false;
  std::size_t backend_loops = 1;  // that serve `listen`, each on a thread; 1 without a backend
  DescriptorPlan descriptors;     // no setting: what the system allows; see main.cc
};

// The settings of this run; or, for --help and --version and for an error, what
// to print and the status to exit with.
struct ParsedConfig {
  std::optional<Config> config;
  std::string message;
  int exit_status = 0;
};

// The error of a setting that can't be used, here or when its time comes: it
// begins with the flag, and ends the program with status 2.
Error bad_setting(std::string_view option, std::string_view reason);

// With blanks in the place of control characters: a value of a setting may have any.
std::string one_line(std::string text);

ParsedConfig parse_config(int argument_count, const char* const* arguments);

inline constexpr std::size_t backend_loops_max = 32;

// What a process needs to serve anybody: each further loop 48 for itself, as plan_descriptors()
// has it, and 32 for those it serves.
constexpr std::size_t descriptors_min(std::size_t backend_loops) {
  return 304 + 80 * (backend_loops - 1);
}

// The plan for a process that may open that many; nothing below descriptors_min().
// No figure exceeds that of a default plan. Where both services are in one
// process, the backend gets the larger part: it needs no connection to the cache.
std::optional<DescriptorPlan> plan_descriptors(std::uint64_t descriptors, Role role,
                                               std::size_t backend_loops);

inline constexpr const char* version = "0.1.0";

}  // namespace imgcached
