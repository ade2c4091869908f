#include "pages/cache_properties_page.h"

#include <charconv>

#include "base/clock.h"
#include "pages/format.h"
#include "pages/parameters.h"

namespace imgcached::pages {
namespace {

constexpr std::uint64_t bytes_per_mb = 1'048'576;

// The newest rows that are read: those that are shown and one more, for what was
// before the last of them.
constexpr std::uint64_t changes_shown_max = 8;
constexpr std::uint64_t rows_max = changes_shown_max + 1;

// Nothing when the cache service does not say.
std::optional<std::uint64_t> machine_mb_of(const cache::Stats& stats) {
  if (stats.machine_memory_bytes == 0) return std::nullopt;
  return stats.machine_memory_bytes / bytes_per_mb;
}

// What the cache service answers now.
void add_stats(View& view, const cache::Stats& stats) {
  view.flag("has_stats", true)
      .text("items", grouped(stats.curr_items))
      .text("bytes", bytes_in_words(stats.bytes))
      .text("capacity_in_force", bytes_in_words(stats.capacity_bytes))
      .text("policy_in_force", std::string(cache::to_string(stats.replacement)))
      .flag("is_off", stats.capacity_bytes == 0)
      .number("fill", stats.bytes)
      .number("fill_max", stats.capacity_bytes)
      .text("evictions", grouped(stats.evictions));
  if (const std::optional<std::uint64_t> machine_mb = machine_mb_of(stats)) {
    view.text("machine_mb", grouped(*machine_mb));
  }
  if (stats.capacity_bytes > 0) {
    view.text("fill_percent", percent(static_cast<double>(stats.bytes) /
                                      static_cast<double>(stats.capacity_bytes)));
  }
}

// What one can choose from.
std::vector<View> policies_with(cache::Replacement chosen) {
  struct Policy {
    cache::Replacement replacement;
    const char *id, *what_it_does;
  };
  std::vector<View> policies;
  for (const Policy& policy :
       {Policy{cache::Replacement::lru, "policy-lru",
               "The image that nobody asked for the longest goes. Right for most: what is asked "
               "for now will soon be asked for again."},
        Policy{cache::Replacement::random, "policy-random",
               "Any image goes, by chance. Right where images are asked for in turn, which drives "
               "each out of a Least Recently Used cache just before it is needed."}}) {
    View item;
    item.text("id", policy.id)
        .text("name", std::string(cache::to_string(policy.replacement)))
        .text("what_it_does", policy.what_it_does)
        .flag("chosen", policy.replacement == chosen);
    policies.push_back(std::move(item));
  }
  return policies;
}

// When the configuration was changed, from what to what; the newest first.
void add_changes(View& view, const std::vector<db::CachePropertiesRow>& rows) {
  const cache::Configuration defaults;
  std::vector<View> changes;
  for (std::size_t i = 0; i < rows.size() && i < changes_shown_max; ++i) {
    const db::CachePropertiesRow& row = rows[i];
    View change;
    change.text("time", utc_time(row.created_at_ms))
        .text("to_capacity", grouped(row.max_capacity_mb))
        .text("to_policy", row.replacement_method);
    if (i + 1 < rows.size()) {
      change.text("from_capacity", grouped(rows[i + 1].max_capacity_mb))
          .text("from_policy", rows[i + 1].replacement_method);
    } else {
      change.text("from_capacity", grouped(defaults.capacity_bytes / bytes_per_mb))
          .text("from_policy", std::string(cache::to_string(defaults.replacement)))
          .flag("from_defaults", true);
    }
    changes.push_back(std::move(change));
  }
  view.flag("has_changes", !changes.empty());
  view.list("changes", std::move(changes));
}

}  // namespace

Result<std::uint64_t> parse_capacity_mb(std::string_view text,
                                        std::optional<std::uint64_t> machine_mb) {
  const std::string_view digits = trimmed(text);
  std::uint64_t capacity_mb = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), capacity_mb);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) {
    return Error{Errc::invalid_argument,
                 "the capacity must be a whole number of MB, such as 100; 0 turns caching off"};
  }
  if (machine_mb && (error == std::errc::result_out_of_range || capacity_mb > *machine_mb)) {
    return Error{Errc::invalid_argument, "the cache's machine has " + std::to_string(*machine_mb) +
                                             " MB of memory; the capacity can't be more"};
  }
  if (error == std::errc::result_out_of_range) {
    return Error{Errc::invalid_argument, "the capacity is more than any machine has"};
  }
  return capacity_mb;
}

