#include "tools/loadgen/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "tools/loadgen/command_line.h"
#include "tools/loadgen/figure_text.h"
#include "tools/loadgen/nearest.h"
#include "tools/loadgen/quantity.h"
#include "tools/loadgen/slo.h"
#include "tools/loadgen/words.h"

namespace imgcached::loadgen {
namespace {

using Command = Settings::Command;

constexpr unsigned connections_max = 10'000;
constexpr std::uint64_t keys_max = 100'000'000;
constexpr unsigned repeat_max = 100;
constexpr std::size_t list_max = 100;
constexpr std::size_t key_prefix_bytes_max = 100;
constexpr std::size_t label_bytes_max = 60;
constexpr std::uint64_t minute_ms = 60'000, hour_ms = 60 * minute_ms;
constexpr std::uint16_t backend_port = 5000, cache_port = 5001;
// Where --find-max begins, if nobody says where.
constexpr Rate search_start{1'000, 1'000};

Error misused(const std::string& what, const std::string& why) {
  return refused(what + ": " + why);
}

// --- Values ----------------------------------------------------------------------------------
// Each reads the text of one flag; the error says what is accepted.

template <class E>
auto one_of(const Words<E>& words) {
  return [&words](std::string_view text) -> Result<E> {
    for (const auto& [word, value] : words) {
      if (text == word) return value;
    }
    return refused(fmt::format("\"{}\" is neither {} nor {}{}", text, words[0].first,
                               words[1].first,
                               did_you_mean(text, {words[0].first, words[1].first})));
  };
}

auto count_between(std::uint64_t min, std::uint64_t max) {
  return [=](std::string_view text) { return parse_count(text, min, max); };
}

auto duration_between(std::uint64_t min_ms, std::uint64_t max_ms) {
  return [=](std::string_view text) { return parse_duration_ms(text, min_ms, max_ms); };
}

Result<unsigned> parse_connections(std::string_view text) {
  Result<std::uint64_t> count = parse_count(text, 1, connections_max);
  if (!count) return std::move(count).error();
  return static_cast<unsigned>(*count);
}

// A list with commas of what `read` reads.
template <class T>
auto list_of(Result<T> (*read)(std::string_view)) {
  return [read](std::string_view text) -> Result<std::vector<T>> {
    std::vector<T> values;
    for (std::size_t start = 0; start <= text.size();) {
      const std::size_t comma = std::min(text.find(',', start), text.size());
      Result<T> value = read(text.substr(start, comma - start));
      if (!value) return std::move(value).error();
      if (std::find(values.begin(), values.end(), *value) != values.end()) {
        return refused(fmt::format("\"{}\" has {} twice", text, *value));
      }
      if (values.size() == list_max) return refused(fmt::format("more than {} values", list_max));
      values.push_back(*value);
      start = comma + 1;
    }
    return values;
  };
}

// What is `word:parameters`: of a wrong word the nearest right one is told.
template <class T>
auto with_first_word(Result<T> (*read)(std::string_view), std::vector<std::string> words) {
  return [=](std::string_view text) {
    Result<T> value = read(text);
    const std::string_view word = text.substr(0, text.find(':'));
    const bool known = std::find(words.begin(), words.end(), word) != words.end();
    if (!value && !known) value.error().message += did_you_mean(word, words);
    return value;
  };
}

Result<net::Address> parse_url(std::string_view url) {
  const std::string_view all = url;
  constexpr std::string_view scheme = "http://";
  const bool has_scheme = url.starts_with(scheme);
  if (has_scheme) url.remove_prefix(scheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  Result<net::Address> address = net::Address::parse(url);
  const bool host_is_plain = url.find_first_of("/@?# ") == std::string_view::npos;
  if (!has_scheme || !address || !host_is_plain || address->port == 0) {
    return refused(fmt::format(
        "\"{}\" is no address of a server: write http://HOST:PORT, such as http://127.0.0.1:5000",
        all));
  }
  return address;
}

std::string url_of(const net::Address& address) { return "http://" + address.text(); }

// Keys stand in paths as they are.
Result<std::string> parse_key_prefix(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~';
  });
  if (!plain || text.empty() || text.size() > key_prefix_bytes_max) {
    return refused(
        fmt::format("\"{}\" is not 1 to {} letters, digits, dots, dashes, underscores "
                    "or tildes",
                    text, key_prefix_bytes_max));
  }
  return std::string(text);
}

// It becomes part of a file's name.
Result<std::string> parse_label(std::string_view text) {
  const bool printable =
      std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (!printable || text.empty() || text.size() > label_bytes_max ||
      text.find('/') != std::string_view::npos) {
    return refused(fmt::format("\"{}\" is not 1 to {} printable characters without a slash", text,
                               label_bytes_max));
  }
  return std::string(text);
}

Result<std::string> parse_path(std::string_view text) {
  if (text.empty()) return refused("must not be empty");
  return std::string(text);
}

Result<http::AccessToken> read_token(std::string_view path) {
  Result<http::AccessToken> token = http::AccessToken::read(std::string(path));
  if (!token) return refused(token.error().message);
  return token;
}

// Names of several files, without what tells them apart; the name of the JSON means the same.
Result<std::string> parse_base(std::string_view text) {
  constexpr std::string_view suffix = ".json";
  if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
  if (text.empty() || text.ends_with('/')) {
    return refused(fmt::format("\"{}\" names no file: write one without its ending, such as {}run",
                               text, text));
  }
  return std::string(text);
}

// --- Flags ------------------------------------------------------------------------------------

using CommandFlags = CommandLine::Command;

void add_server(CommandFlags& flags, Settings& settings, bool asks_cache) {
  flags.group("Server");
  flags.positional("URL", settings.server, parse_url, url_of(settings.server),
                   "the server under load");
  flags.value("--token-file", "FILE", settings.workload.token, read_token, "",
              "its first line is the token that the server asks for");
  if (!asks_cache) return;
  flags.value(
      "--cache-url", "URL", settings.cache, parse_url,
      fmt::format("port {} of the same host if the URL's port is {}", cache_port, backend_port),
      "the cache service, whose /metrics tell the evictions");
}

void add_images(CommandFlags& flags, Workload& workload) {
  flags.value("--keys", "N", workload.keys, count_between(1, keys_max),
              std::to_string(workload.keys), "images in the store at the beginning");
  flags.value("--sizes", "SIZE", workload.sizes, with_first_word(Sizes::parse, {"lognormal"}),
              workload.sizes.text(),
              "bytes of an image: 15KiB each, lognormal:64KiB (the median) or "
              "lognormal:64KiB:0.5 (median and sigma)");
  flags.value("--images", "DIR", workload.images_directory, parse_path, "",
              "take the image files in DIR instead of generated ones");
  flags.value("--dialect", "WORD", workload.dialect, one_of(dialect_words),
              word_for(dialect_words, workload.dialect),
              "raw: the bytes themselves, GET and PUT /images/KEY; api: base64 in JSON, "
              "POST /api/key/KEY, and multipart, POST /api/upload");
  flags.value("--key-prefix", "TEXT", workload.key_prefix, parse_key_prefix, workload.key_prefix,
              "before the number of every key: workloads with different prefixes share a store");
  flags.value("--seed", "N", workload.seed, count_between(0, UINT64_MAX),
              std::to_string(workload.seed),
              "the same seed gives the same images, keys and order of operations");
}

void add_operations(CommandFlags& flags, Settings& settings) {
  Workload& workload = settings.workload;
  flags.value("--dist", "WORD", workload.distribution,
              with_first_word(Distribution::parse, {"uniform", "zipfian", "hotspot", "latest"}),
              workload.distribution.text(),
              "which image is next: uniform, zipfian:0.99, hotspot:0.2:0.8 (0.2 of the keys get "
              "0.8 of the operations) or latest (the newer, the likelier)");
  flags.value("--new-keys", "PERCENT", workload.new_keys_percent, parse_percent,
              digits_text(workload.new_keys_percent),
              "of the writes: to keys that did not exist; the others overwrite");
  flags.value("--absent", "PERCENT", workload.absent_percent, parse_percent,
              digits_text(workload.absent_percent),
              "of the reads: of keys that nobody ever wrote, answered by 404");
  flags.toggle("--no-preload", settings.preload, false,
               "do not write every key once before: an earlier run or preload with the same flags "
               "has");
}

void add_timeout(CommandFlags& flags, Load& load) {
  flags.value("--timeout", "DURATION", load.timeout_ms, duration_between(1, 10 * minute_ms),
              duration_text(load.timeout_ms), "an operation that takes longer is an error");
}

void add_times(CommandFlags& flags, Load& load) {
  flags.value("--warm-up", "DURATION", load.warm_up_ms, duration_between(0, hour_ms),
              duration_text(load.warm_up_ms), "under load before the measurement; not in it");
  flags.value("--duration", "DURATION", load.duration_ms, duration_between(100, 24 * hour_ms),
              duration_text(load.duration_ms), "of the measurement: 500ms, 30s, 5m");
  add_timeout(flags, load);
  flags.value("--repeat", "N", load.repeat, count_between(1, repeat_max),
              std::to_string(load.repeat),
              "measure N times; from 2 on with 95 % confidence intervals");
}

void add_quiet(CommandFlags& flags, Settings& settings) {
  flags.toggle("--quiet", settings.quiet, true, "print nothing but errors");
}

// Which statuses a command can end with.
enum Ends {
  plain,      // it works or it does not
  loading,    // and it can be interrupted
  measuring,  // and what it measures can be wrong or too little
};

void add_exit_statuses(HelpPage& page, Ends ends) {
  auto& entries = page.section("Exit status").entries;
  entries.push_back({"0", "all is well"});
  entries.push_back({"1", "it could not run: no server, an unreadable file"});
  entries.push_back({"2", "a mistake in the command line"});
  if (ends == measuring) {
    entries.push_back({"3",
                       "an --slo or --max-error-rate was missed, or an image that came back "
                       "was corrupt, stale, lost or foreign"});
    entries.push_back({"130", "interrupted; the report tells what ran so far"});
  }
  if (ends == loading) entries.push_back({"130", "interrupted"});
}

// Where flags have a default it stands in brackets.
constexpr const char* brackets = " Defaults stand in brackets.";

void declare_run(CommandFlags& flags, Settings& settings) {
  Load& load = settings.load;
  flags.page().usage = "loadgen run [FLAGS] [URL]";
  flags.page().description =
      std::string(
          "Puts one workload under one load on the server, checks every image that comes "
          "back, and tells throughput, latencies and hit ratio.") +
      brackets;
  add_server(flags, settings, true);

  flags.group("Workload");
  flags.value("--reads", "PERCENT", settings.workload.reads_percent, parse_percent,
              digits_text(settings.workload.reads_percent),
              "reads among all operations; the others are writes");
  add_images(flags, settings.workload);
  add_operations(flags, settings);

  flags.group("Load");
  flags.value("--mode", "WORD", load.model, one_of(model_words), "closed, but open with --rate",
              "closed: every connection sends its next request when it has its answer; open: "
              "requests are due by a schedule, whether or not answers come, and the time counts "
              "from then");
  flags.value("--connections", "N", load.connections, parse_connections,
              std::to_string(load.connections), "how many there are; in open mode at most");
  flags.value("--rate", "RATE", load.rate, Rate::parse, "",
              "requests a second, for the open mode: 20000, or 1000:40000 for a ramp over the "
              "duration");
  flags.value("--arrivals", "WORD", load.arrivals, one_of(arrivals_words),
              word_for(arrivals_words, load.arrivals),
              "of the open mode: poisson (independent of one another, as users are) or constant "
              "(evenly spaced)");
  add_times(flags, load);

  flags.group("Verdict");
  flags.values("--slo", "CONDITION", settings.slos, parse_slo,
               "what the run has to meet; may be repeated: read.p99<20ms, write.p99.9<=1s, "
               "all.mean<5ms, read.max<1s, throughput>10000, hit_ratio>=0.9");
  flags.value("--max-error-rate", "PERCENT", settings.max_error_percent, parse_percent, "any",
              "how many of all operations may fail");
  flags.toggle("--find-max", settings.find_max, true,
               fmt::format("search the highest rate at which every --slo is met; open mode, "
                           "beginning at --rate or {}",
                           search_start.text()));

  flags.group("Output");
  flags.value("--out", "BASE", settings.out, parse_base, "",
              "write the results too: BASE.json, BASE.csv, BASE-seconds.csv, BASE-read.hgrm and "
              "BASE-write.hgrm");
  flags.value("--label", "TEXT", settings.label, parse_label, "",
              "what is measured, such as LRU: names it in graphs and comparisons");
  add_quiet(flags, settings);
  flags.help_flag();

  add_exit_statuses(flags.page(), measuring);
  flags.page().examples = {
      {"32 users who each wait for their answer; four of five requests are reads",
       "loadgen run --reads 80 --connections 32 --duration 30s http://127.0.0.1:5000"},
      {"20000 requests a second, come what may: what the users feel if the server stalls",
       "loadgen run --mode open --rate 20000 --reads 50 --connections 256"},
      {"where the curve bends: from 1000 to 40000 requests a second within a minute",
       "loadgen run --rate 1000:40000 --duration 1m --connections 512 --out ramp"},
      {"the highest rate at which 99 of 100 reads take less than 20 ms",
       "loadgen run --find-max --slo 'read.p99<20ms' --reads 80"},
      {"for a script: exit with 3 unless it is fast enough, and right",
       "loadgen run --quiet --slo 'all.p99<=50ms' --slo 'hit_ratio>=0.9' --max-error-rate 0.1"},
      {"popular images, many sizes, some of them new: three times, with confidence intervals",
       "loadgen run --dist zipfian:0.99 --sizes lognormal:64KiB --keys 10000 --new-keys 10 "
       "--repeat 3"},
      {"the API's base64 and multipart instead of raw bytes, with one's own pictures",
       "loadgen run --dialect api --images photos --absent 5"},
  };
}

void declare_sweep(CommandFlags& flags, Settings& settings) {
  settings.out = "results";
  flags.page().usage = "loadgen sweep [FLAGS] [URL]";
  flags.page().description =
      std::string(
          "Measures every share of reads with every number of connections, in closed "
          "mode, and writes the results into a directory for plot.") +
      brackets;
  add_server(flags, settings, true);

  flags.group("Workload");
  flags.value("--reads", "PERCENTS", settings.sweep_reads, list_of(parse_percent),
              fmt::format("{}", fmt::join(settings.sweep_reads, ",")),
              "reads among all operations; the others are writes");
  add_images(flags, settings.workload);
  add_operations(flags, settings);

  flags.group("Load");
  flags.value("--connections", "NUMBERS", settings.sweep_connections, list_of(parse_connections),
              fmt::format("{}", fmt::join(settings.sweep_connections, ",")),
              "each sends its next request when it has its answer");
  add_times(flags, settings.load);

  flags.group("Output");
  flags.value("--out", "DIR", settings.out, parse_path, settings.out,
              "where the results go; sweeps with different labels share a directory");
  flags.value("--label", "TEXT", settings.label, parse_label, "",
              "names the line in the graphs, such as LRU");
  add_quiet(flags, settings);
  flags.help_flag();

  add_exit_statuses(flags.page(), measuring);
  flags.page().examples = {
      {"three ratios of reads to writes, each from 1 to 64 connections",
       "loadgen sweep --reads 20,50,80 --connections 1,2,4,8,16,32,64 --out results/"},
      {"the same under two policies, for one graph with two lines",
       "loadgen sweep --label LRU --dist zipfian:0.99 --out results"},
      {"(the server is set to the other policy in between)",
       "loadgen sweep --label Random --dist zipfian:0.99 --out results --no-preload"},
      {"a quick look",
       "loadgen sweep --reads 80 --connections 1,8 --duration 2s --warm-up 500ms --out /tmp/quick"},
  };
}

void declare_preload(CommandFlags& flags, Settings& settings) {
  flags.page().usage = "loadgen preload [FLAGS] [URL]";
  flags.page().description =
      std::string(
          "Writes every key once, as run and sweep do before they measure unless they are "
          "called with --no-preload. The flags of both have to agree: keys, sizes or "
          "images, prefix and seed say what the images are.") +
      brackets;
  add_server(flags, settings, false);

  flags.group("Images");
  add_images(flags, settings.workload);

  flags.group("Load");
  flags.value("--connections", "N", settings.load.connections, parse_connections,
              std::to_string(settings.load.connections), "writes under way at a time");
  add_timeout(flags, settings.load);

  flags.group("Output");
  add_quiet(flags, settings);
  flags.help_flag();

  add_exit_statuses(flags.page(), loading);
  flags.page().examples = {
      {"ten thousand images of many sizes",
       "loadgen preload --keys 10000 --sizes lognormal:64KiB http://127.0.0.1:5000"},
      {"and then a run over them",
       "loadgen run --keys 10000 --sizes lognormal:64KiB --no-preload http://127.0.0.1:5000"},
  };
}

void declare_plot(CommandFlags& flags, Settings& settings) {
  flags.page().usage = "loadgen plot [FLAGS] DIR";
  flags.page().description =
      "Draws latency and throughput of each ratio, one line for each label, as SVG and PNG, and "
      "an HTML report of them all. Needs gnuplot.";
  flags.positional("DIR", settings.inputs.emplace_back(), parse_path, "",
                   "where the results are: what sweep wrote, or several of run");
  flags.group("Flags");
  flags.value("--out", "DIR", settings.out, parse_path, "DIR of the results",
              "where the graphs and the report go");
  flags.help_flag();
  add_exit_statuses(flags.page(), plain);
  flags.page().examples = {
      {"graphs and report beside the results", "loadgen plot results/"},
      {"elsewhere", "loadgen plot results --out docs/graphs"},
  };
}

void declare_compare(CommandFlags& flags, Settings& settings) {
  flags.page().usage = "loadgen compare A B";
  flags.page().description =
      "Shows two results of run side by side, what changed from A to B, and whether that is more "
      "than chance: to tell that, both need --repeat.";
  settings.inputs.resize(2);
  flags.positional("A", settings.inputs[0], parse_path, "", "JSON that run wrote with --out");
  flags.positional("B", settings.inputs[1], parse_path, "", "another");
  flags.group("Flags");
  flags.help_flag();
  add_exit_statuses(flags.page(), plain);
  flags.page().examples = {
      {"before and after a change", "loadgen run --repeat 5 --out before"},
      {"(the other build is started in between)", "loadgen run --repeat 5 --out after"},
      {"what the change brought", "loadgen compare before.json after.json"},
  };
}

struct CommandEntry {
  const char* name;
  Command command;
  const char* summary;
  void (*declare)(CommandFlags&, Settings&);
};
constexpr CommandEntry commands[] = {
    {"run", Command::run, "measure one workload under one load", declare_run},
    {"sweep", Command::sweep, "measure every ratio with every number of connections",
     declare_sweep},
    {"preload", Command::preload, "write every key once, and measure nothing", declare_preload},
    {"plot", Command::plot, "draw graphs of what a sweep found", declare_plot},
    {"compare", Command::compare, "put two results of run side by side", declare_compare},
};

void describe_program(HelpPage& page) {
  page.description =
      "Puts load on an imgcached and tells how fast it answers and how many reads its cache "
      "serves. Every image is different, and every image that comes back is checked.";
  page.section("Flags").entries = {
      {"-h, --help", "print this and exit; behind a command: its flags and examples"},
      {"--version", "print the version and exit"},
  };
  add_exit_statuses(page, measuring);
  page.examples = {
      {"80 % reads : 20 % writes by 32 connections for half a minute",
       "loadgen run --reads 80 --connections 32 --duration 30s http://127.0.0.1:5000"},
      {"the highest rate at which 99 of 100 reads take less than 20 ms",
       "loadgen run --find-max --slo 'read.p99<20ms' http://127.0.0.1:5000"},
      {"three ratios of reads to writes, each from 1 to 64 connections",
       "loadgen sweep --reads 20,50,80 --connections 1,2,4,8,16,32,64 --out results/"},
      {"and graphs of what came out", "loadgen plot results/"},
  };
}

// --- What goes together --------------------------------------------------------------------------

Result<void> resolve_load(const CommandFlags& flags, Settings& settings) {
  Load& load = settings.load;
  const bool has_rate = flags.given("--rate");
  const bool says_closed = flags.given("--mode") && load.model == Model::closed;
  if (settings.find_max && says_closed) {
    return misused("--find-max", "searches a rate, which --mode closed does not have");
  }
  if (has_rate && says_closed) {
    return misused("--rate", "goes with --mode open; in closed mode the server sets the pace");
  }
  if (settings.find_max || has_rate) load.model = Model::open;
  if (settings.find_max && !has_rate) load.rate = search_start;
  if (load.model == Model::open && !settings.find_max && !has_rate) {
    return misused("--mode", "open needs --rate, such as --rate 20000, or --find-max");
  }
  if (load.model == Model::closed && flags.given("--arrivals")) {
    return misused("--arrivals", "goes with the open mode: add --rate, such as --rate 20000");
  }
  if (!settings.find_max) return {};
  if (settings.slos.empty()) {
    return misused("--find-max", "needs an --slo to search by, such as --slo 'read.p99<20ms'");
  }
  if (load.rate.from != load.rate.to) {
    return misused("--rate", "is where --find-max begins: one rate, not a ramp");
  }
  if (flags.given("--repeat")) return misused("--repeat", "goes without --find-max");
  return {};
}

Result<void> resolve_workload(const CommandFlags& flags, Settings& settings) {
  if (flags.given("--images") && flags.given("--sizes")) {
    return misused("--sizes", "is for generated images, so it goes without --images");
  }
  for (const Slo& slo : settings.slos) {
    const bool unread =
        slo.operation == Slo::Operation::read && settings.workload.reads_percent == 0;
    const bool unwritten =
        slo.operation == Slo::Operation::write && settings.workload.reads_percent == 100;
    if (unread || unwritten) {
      return misused("--slo", fmt::format("\"{}\" can't be measured with {}", slo.text,
                                          settings.workload.ratio_text()));
    }
  }
  return {};
}

Result<void> resolve(const CommandFlags& flags, Settings& settings) {
  Result<void> resolved = resolve_load(flags, settings);
  if (resolved) resolved = resolve_workload(flags, settings);
  if (!resolved) return resolved;
  if (settings.command == Command::plot) {
    if (settings.inputs[0].empty()) {
      return misused("plot", "of what? Name the directory that sweep wrote: loadgen plot DIR");
    }
    if (settings.out.empty()) settings.out = settings.inputs[0];
  }
  if (settings.command == Command::compare && settings.inputs[1].empty()) {
    return misused("compare", "needs two results: loadgen compare A.json B.json");
  }
  const bool measures = settings.command == Command::run || settings.command == Command::sweep;
  if (measures && !settings.cache && settings.server.port == backend_port) {
    settings.cache = net::Address{settings.server.host, cache_port};
  }
  return {};
}

ParsedOptions refusal(const std::string& message) {
  return {std::nullopt, "loadgen: " + message + "\n", exit_usage};
}

}  // namespace

ParsedOptions parse_options(int argument_count, const char* const* arguments) {
  CommandLine line("loadgen", version);
  std::array<Settings, std::size(commands)> settings;  // of each command: defaults differ
  for (std::size_t i = 0; i < std::size(commands); ++i) {
    settings[i].command = commands[i].command;
    commands[i].declare(line.add_command(commands[i].name, commands[i].summary), settings[i]);
  }
  describe_program(line.page());

  CommandLine::Outcome outcome = line.parse(argument_count, arguments);
  if (!outcome.refusal.empty()) return refusal(outcome.refusal);
  if (!outcome.command) return {std::nullopt, std::move(outcome.output), exit_ok};
  const auto chosen = std::find_if(std::begin(commands), std::end(commands), [&](const auto& one) {
    return one.name == outcome.command->name();
  });
  Settings& chosen_settings = settings[chosen - std::begin(commands)];
  const Result<void> resolved = resolve(*outcome.command, chosen_settings);
  if (!resolved) return refusal(resolved.error().message);
  return {std::move(chosen_settings), {}, exit_ok};
}

}  // namespace imgcached::loadgen
