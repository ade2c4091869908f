#include "tools/loadgen/result_file.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <cassert>
#include <ctime>
#include <optional>

#include "http/json.h"
#include "net/file.h"
#include "tools/loadgen/figure_text.h"
#include "tools/loadgen/words.h"

namespace imgcached::loadgen {
namespace {

using http::JsonDocument;
using http::JsonValue;
using http::JsonWriter;

// A day's per-second series is 25 MB, and there may be repeats of it.
constexpr std::size_t file_bytes_max = 1 << 30;

constexpr std::pair<Outcome, std::string_view> outcome_names[] = {
    {Outcome::read_hit, "read_hit"},
    {Outcome::read_miss, "read_miss"},
    {Outcome::read_absent, "read_absent"},
    {Outcome::write, "write"},
    {Outcome::error, "error"},
};

// --- Writing -------------------------------------------------------------------------------------

void write_times(JsonWriter& json, const Histogram& times) {
  json.begin_object().key("count").integer(times.count());
  if (times.count() > 0) {
    json.key("min").integer(times.min());
    json.key("p50").integer(times.percentile(50));
    json.key("p90").integer(times.percentile(90));
    json.key("p99").integer(times.percentile(99));
    json.key("p99.9").integer(times.percentile(99.9));
    json.key("max").integer(times.max());
    json.key("mean").number(times.mean());
    json.key("standard_deviation").number(times.standard_deviation());
  }
  json.end_object();
}

void write_timings(JsonWriter& json, const RunResult& run, const Timings& timings) {
  json.begin_object();
  json.key("count").integer(timings.response.count());
  json.key("per_second").number(run.per_second(timings.response.count()));
  json.key("bytes").integer(timings.bytes);
  json.key("bytes_per_second").number(run.per_second(timings.bytes));
  write_times(json.key("response"), timings.response);
  write_times(json.key("service"), timings.service);
  write_times(json.key("first_byte"), timings.first_byte);
  json.end_object();
}

void write_errors(JsonWriter& json, const Errors& errors) {
  json.begin_object();
  json.key("connect").integer(errors.connect);
  json.key("closed").integer(errors.closed);
  json.key("timed_out").integer(errors.timed_out);
  json.key("protocol").integer(errors.protocol);
  json.key("by_status").begin_object();
  for (const auto& [status, count] : errors.by_status) {
    json.key(std::to_string(status)).integer(count);
  }
  json.end_object().end_object();
}

void write_checks(JsonWriter& json, const Checks& checks) {
  json.begin_object();
  json.key("checked").integer(checks.checked);
  json.key("corrupt").integer(checks.corrupt);
  json.key("stale").integer(checks.stale);
  json.key("lost").integer(checks.lost);
  json.key("foreign").integer(checks.foreign);
  json.end_object();
}

void write_counter(JsonWriter& json, std::string_view name,
                   const std::optional<std::uint64_t>& counter) {
  json.key(name);
  if (counter) {
    json.integer(*counter);
  } else {
    json.null();
  }
}

void write_server(JsonWriter& json, const ServerCounters& server) {
  json.begin_object();
  write_counter(json, "hits", server.hits);
  write_counter(json, "misses", server.misses);
  write_counter(json, "evictions", server.evictions);
  write_counter(json, "cached_bytes", server.cached_bytes);
  write_counter(json, "cached_items", server.cached_items);
  write_counter(json, "backend_bytes_written", server.backend_bytes_written);
  json.end_object();
}

void write_seconds(JsonWriter& json, const std::vector<SecondSample>& seconds) {
  json.begin_array();
  for (const SecondSample& sample : seconds) {
    json.begin_object();
    json.key("second").integer(sample.second);
    json.key("reads").integer(sample.reads);
    json.key("hits").integer(sample.hits);
    json.key("writes").integer(sample.writes);
    json.key("errors").integer(sample.errors);
    json.key("read.p50").integer(sample.read_p50_ns);
    json.key("read.p99").integer(sample.read_p99_ns);
    json.key("write.p50").integer(sample.write_p50_ns);
    json.key("write.p99").integer(sample.write_p99_ns);
    json.key("in_flight").integer(sample.in_flight);
    json.key("resident_bytes").integer(sample.resident_bytes);
    json.end_object();
  }
  json.end_array();
}

void write_reasons(JsonWriter& json, const std::vector<std::string>& reasons) {
  json.begin_array();
  for (const std::string& reason : reasons) json.string(reason);
  json.end_array();
}

void write_run(JsonWriter& json, const RunResult& run) {
  json.begin_object();
  json.key("measured_s").number(run.measured_s);
  json.key("operations").integer(run.operations());
  json.key("operations_per_second").number(run.per_second(run.operations()));
  write_timings(json.key("read"), run, run.reads());
  for (const auto& [outcome, name] : outcome_names) {
    write_timings(json.key(name), run, run.of(outcome));
  }
  write_errors(json.key("errors"), run.errors);
  write_checks(json.key("checks"), run.checks);
  write_times(json.key("send_lag"), run.send_lag);
  write_times(json.key("dispatch_lag"), run.dispatch_lag);
  json.key("never_sent").integer(run.never_sent);
  json.key("in_flight_mean").number(run.in_flight_mean);
  json.key("in_flight_max").integer(run.in_flight_max);
  json.key("cpu_s").number(run.cpu_s);
  json.key("cpu_share").number(run.cpu_share());
  json.key("resident_bytes").integer(run.resident_bytes);
  write_server(json.key("server"), run.server);
  json.key("interrupted").boolean(run.interrupted);
  write_reasons(json.key("invalid"), run.invalid);
  write_seconds(json.key("seconds"), run.seconds);
  json.end_object();
}

void write_estimates(JsonWriter& json, const Estimates& estimates) {
  json.begin_object();
  for (const auto& [name, estimate] : estimates) {
    json.key(name).begin_object().key("mean").number(estimate.mean).key("half_width_95");
    if (estimate.half_width) {
      json.number(*estimate.half_width);
    } else {
      json.null();
    }
    json.end_object();
  }
  json.end_object();
}

void write_histogram(JsonWriter& json, const Histogram& histogram) {
  json.begin_array();
  histogram.visit([&](std::uint64_t value, std::uint64_t count) {
    json.begin_array().integer(value).integer(count).end_array();
  });
  json.end_array();
}

// --- Reading -------------------------------------------------------------------------------------

// Takes members of an object and remembers the first one that is not as it must be.
class Members {
 public:
  Members(JsonValue object, std::string place) : object_(object), place_(std::move(place)) {}

