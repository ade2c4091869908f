#include "pages/cache_properties_page.h"

#include <unistd.h>

#include <charconv>

#include "base/clock.h"
#include "pages/format.h"
#include "pages/parameters.h"

namespace imgcached::pages {
namespace {

constexpr std::uint64_t bytes_per_mb = 1'048'576;

std::uint64_t machine_memory_mb() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) / bytes_per_mb;
}

}  // namespace

Result<std::uint64_t> parse_capacity_mb(std::string_view text, std::uint64_t machine_mb) {
  const std::string_view digits = trimmed(text);
  std::uint64_t capacity_mb = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), capacity_mb);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) {
    return Error{Errc::invalid_argument,
                 "the capacity must be a whole number of MB, such as 100; 0 turns caching off"};
  }
  if (error == std::errc::result_out_of_range || capacity_mb > machine_mb) {
    return Error{Errc::invalid_argument, "this machine has " + std::to_string(machine_mb) +
                                             " MB of memory; the capacity can't be more"};
  }
  return capacity_mb;
}

CacheChange parse_cache_change(const http::Form& form, std::uint64_t machine_mb) {
  CacheChange change;
  change.clear = form.find("clear_cache").has_value();
  const auto capacity = form.find("max_capacity");
  if (capacity && !(change.clear && trimmed(*capacity).empty())) {
    Result<std::uint64_t> capacity_mb = parse_capacity_mb(*capacity, machine_mb);
    if (capacity_mb) {
      change.capacity_mb = *capacity_mb;
    } else {
      change.capacity_error = capacity_mb.error().message;
    }
  }
  const auto policy = form.find("replacement_policy");
  if (policy && !(change.clear && trimmed(*policy).empty())) {
    Result<cache::Replacement> replacement = cache::parse_replacement(trimmed(*policy));
    if (replacement) {
      change.replacement = *replacement;
    } else {
      change.replacement_error = replacement.error().message;
    }
  }
  if (!capacity && !policy && !change.clear) {
    change.capacity_error =
        "nothing to change: send `max_capacity`, `replacement_policy` or `clear_cache`";
  }
  return change;
}

CachePropertiesPage::CachePropertiesPage(const PageRenderer& renderer,
                                         db::CachePropertiesTable& table, cache::CacheClient& cache)
    : renderer_(renderer), table_(table), cache_(cache), machine_mb_(machine_memory_mb()) {}

void CachePropertiesPage::add_routes(http::Router& router) {
  router.add(
      {http::Method::get, "/cache_properties", [this](http::Request& r) { return show(r); }});
  router.add({http::Method::post, "/cache_properties",
              [this](http::Request& r) { return change(r); }, parameters_bytes_max});
}

Task<Result<CachePropertiesPage::Settings>> CachePropertiesPage::newest() {
  Result<std::optional<db::CachePropertiesRow>> row = co_await table_.newest();
  if (!row) co_return std::move(row).error();
  if (!*row) {
    const cache::Configuration defaults;
    co_return Settings{defaults.capacity_bytes / bytes_per_mb, defaults.replacement, {}};
  }
  Settings settings{(*row)->max_capacity_mb, cache::Configuration().replacement, {}};
  const Result<cache::Replacement> replacement =
      cache::parse_replacement((*row)->replacement_method);
  if (replacement) {
    settings.replacement = *replacement;
  } else {
    settings.problem = "row " + std::to_string((*row)->id) + " of cache_properties, the newest, " +
                       "is not in force, for it says \"" + (*row)->replacement_method + "\"";
  }
  co_return settings;
}

Task<Result<void>> CachePropertiesPage::apply(Settings settings) {
  std::string method(cache::to_string(settings.replacement));
  Result<void> appended =
      co_await table_.append(settings.capacity_mb, std::move(method), unix_ms());
  if (!appended) co_return appended;
  Result<void> refreshed = co_await cache_.refresh_configuration();
  if (!refreshed) {
    Error error = of_dependency(std::move(refreshed).error());
    error.message = "saved, but the cache did not take it over yet: " + error.message +
                    "; save again to have it in force";
    co_return error;
  }
  co_return Result<void>();
}

Task<http::Response> CachePropertiesPage::render(int status, View view,
                                                 std::optional<FormValues> values) {
  Result<cache::Stats> stats = co_await cache_.stats();
  if (stats) {
    view.flag("has_stats", true)
        .text("items", grouped(stats->curr_items))
        .text("bytes", bytes_in_words(stats->bytes))
        .text("capacity_in_force", bytes_in_words(stats->capacity_bytes))
        .flag("is_off", stats->capacity_bytes == 0)
        .number("fill", stats->bytes)
        .number("fill_max", stats->capacity_bytes)
        .text("evictions", grouped(stats->evictions));
    if (stats->capacity_bytes > 0) {
      view.text("fill_percent", percent(static_cast<double>(stats->bytes) /
                                        static_cast<double>(stats->capacity_bytes)));
    }
  } else {
    view.text("cache_problem", sentence(failure_of(of_dependency(stats.error())).message));
  }
  if (values) {
    view.flag("has_form", true)
        .text("capacity", std::move(values->capacity))
        .number("capacity_max", machine_mb_)
        .flag("is_random", values->replacement == cache::Replacement::random)
        .flag("is_lru", values->replacement == cache::Replacement::lru);
  }
  co_return renderer_.page(status, "cache_properties", "Cache properties", std::move(view));
}

Task<http::Response> CachePropertiesPage::show(http::Request&) {
  Result<Settings> settings = co_await newest();
  if (!settings) co_return renderer_.failure(settings.error());
  View view;
  view.text("settings_problem", sentence(settings->problem));
  std::optional<FormValues> values =
      FormValues{std::to_string(settings->capacity_mb), settings->replacement};
  http::Response response = co_await render(200, std::move(view), std::move(values));
  co_return response;
}

Task<http::Response> CachePropertiesPage::change(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  const CacheChange change = parse_cache_change(*form, machine_mb_);

  // The cache may be cleared while the database is away; all else needs it.
  Result<Settings> settings = co_await newest();
  if (!settings && (change.configures() || change.refused())) {
    co_return renderer_.failure(settings.error());
  }
  std::optional<FormValues> values;
  if (settings) {
    if (change.replacement) settings->replacement = *change.replacement;
    if (change.capacity_mb) settings->capacity_mb = *change.capacity_mb;
    values = FormValues{std::to_string(settings->capacity_mb), settings->replacement};
  }

  int status = 200;
  View view;
  if (change.refused()) {
    const auto typed = form->find("max_capacity");
    if (typed) values->capacity = *typed;
    view.text("capacity_error", sentence(change.capacity_error))
        .text("replacement_error", sentence(change.replacement_error));
    status = 400;
  } else {
    Result<void> done;
    if (change.configures()) done = co_await apply(*settings);
    if (done && change.clear) done = co_await cache_.clear();
    if (done) {
      view.flag("is_saved", change.configures()).flag("is_cleared", change.clear);
    } else {
      const Failure failure = failure_of(of_dependency(std::move(done).error()));
      view.text("error", sentence(failure.message));
      status = failure.status;
    }
  }
  http::Response response = co_await render(status, std::move(view), std::move(values));
  co_return response;
}

}  // namespace imgcached::pages
