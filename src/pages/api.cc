#include "pages/api.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/clock.h"
#include "http/json.h"
#include "pages/failure.h"
#include "pages/parameters.h"
#include "pages/stats_history.h"
#include "pages/upload_form.h"

namespace imgcached::pages {
namespace {

// One statement's worth of keys; between two of them other requests have a turn.
constexpr std::size_t keys_per_step = 1000;

// For the log at most: nobody is left to read it.
Error broken_off() { return Error{Errc::closed, "the client has gone"}; }

Error too_long() {
  return Error{Errc::unavailable,
               "too many long lists are being made; ask for less by `limit`, or in a moment"};
}

constexpr const char* done = R"({"success":"true"})";

// Begins `{"success":"true"`, for the caller to go on and to end.
http::JsonWriter success(std::string& json) {
  http::JsonWriter writer(json);
  writer.begin_object().key("success").string("true");
  return writer;
}

// To four decimals, more than a chart shows: the shortest text of a third has 18.
void write_rate(http::JsonWriter& writer, std::string_view name, std::optional<double> rate) {
  writer.key(name);
  if (rate) {
    writer.number(std::round(*rate * 10'000) / 10'000);
  } else {
    writer.null();
  }
}

void write_point(http::JsonWriter& writer, const StatsPoint& point) {
  writer.begin_object().key("time_ms").integer(point.time_ms);
  const auto count = [&](std::string_view name, bool known, std::uint64_t value) {
    writer.key(name);
    if (known) {
      writer.integer(value);
    } else {
      writer.null();
    }
  };
  const bool counted = point.interval.has_value();
  const StatsPoint::Interval interval = point.interval.value_or(StatsPoint::Interval());
  count("items", !point.gap, point.items);
  count("bytes", !point.gap, point.bytes);
  count("capacity_bytes", point.capacity_bytes.has_value(), point.capacity_bytes.value_or(0));
  count("requests", counted, interval.requests);
  count("hits", counted, interval.hits);
  count("misses", counted, interval.misses);
  write_rate(writer, "requests_per_second", interval.requests_per_second());
  write_rate(writer, "hit_rate", interval.hit_rate());
  write_rate(writer, "miss_rate", interval.miss_rate());
  writer.end_object();
}

void write_mark(http::JsonWriter& writer, const StatsMark& mark) {
  writer.begin_object().key("time_ms").integer(mark.time_ms).key("event");
  if (mark.configured) {
    writer.string("configured")
        .key("capacity_mb")
        .integer(mark.configured->capacity_mb)
        .key("replacement")
        .string(mark.configured->replacement_method);
  } else {
    writer.string("cleared");
  }
  writer.end_object();
}

// Whether there is still somebody to be answered.
Task<bool> is_wanted(const http::Request& request) { co_return !request.is_abandoned(); }

}  // namespace

Result<ListParameters> parse_list_parameters(const http::Form& form) {
  ListParameters parameters;
  parameters.prefix = value_of(form, "prefix");
  parameters.after = value_of(form, "after");
  if (!http::is_utf8(parameters.prefix) || !http::is_utf8(parameters.after)) {
    return Error{Errc::invalid_argument, "`prefix` and `after` must be valid UTF-8, as keys are"};
  }
  const Result<std::size_t> limit = http::parse_limit(
      form.find("limit").value_or(""), ListParameters::keys_max, ListParameters::keys_max);
  if (!limit) return limit.error();
  parameters.limit = *limit;
  return parameters;
}

void Api::add_routes(http::Router& router) {
  using http::Method;
  using http::Request;
  const std::uint64_t small = parameters_bytes_max;
  const auto read = [this](Request& r) { return get(r); };
  const auto list = [this](Request& r) { return list_keys(r); };
  const auto statistics = [this](Request& r) { return stats(r); };
  const auto remove_one = [this](Request& r) { return remove(r); };

  router.add({Method::post, "/api/upload", [this](Request& r) { return upload(r); },
              upload_bytes_max_ + upload_form_overhead_bytes, http::Route::Body::required});
  const auto add_read = [&](const char* pattern, const http::Handler& handler) {
    router.add({Method::get, pattern, handler});
    router.add({Method::post, pattern, handler, small, http::Route::Body::optional,
                http::Route::Effect::reading});
  };
  add_read("/api/list_keys", list);
  add_read("/api/key/*", read);
  add_read("/api/stats", statistics);
  router.add({Method::delete_, "/api/key/*", remove_one, small});
  router.add({Method::post, "/api/delete/*", remove_one, small});
  router.add(
      {Method::post, "/api/delete_all", [this](Request& r) { return remove_all(r); }, small});
}

Task<http::Response> Api::upload(http::Request& request) {
  Upload upload = co_await receive_upload(request, store_);
  if (!upload.stored) co_return json_failure(upload.stored.error());
  std::string json;
  success(json).key("key").string(upload.key).end_object();
  co_return json_response(200, std::move(json));
}

Task<http::Response> Api::list_keys(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return json_failure(form.error());
  Result<ListParameters> parameters = parse_list_parameters(*form);
  if (!parameters) co_return json_failure(parameters.error());

  std::string json;
  http::JsonWriter writer = success(json);
  writer.key("keys").begin_array();
  std::size_t listed = 0;
  bool more = true;
  while (more && listed < parameters->limit) {
    if (request.is_abandoned()) co_return json_failure(broken_off());
    const std::size_t step = std::min(keys_per_step, parameters->limit - listed);
    Result<images::Listing> page =
        co_await store_.list(parameters->prefix, parameters->after, step);
    if (!page) co_return json_failure(page.error());
    for (const db::ImageSummary& image : page->images) writer.string(image.key);
    if (!request.answer->make(json.capacity(), monotonic_ms())) co_return json_failure(too_long());
    listed += page->images.size();
    more = page->more;
    if (!page->images.empty()) parameters->after = std::move(page->images.back().key);
  }
  writer.end_array();
  // To be given as `after` for the keys that follow.
  if (more) writer.key("next").string(parameters->after);
  writer.end_object();
  co_return json_response(200, std::move(json));
}

Task<http::Response> Api::get(http::Request& request) {
  std::string key(request.rest);
  Result<images::Image> image = co_await store_.get(std::move(key));
  if (!image) co_return json_failure(image.error());
  std::string json;
  success(json).key("key").string(request.rest).key("content");
  http::Base64Body body{std::move(json) + '"', std::move(image->bytes), "\"}"};
  http::Response response = json_response(200, std::move(body));
  response.headers.add("X-Cache", image->cached ? "hit" : "miss");
  co_return response;
}

Task<http::Response> Api::remove(http::Request& request) {
  std::string key(request.rest);
  Result<void> removed = co_await store_.remove(std::move(key), nullptr);
  if (!removed) co_return json_failure(removed.error());
  co_return json_response(200, done);
}

Task<http::Response> Api::remove_all(http::Request& request) {
  images::GoesOn goes_on = [&request] { return is_wanted(request); };
  Result<void> removed = co_await store_.remove_all(std::move(goes_on));
  if (!removed) co_return json_failure(removed.error());
  co_return json_response(200, done);
}

Task<http::Response> Api::stats(http::Request& request) {
  Result<http::Form> form = co_await read_parameters(request);
  if (!form) co_return json_failure(form.error());
  const Result<StatsWindow> window = parse_stats_window(*form);
  if (!window) co_return json_failure(window.error());
  Result<StatsHistory> history =
      co_await read_stats_history(stats_, properties_, *window, unix_ms());
  if (!history) co_return json_failure(history.error());
  std::string json;
  http::JsonWriter writer = success(json);
  writer.key("from_ms").integer(history->from_ms).key("to_ms").integer(history->to_ms);
  writer.key("interval_ms").integer(window->interval_ms);
  writer.key("samples").begin_array();
  for (const StatsPoint& point : history->points) write_point(writer, point);
  writer.end_array().key("marks").begin_array();
  for (const StatsMark& mark : history->marks) write_mark(writer, mark);
  writer.end_array().end_object();
  co_return json_response(200, std::move(json));
}

}  // namespace imgcached::pages
