// The command line: what every flag sets, what is refused and how, and that the
// help tells the truth.
#include "tools/loadgen/options.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

namespace imgcached::loadgen {
namespace {

using Command = Settings::Command;
using Words = std::vector<std::string>;

const Words commands{"run", "sweep", "preload", "plot", "compare"};

ParsedOptions parse(const Words& words) {
  std::vector<const char*> arguments{"loadgen"};
  for (const std::string& word : words) arguments.push_back(word.c_str());
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

// As a shell would split it: at blanks, but not within single quotes.
Words split(const std::string& line) {
  Words words;
  bool in_word = false, quoted = false;
  for (const char c : line) {
    if (c == ' ' && !quoted) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == '\'') quoted = !quoted;
    else words.back() += c;
  }
  REQUIRE_FALSE(quoted);
  return words;
}

Settings settings_of(const std::string& line) {
  CAPTURE(line);
  ParsedOptions options = parse(split(line));
  CAPTURE(options.message);
  REQUIRE(options.settings.has_value());
  CHECK(options.message.empty());
  CHECK(options.exit_status == exit_ok);
  return *options.settings;
}

// The message without the program's name.
std::string refusal(const Words& words) {
  const ParsedOptions options = parse(words);
  if (options.settings) return "accepted";
  CHECK(options.exit_status == exit_usage);
  CHECK(options.message.starts_with("loadgen: "));
  CHECK(options.message.ends_with('\n'));
  CHECK(std::count(options.message.begin(), options.message.end(), '\n') == 1);
  return options.message.substr(9, options.message.size() - 10);
}

std::string refusal(const std::string& line) { return refusal(split(line)); }

std::string help_of(const Words& words) {
  const ParsedOptions options = parse(words);
  CHECK_FALSE(options.settings);
  CHECK(options.exit_status == exit_ok);
  return options.message;
}

Words lines_of(const std::string& text) {
  std::istringstream stream(text);
  Words lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The long flags that a help page explains.
Words flags_in(const std::string& help) {
  Words flags;
  for (const std::string& line : lines_of(help)) {
    const std::size_t at = line.starts_with("  -h, ") ? 6 : 2;
    if (line.size() <= at || line.substr(at, 2) != "--") continue;
    flags.push_back(line.substr(at, line.find(' ', at) - at));
  }
  std::sort(flags.begin(), flags.end());
  return flags;
}

// The examples of a help page, without the program's name and each in one line.
Words examples_in(const std::string& help) {
  const std::string mark = "  loadgen ";
  Words examples;
  bool goes_on = false;
  for (std::string line : lines_of(help)) {
    if (goes_on) examples.back() += line;
    else if (line.starts_with(mark)) examples.push_back(line.substr(mark.size()));
    else continue;
    goes_on = examples.back().ends_with('\\');
    if (goes_on) examples.back().pop_back();
  }
  return examples;
}

Words sorted(Words words) {
  std::sort(words.begin(), words.end());
  return words;
}

// --- Settings ------------------------------------------------------------------------------------

TEST_CASE("options: the defaults") {
  const Settings run = settings_of("run");
  CHECK(run.command == Command::run);
  CHECK(run.server == net::Address{"127.0.0.1", 5000});
  CHECK(run.cache == net::Address{"127.0.0.1", 5001});
  CHECK(run.workload.reads_percent == 80);
  CHECK(run.workload.absent_percent == 0);
  CHECK(run.workload.new_keys_percent == 0);
  CHECK(run.workload.keys == 1'000);
  CHECK(run.workload.distribution.text() == "uniform");
  CHECK(run.workload.sizes.text() == "15KiB");
  CHECK(run.workload.images_directory.empty());
  CHECK(run.workload.dialect == Dialect::raw);
  CHECK(run.workload.key_prefix == "loadgen-");
  CHECK(run.workload.seed == 1);
  CHECK(run.load.model == Model::closed);
  CHECK(run.load.connections == 32);
  CHECK(run.load.arrivals == Arrivals::poisson);
  CHECK(run.load.warm_up_ms == 2'000);
  CHECK(run.load.duration_ms == 10'000);
  CHECK(run.load.timeout_ms == 5'000);
  CHECK(run.load.repeat == 1);
  CHECK(run.preload);
  CHECK_FALSE(run.find_max);
  CHECK(run.slos.empty());
  CHECK_FALSE(run.max_error_percent);
  CHECK(run.label.empty());
  CHECK(run.out.empty());
  CHECK_FALSE(run.quiet);

  const Settings sweep = settings_of("sweep");
  CHECK(sweep.command == Command::sweep);
  CHECK(sweep.sweep_reads == std::vector<double>{20, 50, 80});
  CHECK(sweep.sweep_connections == std::vector<unsigned>{1, 2, 4, 8, 16, 32, 64});
  CHECK(sweep.out == "results");
  CHECK(sweep.cache == net::Address{"127.0.0.1", 5001});

  const Settings preload = settings_of("preload");
  CHECK(preload.command == Command::preload);
  CHECK(preload.workload.keys == 1'000);
  CHECK_FALSE(preload.cache);
}

TEST_CASE("options: the server, and the cache service beside it") {
  CHECK(settings_of("run http://10.1.2.3:80/").server == net::Address{"10.1.2.3", 80});
  CHECK(settings_of("run http://[::1]:5000").server == net::Address{"::1", 5000});
  CHECK(settings_of("run http://[::1]:5000").cache == net::Address{"::1", 5001});
  CHECK(settings_of("sweep http://store:5000").cache == net::Address{"store", 5001});
  CHECK_FALSE(settings_of("run http://store:5002").cache);
  CHECK(settings_of("run --cache-url http://c:7 http://store:5002").cache == net::Address{"c", 7});
  CHECK(settings_of("run http://store:5000 --cache-url http://c:7").cache == net::Address{"c", 7});
  CHECK(settings_of("run -- http://store:5002").server.host == "store");
}

TEST_CASE("options: the workload") {
  const Settings settings = settings_of(
      "run --reads 12.5 --keys 10000 --dist zipfian:0.8 --sizes lognormal:64KiB:0.5 --new-keys 10% "
      "--absent 5 --dialect api --key-prefix a.b_c~d-1 --seed 18446744073709551615 --no-preload");
  const Workload& workload = settings.workload;
  CHECK(workload.reads_percent == 12.5);
  CHECK(workload.keys == 10'000);
  CHECK(workload.distribution.kind == Distribution::Kind::zipfian);
  CHECK(workload.distribution.theta == 0.8);
  CHECK(workload.sizes.kind == Sizes::Kind::lognormal);
  CHECK(workload.sizes.median_bytes == 64 * 1024);
  CHECK(workload.sizes.sigma == 0.5);
  CHECK(workload.new_keys_percent == 10);
  CHECK(workload.absent_percent == 5);
  CHECK(workload.dialect == Dialect::api);
  CHECK(workload.key_prefix == "a.b_c~d-1");
  CHECK(workload.seed == UINT64_MAX);
  CHECK_FALSE(settings.preload);
  CHECK(settings_of("run --images photos").workload.images_directory == "photos");
  CHECK(settings_of("run --dialect raw").workload.dialect == Dialect::raw);
  for (const std::string words : {"uniform", "zipfian:0.99", "hotspot:0.2:0.8", "latest"}) {
    CHECK(settings_of("run --dist " + words).workload.distribution.text() == words);
  }
}

TEST_CASE("options: the load") {
  const Load load = settings_of(
                        "run --connections 10000 --warm-up 0 --duration 1.5s --timeout 250ms "
                        "--repeat 3")
                        .load;
  CHECK(load.model == Model::closed);
  CHECK(load.connections == 10'000);
  CHECK(load.warm_up_ms == 0);
  CHECK(load.duration_ms == 1'500);
  CHECK(load.timeout_ms == 250);
  CHECK(load.repeat == 3);
  CHECK(settings_of("run --mode closed").load.model == Model::closed);
  CHECK(settings_of("run --duration 24h").load.duration_ms == 86'400'000);
}

TEST_CASE("options: a rate means the open mode") {
  for (const std::string line : {"run --rate 20000", "run --mode open --rate 20000"}) {
    const Load load = settings_of(line).load;
    CHECK(load.model == Model::open);
    CHECK(load.rate.from == 20'000);
    CHECK(load.rate.to == 20'000);
    CHECK(load.arrivals == Arrivals::poisson);
  }
  const Load ramp = settings_of("run --arrivals constant --rate 1000:40000").load;
  CHECK(ramp.rate.from == 1'000);
  CHECK(ramp.rate.to == 40'000);
  CHECK(ramp.arrivals == Arrivals::constant);
}

TEST_CASE("options: the search for the highest rate means the open mode") {
  const Settings search = settings_of("run --find-max --slo 'read.p99<20ms'");
  CHECK(search.find_max);
  CHECK(search.load.model == Model::open);
  CHECK(search.load.rate.from == 1'000);
  CHECK(search.load.rate.to == 1'000);
  CHECK(settings_of("run --mode open --rate 50 --find-max --slo read.p99<20ms").load.rate.to == 50);
}

TEST_CASE("options: the verdict") {
  const Settings settings = settings_of(
      "run --slo read.p99<20ms --slo 'hit_ratio>=0.9' --max-error-rate 0.1 http://store:1");
  REQUIRE(settings.slos.size() == 2);
  CHECK(settings.slos[0].text == "read.p99<20ms");
  CHECK(settings.slos[1].text == "hit_ratio>=0.9");
  CHECK(settings.max_error_percent == 0.1);
  CHECK(settings.server.host == "store");  // --slo takes one value, not all that follow
  CHECK(settings_of("run --max-error-rate 0").max_error_percent == 0.0);
}

TEST_CASE("options: the output") {
  const Settings settings = settings_of("run --out results/lru --label 'LRU, 64 MB' --quiet");
  CHECK(settings.out == "results/lru");
  CHECK(settings.label == "LRU, 64 MB");
  CHECK(settings.quiet);
  CHECK(settings_of("run --out before.json").out == "before");
}

TEST_CASE("options: a sweep takes lists") {
  const Settings settings = settings_of(
      "sweep --reads 0,33.3,100 --connections 1,1000 --out x/ --label Random --repeat 2");
  CHECK(settings.sweep_reads == std::vector<double>{0, 33.3, 100});
  CHECK(settings.sweep_connections == std::vector<unsigned>{1, 1'000});
  CHECK(settings.out == "x/");
  CHECK(settings.label == "Random");
  CHECK(settings.load.repeat == 2);
  CHECK(settings_of("sweep --reads 50").sweep_reads == std::vector<double>{50});
}

TEST_CASE("options: preload, plot and compare") {
  const Settings preload = settings_of(
      "preload --keys 5 --connections 4 --timeout 1s --seed 2 --key-prefix p --dialect api --quiet "
      "http://s:1");
  CHECK(preload.workload.keys == 5);
  CHECK(preload.load.connections == 4);
  CHECK(preload.load.timeout_ms == 1'000);
  CHECK(preload.quiet);
  CHECK(preload.server.port == 1);

  const Settings plot = settings_of("plot results/");
  CHECK(plot.command == Command::plot);
  CHECK(plot.inputs == Words{"results/"});
  CHECK(plot.out == "results/");
  CHECK(settings_of("plot results --out graphs").out == "graphs");

  const Settings compare = settings_of("compare a.json b.json");
  CHECK(compare.command == Command::compare);
  CHECK(compare.inputs == Words{"a.json", "b.json"});
}

TEST_CASE("options: names of commands are good names for files") {
  CHECK(settings_of("plot run").inputs == Words{"run"});
  CHECK(settings_of("compare run sweep").inputs == Words{"run", "sweep"});
  CHECK(settings_of("run --label run").label == "run");
}

TEST_CASE("options: the second of two values counts, and = is a blank") {
  CHECK(settings_of("run --keys 5 --keys=6").workload.keys == 6);
  CHECK(settings_of("sweep --reads 50 --reads 20,80").sweep_reads == std::vector<double>{20, 80});
}

// --- Refusals ------------------------------------------------------------------------------------

TEST_CASE("options: a wrong value is refused by the name of its flag and what is accepted") {
  struct Case {
    std::string line, message;
  };
  const std::string url =
      " is no address of a server: write http://HOST:PORT, such as http://127.0.0.1:5000";
  const std::string percentage = " is no percentage from 0 to 100";
  const Case cases[] = {
      {"run 127.0.0.1:5000", "URL: \"127.0.0.1:5000\"" + url},
      {"run https://a:1", "URL: \"https://a:1\"" + url},
      {"run http://a", "URL: \"http://a\"" + url},
      {"run http://a:0", "URL: \"http://a:0\"" + url},
      {"run http://a:1/images", "URL: \"http://a:1/images\"" + url},
      {"run http://a/b:1", "URL: \"http://a/b:1\"" + url},
      {"run http://me@a:1", "URL: \"http://me@a:1\"" + url},
      {"run --cache-url a:1", "--cache-url: \"a:1\"" + url},
      {"run --reads 101", "--reads: \"101\"" + percentage},
      {"run --reads -1", "--reads: \"-1\"" + percentage},
      {"run --reads 80:20", "--reads: \"80:20\"" + percentage},
      {"run --absent x", "--absent: \"x\"" + percentage},
      {"run --new-keys 200%", "--new-keys: \"200%\"" + percentage},
      {"run --max-error-rate few", "--max-error-rate: \"few\"" + percentage},
      {"run --keys 0", "--keys: \"0\" is no whole number from 1 to 100000000"},
      {"run --keys 1e6", "--keys: \"1e6\" is no whole number from 1 to 100000000"},
      {"run --seed -1", "--seed: \"-1\" is no whole number from 0 to 18446744073709551615"},
      {"run --connections 0", "--connections: \"0\" is no whole number from 1 to 10000"},
      {"run --connections 10001", "--connections: \"10001\" is no whole number from 1 to 10000"},
      {"run --repeat 0", "--repeat: \"0\" is no whole number from 1 to 100"},
      {"run --dialect soap", "--dialect: \"soap\" is neither raw nor api"},
      {"run --dialect rwa", "--dialect: \"rwa\" is neither raw nor api; did you mean raw?"},
      {"run --mode opne", "--mode: \"opne\" is neither closed nor open; did you mean open?"},
      {"run --arrivals poison",
       "--arrivals: \"poison\" is neither poisson nor constant; did you mean poisson?"},
      {"run --duration 30", "--duration: \"30\" has no unit: write 30s or 30ms"},
      {"run --duration 99ms", "--duration: \"99ms\" is not from 100ms to 24h"},
      {"run --duration 25h", "--duration: \"25h\" is longer than a day"},
      {"run --duration long", "--duration: \"long\" is no duration: write 500ms, 30s or 5m"},
      {"run --warm-up 2h", "--warm-up: \"2h\" is not from 0s to 1h"},
      {"run --timeout 0", "--timeout: \"0\" is not from 1ms to 10m"},
      {"run --slo read.p99",
       "--slo: \"read.p99\" compares nothing: write read.p99<20ms or "
       "hit_ratio>=0.9"},
      {"run --slo throughput>1 --slo x>1",
       "--slo: \"x\" is nothing that is measured: write read.p99, write.mean, all.max, throughput "
       "or hit_ratio"},
      {"run --key-prefix a/b",
       "--key-prefix: \"a/b\" is not 1 to 100 letters, digits, dots, "
       "dashes, underscores or tildes"},
      {"run --label a/b", "--label: \"a/b\" is not 1 to 60 printable characters without a slash"},
      {"run --out results/",
       "--out: \"results/\" names no file: write one without its ending, such as results/run"},
      {"sweep --reads 20,,80", "--reads: \"\"" + percentage},
      {"sweep --reads 20,", "--reads: \"\"" + percentage},
      {"sweep --reads 20,200", "--reads: \"200\"" + percentage},
      {"sweep --reads 20,50,20", "--reads: \"20,50,20\" has 20 twice"},
      {"sweep --connections 1;2", "--connections: \"1;2\" is no whole number from 1 to 10000"},
  };
  for (const Case& one : cases) CHECK(refusal(one.line) == one.message);
  CHECK(refusal({"run", "--images", ""}) == "--images: must not be empty");
  CHECK(refusal({"run", "--label", ""}) ==
        "--label: \"\" is not 1 to 60 printable characters without a slash");
  CHECK(refusal({"run", "--key-prefix", std::string(101, 'k')}) != "accepted");
  CHECK(refusal({"run", "--key-prefix", std::string(100, 'k')}) == "accepted");
  CHECK(refusal({"run", "--label", std::string(61, 'l')}) != "accepted");
  CHECK(refusal({"run", "--out", "\xff"}) == "--out: the value is not valid UTF-8");
  CHECK(refusal({"run", "--keys", "1\n2"}) ==
        "--keys: \"1 2\" is no whole number from 1 to 100000000");
}

TEST_CASE("options: what others read is refused by them, and the right word named") {
  CHECK(refusal("run --dist zipfan:0.9").starts_with("--dist: "));
  CHECK(refusal("run --dist zipfan:0.9").ends_with("; did you mean zipfian?"));
  CHECK(refusal("run --dist unifrom").ends_with("; did you mean uniform?"));
  CHECK(refusal("run --dist zipfian:x").find("did you mean") == std::string::npos);
  CHECK(refusal("run --sizes lognornal:64KiB").ends_with("; did you mean lognormal?"));
  CHECK(refusal("run --sizes 15").starts_with("--sizes: "));
  CHECK(refusal("run --rate fast").starts_with("--rate: "));
  CHECK(refusal("run --rate 0").starts_with("--rate: "));
}

TEST_CASE("options: bounds on lists and repetitions") {
  std::string hundred = "1";
  for (int i = 2; i <= 100; ++i) hundred += "," + std::to_string(i);
  CHECK(settings_of("sweep --connections " + hundred).sweep_connections.size() == 100);
  CHECK(refusal("sweep --connections " + hundred + ",101") ==
        "--connections: more than 100 values");
  std::string slos;
  for (int i = 0; i < 100; ++i) slos += " --slo read.p99<1s";
  CHECK(settings_of("run" + slos).slos.size() == 100);
  CHECK(refusal("run --slo read.p99<1s" + slos) == "--slo: stands here more than 100 times");
}

TEST_CASE("options: what does not go together is refused") {
  struct Case {
    std::string line, message;
  };
  const Case cases[] = {
      {"run --mode open", "--mode: open needs --rate, such as --rate 20000, or --find-max"},
      {"run --mode closed --rate 5",
       "--rate: goes with --mode open; in closed mode the server sets the pace"},
      {"run --arrivals constant",
       "--arrivals: goes with the open mode: add --rate, such as --rate 20000"},
      {"run --find-max", "--find-max: needs an --slo to search by, such as --slo 'read.p99<20ms'"},
      {"run --find-max --mode closed --slo read.p99<1s",
       "--find-max: searches a rate, which --mode closed does not have"},
      {"run --find-max --rate 1:2 --slo read.p99<1s",
       "--rate: is where --find-max begins: one rate, not a ramp"},
      {"run --find-max --repeat 2 --slo read.p99<1s", "--repeat: goes without --find-max"},
      {"run --images photos --sizes 15KiB",
       "--sizes: is for generated images, so it goes without --images"},
      {"run --reads 0 --slo read.p99<1s",
       "--slo: \"read.p99<1s\" can't be measured with 0 % reads : 100 % writes"},
      {"run --reads 0 --slo hit_ratio>0",
       "--slo: \"hit_ratio>0\" can't be measured with 0 % reads : 100 % writes"},
      {"run --reads 100 --slo write.max<1s",
       "--slo: \"write.max<1s\" can't be measured with 100 % reads : 0 % writes"},
      {"plot", "plot: of what? Name the directory that sweep wrote: loadgen plot DIR"},
      {"compare", "compare: needs two results: loadgen compare A.json B.json"},
      {"compare a.json", "compare: needs two results: loadgen compare A.json B.json"},
  };
  for (const Case& one : cases) CHECK(refusal(one.line) == one.message);
}

TEST_CASE("options: an unknown flag or command names the nearest one") {
  struct Case {
    std::string line, message;
  };
  const Case cases[] = {
      {"", "needs a command: run, sweep, preload, plot, compare"},
      {"rnu",
       "rnu: no such command; there are run, sweep, preload, plot, compare; did you mean "
       "run?"},
      {"frobnicate", "frobnicate: no such command; there are run, sweep, preload, plot, compare"},
      {"rnu --reads 80 http://a:1",
       "rnu: no such command; there are run, sweep, preload, plot, "
       "compare; did you mean run?"},
      {"--reads 80 run", "--reads: goes behind the command (run, sweep)"},
      {"--verison", "--verison: no such flag; did you mean --version?"},
      {"--frobnicate", "--frobnicate: no such flag; see loadgen --help"},
      {"run --conections 32 http://a:1", "--conections: no such flag; did you mean --connections?"},
      {"run --conections=32", "--conections: no such flag; did you mean --connections?"},
      {"run --conections 32 --keys 0", "--conections: no such flag; did you mean --connections?"},
      {"run --warmup 2s", "--warmup: no such flag; did you mean --warm-up?"},
      {"run --conn 2", "--conn: no such flag; did you mean --connections?"},
      {"run -quiet", "-quiet: no such flag; did you mean --quiet?"},
      {"run -c 2", "-c: no such flag; see loadgen run --help"},
      {"sweep --frobnicate", "--frobnicate: no such flag; see loadgen sweep --help"},
      {"sweep --rate 20000", "--rate: no flag of sweep, but of run"},
      {"compare --out x a b", "--out: no flag of compare, but of run, sweep, plot"},
      {"run http://a:1 http://b:1",
       "\"http://b:1\": one argument too many; usage: loadgen run [FLAGS] [URL]"},
      {"compare a b c", "\"c\": one argument too many; usage: loadgen compare A B"},
      {"run http://a:1 sweep",
       "\"sweep\": one argument too many; usage: loadgen run [FLAGS] [URL]"},
  };
  for (const Case& one : cases) CHECK(refusal(one.line) == one.message);
}

TEST_CASE("options: values that are missing, or too much") {
  CHECK(refusal("run --keys") == "--keys: needs a value");
  CHECK(refusal("run --keys=") == "--keys: needs a value");
  CHECK(refusal("run --slo") == "--slo: needs a value");
  CHECK(refusal("run --label --quiet") == "--label: needs a value, and --quiet is a flag");
  CHECK(refusal("run --quiet=3") == "--quiet: takes no value");
  CHECK(refusal("run --quiet=3 --keys 5") == "--quiet: takes no value");
}

// --- Help ----------------------------------------------------------------------------------------

TEST_CASE("options: every command explains all of its flags, and takes them") {
  const Words server{"--cache-url", "--help", "--quiet", "--timeout", "--token-file"};
  const Words images{"--dialect", "--images", "--key-prefix", "--keys", "--seed", "--sizes"};
  const Words measured{"--absent", "--connections", "--dist",       "--duration",
                       "--label",  "--new-keys",    "--no-preload", "--out",
                       "--reads",  "--repeat",      "--warm-up"};
  const auto joined = [](std::initializer_list<Words> parts) {
    Words all;
    for (const Words& part : parts) all.insert(all.end(), part.begin(), part.end());
    return sorted(all);
  };
  CHECK(flags_in(help_of({"run", "--help"})) ==
        joined({server,
                images,
                measured,
                {"--arrivals", "--find-max", "--max-error-rate", "--mode", "--rate", "--slo"}}));
  CHECK(flags_in(help_of({"sweep", "--help"})) == joined({server, images, measured}));
  CHECK(flags_in(help_of({"preload", "--help"})) ==
        joined({images, {"--connections", "--help", "--quiet", "--timeout", "--token-file"}}));
  CHECK(flags_in(help_of({"plot", "--help"})) == Words{"--help", "--out"});
  CHECK(flags_in(help_of({"compare", "--help"})) == Words{"--help"});
  CHECK(flags_in(help_of({"--help"})) == Words{"--help", "--version"});
  for (const std::string& command : commands) {
    for (const std::string& flag : flags_in(help_of({command, "--help"}))) {
      const ParsedOptions options = parse({command, flag});
      CHECK(options.message.find("no such flag") == std::string::npos);
      CHECK(options.message.find("no flag of") == std::string::npos);
    }
  }
}

TEST_CASE("options: the help fits 80 columns and no line ends in a blank") {
  for (const Words& words : std::vector<Words>{{"--help"},
                                               {"run", "--help"},
                                               {"sweep", "--help"},
                                               {"preload", "--help"},
                                               {"plot", "--help"},
                                               {"compare", "--help"}}) {
    for (const std::string& line : lines_of(help_of(words))) {
      CAPTURE(line);
      CHECK(line.size() <= 80);
      CHECK_FALSE(line.ends_with(' '));
    }
  }
}

TEST_CASE("options: the examples in the help work") {
  const auto check = [](const std::string& help, std::size_t at_least) {
    const Words examples = examples_in(help);
    CHECK(examples.size() >= at_least);
    for (const std::string& example : examples) settings_of(example);
  };
  check(help_of({"--help"}), 3);
  for (const std::string& command : commands) {
    const std::string help = help_of({command, "--help"});
    check(help, 2);
    // At least one shows the command itself.
    CHECK(help.find("\n  loadgen " + command) != std::string::npos);
    CHECK(help.starts_with("Usage: loadgen " + command));
    CHECK(help.find("Exit status:") != std::string::npos);
  }
}

TEST_CASE("options: the defaults in the help are the defaults") {
  const std::string help = help_of({"run", "--help"});
  const Settings run = settings_of(
      "run --reads 80 --keys 1000 --sizes 15KiB --dialect raw --key-prefix loadgen- --seed 1 "
      "--dist uniform --new-keys 0 --absent 0 --connections 32 --warm-up 2s --duration 10s "
      "--timeout 5s --repeat 1 http://127.0.0.1:5000");
  for (const std::string preset :
       {"[80]", "[1000]", "[15KiB]", "[raw]", "[loadgen-]", "[1]", "[uniform]", "[0]", "[32]",
        "[2s]", "[10s]", "[5s]", "[http://127.0.0.1:5000]", "[poisson]"}) {
    CAPTURE(preset);
    CHECK(help.find(preset) != std::string::npos);
  }
  const Settings plain = settings_of("run");
  CHECK(run.workload.ratio_text() == plain.workload.ratio_text());
  CHECK(run.workload.keys == plain.workload.keys);
  CHECK(run.workload.sizes.text() == plain.workload.sizes.text());
  CHECK(run.workload.distribution.text() == plain.workload.distribution.text());
  CHECK(run.workload.key_prefix == plain.workload.key_prefix);
  CHECK(run.load.connections == plain.load.connections);
  CHECK(run.load.warm_up_ms == plain.load.warm_up_ms);
  CHECK(run.load.duration_ms == plain.load.duration_ms);
  CHECK(run.load.timeout_ms == plain.load.timeout_ms);
}

TEST_CASE("options: help and version win over mistakes beside them") {
  CHECK(help_of({"-h"}) == help_of({"--help"}));
  CHECK(help_of({"run", "-h"}) == help_of({"run", "--help"}));
  CHECK(help_of({"run", "--keys", "0", "--frob", "--help"}) == help_of({"run", "--help"}));
  CHECK(help_of({"--version"}) == std::string("loadgen ") + version + "\n");
}

}  // namespace
}  // namespace imgcached::loadgen