  std::optional<JsonValue> find(std::string_view name) {
    std::optional<JsonValue> value = object_.find(name);
    if (!value) complain(name);
    return value;
  }
  std::string string(std::string_view name) {
    return std::string(get(name, &JsonValue::string).value_or(""));
  }
  double number(std::string_view name) { return get(name, &JsonValue::number).value_or(0); }
  bool boolean(std::string_view name) { return get(name, &JsonValue::boolean).value_or(false); }
  std::uint64_t count(std::string_view name) {
    const std::int64_t value = get(name, &JsonValue::integer).value_or(0);
    if (value < 0) complain(name);
    return static_cast<std::uint64_t>(value);
  }
  std::vector<JsonValue> elements(std::string_view name) {
    return get(name, &JsonValue::elements).value_or(std::vector<JsonValue>{});
  }
  Members object(std::string_view name) {
    const std::optional<JsonValue> value = find(name);
    return {value.value_or(object_), place_ + std::string(name) + "."};
  }

  void complain(std::string_view name) {
    if (bad_.empty()) bad_ = place_ + std::string(name);
  }
  // Empty: nothing.
  const std::string& bad() const { return bad_; }
  void note(const Members& part) {
    if (bad_.empty()) bad_ = part.bad_;
  }

 private:
  template <class T>
  std::optional<T> get(std::string_view name, std::optional<T> (JsonValue::*as)() const) {
    const std::optional<JsonValue> value = object_.find(name);
    std::optional<T> result = value ? ((*value).*as)() : std::nullopt;
    if (!result) complain(name);
    return result;
  }