CacheChange parse_cache_change(const http::Form& form, std::optional<std::uint64_t> machine_mb) {
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
    : renderer_(renderer), table_(table), cache_(cache) {}

void CachePropertiesPage::add_routes(http::Router& router) {
  router.add(
      {http::Method::get, "/cache_properties", [this](http::Request& r) { return show(r); }});
  router.add({http::Method::post, "/cache_properties",
              [this](http::Request& r) { return change(r); }, parameters_bytes_max});
}

CachePropertiesPage::Settings CachePropertiesPage::settings_of(const Rows& rows) {
  const cache::Configuration defaults;
  Settings settings{defaults.capacity_bytes / bytes_per_mb, defaults.replacement, {}};
  if (rows.empty()) return settings;
  const db::CachePropertiesRow& newest = rows.front();
  settings.capacity_mb = newest.max_capacity_mb;
  const Result<cache::Replacement> replacement =
      cache::parse_replacement(newest.replacement_method);
  if (replacement) {
    settings.replacement = *replacement;
  } else {
    settings.problem = "row " + std::to_string(newest.id) + " of cache_properties, the newest, " +
                       "is not in force, for it says \"" + newest.replacement_method + "\"";
  }
  return settings;
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

Task<http::Response> CachePropertiesPage::render(int status, View view, std::optional<Rows> rows,
                                                 Typed typed) {
  std::optional<Settings> settings;
  if (rows) settings = settings_of(*rows);
  Result<cache::Stats> stats = co_await cache_.stats();
  if (stats) {
    add_stats(view, *stats);
    if (settings && settings->problem.empty()) {
      view.flag("differs", stats->capacity_bytes != settings->capacity_mb * bytes_per_mb ||
                               stats->replacement != settings->replacement);
    }
  } else {
    view.text("cache_problem", sentence(failure_of(of_dependency(stats.error())).message));
  }
  if (settings) {
    const cache::Replacement chosen = typed.replacement.value_or(settings->replacement);
    view.flag("has_form", true)
        .text("settings_problem", sentence(settings->problem))
        .text("capacity", typed.capacity.value_or(std::to_string(settings->capacity_mb)))
        .number("capacity_set", settings->capacity_mb)
        .text("policy_set", std::string(cache::to_string(settings->replacement)))
        .list("policies", policies_with(chosen));
    add_changes(view, *rows);
  }
  co_return renderer_.page(status, "cache_properties", "Cache properties", std::move(view));
}

Task<http::Response> CachePropertiesPage::show(http::Request& request) {
  const Result<http::Form> query = http::parse_form(request.query);
  if (!query) co_return renderer_.failure(query.error());
  Result<Rows> rows = co_await table_.recent(rows_max);
  if (!rows) co_return renderer_.failure(rows.error());
  View view;
  view.flag("asks_clear", query->find("confirm") == "clear");
  std::optional<Rows> shown = std::move(*rows);
  Typed nothing;
  http::Response response =
      co_await render(200, std::move(view), std::move(shown), std::move(nothing));
  co_return response;
}

Task<http::Response> CachePropertiesPage::change(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return renderer_.failure(form.error());
  std::optional<std::uint64_t> machine_mb;
  if (form->find("max_capacity")) {
    Result<cache::Stats> stats = co_await cache_.stats();
    if (stats) machine_mb = machine_mb_of(*stats);
  }
  const CacheChange change = parse_cache_change(*form, machine_mb);

  // The cache may be cleared while the database is away; all else needs it.
  Result<Rows> rows = co_await table_.recent(rows_max);
  if (!rows && (change.configures() || change.refused())) {
    co_return renderer_.failure(rows.error());
  }
  std::optional<Rows> shown;
  if (rows) shown = std::move(*rows);

  int status = 200;
  View view;
  Typed typed;
  if (const auto capacity = form->find("max_capacity")) typed.capacity = std::string(*capacity);
  typed.replacement = change.replacement;
  if (change.refused()) {
    view.text("capacity_error", sentence(change.capacity_error))
        .text("replacement_error", sentence(change.replacement_error));
    status = 400;
  } else {
    Result<void> done;
    if (change.configures()) {
      Settings settings = settings_of(*shown);
      if (change.replacement) settings.replacement = *change.replacement;
      if (change.capacity_mb) settings.capacity_mb = *change.capacity_mb;
      done = co_await apply(std::move(settings));
      Result<Rows> changed = co_await table_.recent(rows_max);
      if (changed) shown = std::move(*changed);
    }
    if (done && change.clear) done = co_await cache_.clear();
    if (done) {
      view.flag("is_saved", change.configures()).flag("is_cleared", change.clear);
      typed = Typed();
    } else {
      const Failure failure = failure_of(of_dependency(std::move(done).error()));
      view.text("error", sentence(failure.message));
      status = failure.status;
    }
  }
  http::Response response =
      co_await render(status, std::move(view), std::move(shown), std::move(typed));
  co_return response;
}

}  // namespace imgcached::pages