  JsonValue object_;
  std::string place_;
  std::string bad_;
};

void read_flags(Members& members, FlagValues& flags) {
  Members part = members.object("flags");
  // JSON objects are asked by name here; the names are those of any settings.
  for (const auto& [name, unused] : flags_of(Settings{})) {
    flags.emplace_back(name, part.string(name));
  }
  members.note(part);
}

void read_environment(Members& members, Environment& environment) {
  Members machine = members.object("machine");
  environment.cpu_model = machine.string("cpu_model");
  environment.cores = static_cast<unsigned>(machine.count("cores"));
  environment.memory_bytes = machine.count("memory_bytes");
  members.note(machine);
  environment.kernel = members.string("kernel");
  environment.commit = members.string("commit");
}

void read_estimates(Members& members, Estimates& estimates) {
  const std::optional<JsonValue> object = members.find("estimates");
  if (!object) return;
  for (const Figure& figure : figures) {
    const std::optional<JsonValue> value = object->find(figure.name);
    if (!value) {
      // The others need not be there: a run may have had no writes.
      if (figure.name == "throughput") members.complain("estimates.throughput");
      continue;
    }
    Members part(*value, "estimates." + std::string(figure.name) + ".");
    Estimate estimate{part.number("mean"), std::nullopt};
    const std::optional<JsonValue> half_width = part.find("half_width_95");
    if (half_width && !half_width->is_null()) estimate.half_width = part.number("half_width_95");
    members.note(part);
    estimates.emplace(figure.name, estimate);
  }
}

void read_repeats(Members& members, ResultFile& result) {
  const std::vector<JsonValue> repeats = members.elements("repeats");
  result.repeats = repeats.size();
  for (const JsonValue& repeat : repeats) {
    Members run(repeat, "repeats.");
    Members checks = run.object("checks");
    for (const char* kind : {"corrupt", "stale", "lost", "foreign"}) {
      result.failed_checks += checks.count(kind);
    }
    run.note(checks);
    members.note(run);
  }
}

void read_histogram(Members& histograms, std::string_view name, Histogram& histogram) {
  for (const JsonValue& bucket : histograms.elements(name)) {
    const std::optional<std::vector<JsonValue>> pair = bucket.elements();
    if (!pair || pair->size() != 2) return histograms.complain(name);
    const std::optional<std::int64_t> value = (*pair)[0].integer();
    const std::optional<std::int64_t> count = (*pair)[1].integer();
    if (!value || !count || *value < 0 || *count < 0) return histograms.complain(name);
    histogram.record(static_cast<std::uint64_t>(*value), static_cast<std::uint64_t>(*count));
  }
}

}  // namespace

FlagValues flags_of(const Settings& settings) {
  const Workload& workload = settings.workload;
  const Load& load = settings.load;
  const bool open = load.model == Model::open;
  std::string slos;
  for (const Slo& slo : settings.slos) slos += (slos.empty() ? "" : " ") + slo.text;
  return {
      {"reads", fmt::format("{}", workload.reads_percent)},
      {"absent", fmt::format("{}", workload.absent_percent)},
      {"new-keys", fmt::format("{}", workload.new_keys_percent)},
      {"keys", fmt::format("{}", workload.keys)},
      {"dist", workload.distribution.text()},
      {"sizes", workload.images_directory.empty() ? workload.sizes.text() : ""},
      {"images", workload.images_directory},
      {"dialect", word_for(dialect_words, workload.dialect)},
      {"key-prefix", workload.key_prefix},
      {"seed", fmt::format("{}", workload.seed)},
      {"mode", word_for(model_words, load.model)},
      {"connections", fmt::format("{}", load.connections)},
      {"rate", open ? load.rate.text() : ""},
      {"arrivals", open ? word_for(arrivals_words, load.arrivals) : ""},
      {"warm-up", duration_text(load.warm_up_ms)},
      {"duration", duration_text(load.duration_ms)},
      {"timeout", duration_text(load.timeout_ms)},
      {"repeat", fmt::format("{}", load.repeat)},
      {"preload", settings.preload ? "true" : "false"},
      {"slo", slos},
      {"max-error-rate",
       settings.max_error_percent ? fmt::format("{}", *settings.max_error_percent) : ""},
  };
}

std::string result_json(const Settings& settings, const Environment& environment,
                        std::int64_t started_unix_ms, std::span<const RunResult> repeats) {
  assert(!repeats.empty());
  const RunResult all = combined(repeats);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("schema").string(result_schema);
  json.key("label").string(settings.label);
  json.key("ratio").string(settings.workload.ratio_text());
  json.key("reads_percent").number(settings.workload.reads_percent);
  json.key("mode").string(word_for(model_words, settings.load.model));
  json.key("connections").integer(settings.load.connections);
  json.key("rate");
  if (settings.load.model == Model::open) {
    json.begin_object().key("from").number(settings.load.rate.from);
    json.key("to").number(settings.load.rate.to).end_object();
  } else {
    json.null();
  }
  json.key("flags").begin_object();
  for (const auto& [name, value] : flags_of(settings)) json.key(name).string(value);
  json.end_object();
  json.key("server").string(settings.server.text());
  const auto started = static_cast<std::time_t>(started_unix_ms / 1000);
  json.key("started").string(fmt::format("{:%FT%TZ}", fmt::gmtime(started)));
  json.key("machine").begin_object();
  json.key("cpu_model").string(environment.cpu_model);
  json.key("cores").integer(environment.cores);
  json.key("memory_bytes").integer(environment.memory_bytes).end_object();
  json.key("kernel").string(environment.kernel);
  json.key("commit").string(environment.commit);
  json.key("valid").boolean(all.invalid.empty());
  write_reasons(json.key("invalid"), all.invalid);
  json.key("interrupted").boolean(all.interrupted);
  write_estimates(json.key("estimates"), estimates(repeats));
  json.key("repeats").begin_array();
  for (const RunResult& run : repeats) write_run(json, run);
  json.end_array();
  json.key("histograms").begin_object();
  write_histogram(json.key("read"), all.reads().response);
  write_histogram(json.key("write"), all.of(Outcome::write).response);
  json.end_object();
  json.end_object();
  out += '\n';
  return out;
}

Result<ResultFile> parse_result(std::string_view json) {
  Result<JsonDocument> document = JsonDocument::parse(json);
  if (!document) return std::move(document).error();
  const std::optional<JsonValue> schema = document->root().find("schema");
  const std::optional<std::string_view> version = schema ? schema->string() : std::nullopt;
  if (!version) {
    return Error{Errc::invalid_argument, "this is no result of the load generator: no \"schema\""};
  }
  if (*version != result_schema) {
    return Error{Errc::invalid_argument, fmt::format("its schema is \"{}\", this program reads {}",
                                                     *version, result_schema)};
  }

  ResultFile result;
  Members members(document->root(), "");
  result.label = members.string("label");
  result.ratio = members.string("ratio");
  result.reads_percent = members.number("reads_percent");
  const std::string mode = members.string("mode");
  if (mode != "open" && mode != "closed") members.complain("mode");
  result.model = mode == "open" ? Model::open : Model::closed;
  result.connections = static_cast<unsigned>(members.count("connections"));
  if (result.model == Model::open) {
    Members rate = members.object("rate");
    result.rate = {rate.number("from"), rate.number("to")};
    members.note(rate);
  }
  read_flags(members, result.flags);
  result.server = members.string("server");
  result.started = members.string("started");
  read_environment(members, result.environment);
  for (const JsonValue& reason : members.elements("invalid")) {
    result.invalid.emplace_back(reason.string().value_or(""));
  }
  result.interrupted = members.boolean("interrupted");
  read_estimates(members, result.estimates);
  read_repeats(members, result);
  Members histograms = members.object("histograms");
  read_histogram(histograms, "read", result.read_response);
  read_histogram(histograms, "write", result.write_response);
  members.note(histograms);
  if (!members.bad().empty()) {
    return Error{Errc::invalid_argument,
                 fmt::format("\"{}\" is missing or not what it must be", members.bad())};
  }
  return result;
}

Result<ResultFile> read_result(const std::string& path) {
  Result<Blob> text = net::read_file(path, file_bytes_max);
  if (!text) return std::move(text).error();
  Result<ResultFile> result = parse_result(text->view());
  if (!result) return Error{result.error().code, path + ": " + result.error().message};
  result->path = path;
  return result;
}

}  // namespace imgcached::loadgen
