// The command line: settings, where they come from, and what is said of bad ones.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/e2e/fixture.h"
#include "tests/e2e/http_peer.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

using Arguments = std::vector<std::string>;

// Enough to start, on free ports, in a fresh directory.
class Settings {
 public:
  Settings() : database_(Database::shared().create()) {}

  Arguments with(const Arguments& more) const {
    Arguments all{"--listen",    "127.0.0.1:0", "--cache-listen", "127.0.0.1:0",
                  "--images",    images(),      "--db-socket",    Database::shared().socket(),
                  "--db-user",   "root",        "--db-name",      database_,
                  "--log-level", "error"};
    for (std::size_t i = 0; i < more.size(); i += 2) {
      const auto given = std::find(all.begin(), all.end(), more[i]);
      if (given == all.end()) {
        all.insert(all.end(), {more[i], more[i + 1]});
      } else {
        given[1] = more[i + 1];
      }
    }
    return all;
  }
  std::string images() const { return path("images"); }
  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    return path(name);
  }
  const std::string& database() const { return database_; }
  std::size_t tables() const { return Database::shared().query("SHOW TABLES", database_).size(); }

 private:
  ScratchDirectory directory_;
  std::string database_;
};

// One line on standard error, where the log goes too, that names the culprit;
// nothing on standard output.
void check_fails(const Outcome& outcome, int status, std::string_view culprit) {
  CAPTURE(outcome.errors);
  CHECK(outcome.status == status);
  CHECK(outcome.output.empty());
  CHECK(outcome.errors.starts_with("imgcached: "));
  CHECK(std::count(outcome.errors.begin(), outcome.errors.end(), '\n') == 1);
  CHECK(outcome.errors.ends_with('\n'));
  CHECK(outcome.errors.find(culprit) != std::string::npos);
}

// What imgcached says with these variables in its environment.
Outcome run_in(const Arguments& environment, const Arguments& flags) {
  const ScratchDirectory scratch;
  const std::string errors = scratch.path() + "/errors";
  Arguments command{"env"};
  command.insert(command.end(), environment.begin(), environment.end());
  command.push_back(program_path());
  command.insert(command.end(), flags.begin(), flags.end());
  Process process(command, errors);
  std::string output = process.read_all();
  const int status = process.wait();
  std::ifstream file(errors);
  return {status, std::move(output), {std::istreambuf_iterator<char>(file), {}}};
}

// What the program says when it is ready.
std::uint16_t backend_port(Process& process) {
  constexpr std::string_view announcement = "imgcached ready backend=127.0.0.1:";
  const std::string ready = process.read_line().value_or("");
  REQUIRE(ready.starts_with(announcement));
  return static_cast<std::uint16_t>(std::stoi(ready.substr(announcement.size())));
}

TEST_CASE("command line: --help and --version print and exit 0") {
  const Outcome help = run_imgcached({"--help"});
  CHECK(help.status == 0);
  CHECK(help.errors.empty());
  for (const char* flag :
       {"--role", "--listen", "--cache-listen", "--cache-url", "--images", "--db-socket",
        "--db-host", "--db-port", "--db-user", "--db-password-file", "--db-name", "--max-upload",
        "--durability", "--token-file", "--log-level", "--access-log", "--config", "--version"}) {
    CHECK_MESSAGE(help.output.find(flag) != std::string::npos, flag);
  }
  const Outcome version = run_imgcached({"--version"});
  CHECK(version.status == 0);
  CHECK(version.output.starts_with("imgcached "));
  CHECK(std::count(version.output.begin(), version.output.end(), '\n') == 1);
}

TEST_CASE("command line: a bad flag or setting is one line that names it, exit 2") {
  const Settings settings;
  check_fails(run_imgcached({"--frobnicate"}), 2, "--frobnicate");
  check_fails(run_imgcached({"serve"}), 2, "serve");
  check_fails(run_imgcached({"--listen"}), 2, "--listen");
  struct Case {
    const char *flag, *value;
  };
  for (const Case& c : {Case{"--role", "both"},
                        Case{"--listen", "5000"},
                        Case{"--listen", "127.0.0.1:99999"},
                        Case{"--listen", "127.0.0.1:x"},
                        Case{"--cache-listen", ":5001"},
                        Case{"--max-upload", "lots"},
                        Case{"--max-upload", "0"},
                        Case{"--max-upload", "-1"},
                        Case{"--max-upload", "10TiB"},
                        Case{"--durability", "some"},
                        Case{"--log-level", "loud"},
                        Case{"--db-port", "99999"},
                        Case{"--db-port", "0"},
                        Case{"--db-port", "x"},
                        Case{"--db-name", ""},
                        Case{"--images", ""},
                        Case{"--backend-loops", "0"},
                        Case{"--backend-loops", "33"},
                        Case{"--backend-loops", "two"},
                        Case{"--db-password-file", "/nonexistent/password"},
                        Case{"--token-file", "/nonexistent/token"},
                        Case{"--token-file", "/dev/null"}}) {
    INFO(std::string(c.flag), " ", std::string(c.value));
    check_fails(run_imgcached(settings.with({c.flag, c.value})), 2, c.flag);
  }
  // The address is one, but of no host.
  const Outcome listening = run_imgcached(settings.with({"--listen", "a\nb:1"}));
  check_fails(listening, 2, "--listen: ");
  CHECK(std::count(listening.errors.begin(), listening.errors.end(), '\n') == 1);
  // Whatever else is missing.
  check_fails(run_imgcached({"--durability", "some"}), 2, "--durability: ");

  const char* missing = "/nonexistent/config.toml";
  check_fails(run_imgcached(settings.with({"--config", missing})), 2, missing);
  check_fails(run_in({std::string("IMGCACHED_CONFIG=") + missing}, settings.with({})), 2, missing);
}

TEST_CASE("bug: what is no file was waited for, read without end, or named without its flag") {
  const Settings settings;
  const std::string pipe = settings.path("pipe");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& path :
       {std::string("/nonexistent/x"), std::string("."), std::string("/dev/zero"), pipe}) {
    CAPTURE(path);
    for (const char* flag : {"--config", "--token-file", "--db-password-file"}) {
      const Outcome outcome = run_imgcached(settings.with({flag, path}));
      check_fails(outcome, 2, std::string(flag) + ": ");
      check_fails(outcome, 2, path);
    }
    check_fails(run_in({"IMGCACHED_CONFIG=" + path}, settings.with({})), 2,
                "IMGCACHED_CONFIG: --config: ");
  }
}

TEST_CASE("command line: --cache-url goes with --role backend, and only with it") {
  const Settings settings;
  check_fails(run_imgcached(settings.with({"--role", "backend"})), 2, "--cache-url");
  const char* url = "http://127.0.0.1:1";
  check_fails(run_imgcached(settings.with({"--cache-url", url})), 2, "--cache-url");
  check_fails(run_imgcached(settings.with({"--role", "cache", "--cache-url", url})), 2,
              "--cache-url");
  for (const char* bad : {"127.0.0.1:5001", "https://127.0.0.1:5001", "http://127.0.0.1",
                          "http://127.0.0.1:5001/cache", "http://"}) {
    INFO(std::string(bad));
    check_fails(run_imgcached(settings.with({"--role", "backend", "--cache-url", bad})), 2,
                "--cache-url");
  }
}

TEST_CASE("command line: each role serves its own port, and only that") {
  const Server cache({.role = Server::Role::cache});
  CHECK(cache.backend_port() == 0);
  CHECK(HttpPeer(cache.cache_port()).get("/stats").status == 200);
  CHECK(HttpPeer(cache.cache_port()).get("/api/list_keys").status == 404);
  const Server backend({.role = Server::Role::backend,
                        .cache_url = cache.cache_url() + "/",
                        .database = cache.database()});
  CHECK(backend.cache_port() == 0);
  CHECK(HttpPeer(backend.backend_port()).get("/api/list_keys").status == 200);
  CHECK(HttpPeer(backend.backend_port()).get("/clear_cache").status == 404);
}

TEST_CASE("command line: a database is named by socket or by host, not by both, nor by neither") {
  const Settings settings;
  check_fails(run_imgcached({"--listen", "127.0.0.1:0"}), 2, "--db-socket");
  check_fails(run_imgcached(settings.with({"--db-host", "127.0.0.1"})), 2, "--db-host");
}

TEST_CASE("command line: an address that can't be listened on is a setting to change") {
  const Server server;
  const Settings settings;
  for (const auto& [flag, port] : {std::pair("--listen", server.backend_port()),
                                   std::pair("--cache-listen", server.cache_port()),
                                   std::pair("--listen", server.cache_port())}) {
    const std::string address = "127.0.0.1:" + std::to_string(port);
    const Outcome outcome = run_imgcached(settings.with({flag, address}));
    check_fails(outcome, 2, address);
    check_fails(outcome, 2, flag);
  }
  for (const char* flag : {"--listen", "--cache-listen"}) {
    check_fails(run_imgcached(settings.with({flag, "192.0.2.1:0"})), 2, flag);
  }
}

TEST_CASE("command line: an image directory that another one holds is refused") {
  const Server server;
  const Settings settings;
  const Outcome outcome = run_imgcached(settings.with({"--images", server.images_directory()}));
  check_fails(outcome, 2, server.images_directory());
  check_fails(outcome, 2, "--images");
  CHECK(settings.tables() == 0);
}

TEST_CASE("command line: a directory that is a file is refused") {
  const Settings settings;
  const std::string file = settings.write("file", "");
  for (const std::string& path : {file, file + "/below"}) {
    const Outcome outcome = run_imgcached(settings.with({"--images", path}));
    check_fails(outcome, 2, file);
    check_fails(outcome, 2, "--images");
  }
  CHECK(settings.tables() == 0);  // the database was left alone
}

TEST_CASE("command line: a database that is not there is one line that names it, exit 1") {
  const Settings settings;
  const std::string socket = settings.path("no.sock");
  const Outcome outcome = run_imgcached(settings.with({"--db-socket", socket}));
  check_fails(outcome, 1, socket);
  check_fails(outcome, 1, "--db-socket");
  // By host, a closed port and a name that there is not.
  for (const char* host : {"127.0.0.1", "nowhere.invalid"}) {
    const Arguments flags{"--images", settings.images(), "--db-host",   host,          "--db-port",
                          "1",        "--listen",        "127.0.0.1:0", "--log-level", "error"};
    const Outcome by_host = run_imgcached(flags);
    check_fails(by_host, 1, host);
    check_fails(by_host, 1, "--db-host");
  }
  CHECK_FALSE(std::filesystem::exists(settings.images()));
}

TEST_CASE("command line: a database that refuses us is a setting to change") {
  const Settings settings;
  Database& database = Database::shared();
  database.query("CREATE OR REPLACE USER guarded@localhost IDENTIFIED BY 'right'");
  database.query("GRANT ALL ON " + settings.database() + ".* TO guarded@localhost");
  const auto run = [&](const std::string& password) {
    return settings.with(
        {"--db-user", "guarded", "--db-password-file", settings.write("password", password)});
  };
  const Outcome refused = run_imgcached(run("wrong\n"));
  check_fails(refused, 2, "--db-user, --db-password-file: ");
  check_fails(refused, 2, "guarded");
  CHECK(refused.errors.find("wrong") == std::string::npos);

  Arguments elsewhere = run("right\n");
  *(std::find(elsewhere.begin(), elsewhere.end(), "--db-name") + 1) = "mysql";
  check_fails(run_imgcached(elsewhere), 2, "--db-name: ");

  Arguments command = run("right\n");
  command.insert(command.begin(), program_path());
  Process process(command, settings.path("log"));
  CHECK(process.read_line().value_or("").starts_with("imgcached ready "));
  process.signal(SIGTERM);
  CHECK(process.wait() == 0);
}

TEST_CASE("command line: a flag beats the environment, which beats the file") {
  const Settings settings;
  const std::string file = settings.write("config.toml", "role = \"of-the-file\"\n");
  const auto in_force = [&](const Arguments& environment, const Arguments& flags) {
    const Outcome outcome = run_in(environment, flags);
    check_fails(outcome, 2, "--role");
    const std::size_t at = outcome.errors.find("of-the-");
    REQUIRE(at != std::string::npos);
    return outcome.errors.substr(at + 7, outcome.errors.find('"', at) - at - 7);
  };
  const std::string variable = "IMGCACHED_ROLE=of-the-environment";
  CHECK(in_force({}, {"--config", file}) == "file");
  CHECK(in_force({"IMGCACHED_CONFIG=" + file}, {}) == "file");
  CHECK(in_force({variable}, {}) == "environment");
  CHECK(in_force({"IMGCACHED_ROLE="}, {"--config", file}) == "file");
  CHECK(in_force({variable}, {"--config", file}) == "environment");
  CHECK(in_force({variable}, {"--config", file, "--role", "of-the-flag"}) == "flag");
  CHECK(in_force({}, {"--config", file, "--role", "of-the-flag"}) == "flag");
}

TEST_CASE("command line: a mistake in the file is named with its line") {
  const Settings settings;
  struct Case {
    const char *line, *complaint;
  };
  for (const Case& c :
       {Case{"listne = \"127.0.0.1:0\"", "listne is no setting"},
        Case{"config = \"other.toml\"", "config is no setting"},
        Case{"role = combined", ""},
        Case{"role = [", ""},
        Case{"role = \"combined\" \"backend\"", ""},
        Case{"db-port = \"3306\"", "db-port must be a whole number"},
        Case{"backend-loops = \"2\"", "backend-loops must be a whole number from 1 to 32"},
        Case{"access-log = 1", "access-log must be true or false"},
        Case{"role = 1", "role must be a string"},
        Case{"role = [\"combined\"]", "a setting is one text"},
        Case{"role = [}", "a setting is one text"},
        Case{"max-upload = true", "max-upload must be a string such as"},
        Case{"\u00e9 = 1", "put what is not ASCII in quotes"},
        Case{"[server]", "there are no sections"},
        Case{"[[[", "there are no sections"},
        Case{" [ =x]", "there are no sections"},  // toml++ ended the process on these
        Case{"role = 0=o\"\xc3\xbe\"", "a quote stands before and behind a whole text"},
        Case{"role = 0=\"\xc3\xbe\"", "a quote stands before and behind a whole text"},
        Case{"role = \"\"\"\\\xef\xbb\xb8\"\"\"", "a text is on one line"},
        Case{"role = \"\"\"\n\"\"\"", "a text is on one line"},
        Case{"role = '''combined'''", "a text is on one line"},
        Case{"role = \"\"\"", "a text is on one line"},
        Case{"role = \"\" \"", "a quote stands before and behind a whole text"},
        Case{"[\nx]", "there are no sections"},
        Case{"[[.]]", "there are no sections"},
        Case{"server.role = \"combined\"", "server is a section"}}) {
    INFO(std::string(c.line));
    const std::string file =
        settings.write("config.toml", "# ours\ndurability = \"none\"\n" + std::string(c.line));
    check_fails(run_imgcached(settings.with({"--config", file})), 2, file + ":3: " + c.complaint);
  }
}

TEST_CASE("command line: a value that can't be is named with where it stands") {
  const Settings settings;
  struct Case {
    const char *setting, *variable, *value, *complaint;
  };
  for (const Case& c :
       {Case{"listen", "IMGCACHED_LISTEN", "\"5000\"", "--listen: "},
        Case{"durability", "IMGCACHED_DURABILITY", "\"some\"", "--durability: \"some\" is neither"},
        Case{"db-port", "IMGCACHED_DB_PORT", "70000", "--db-port: "},
        Case{"backend-loops", "IMGCACHED_BACKEND_LOOPS", "0", "--backend-loops: "},
        Case{"max-upload", "IMGCACHED_MAX_UPLOAD", "\"lots\"", "--max-upload: "}}) {
    INFO(std::string(c.setting));
    const std::string quoted = c.value;
    std::string value = quoted;
    std::erase(value, '"');
    const std::string assigned = c.variable + ("=" + value);
    const std::string flag = "--" + (c.setting + ("=" + value));
    const std::string file =
        settings.write("config.toml", "# ours\n" + (c.setting + (" = " + quoted)));
    const std::string database = "--db-socket=/nonexistent/socket";
    check_fails(run_imgcached({database, "--config", file}), 2, file + ":2: " + c.complaint);
    check_fails(run_in({assigned}, {database}), 2,
                std::string("imgcached: ") + c.variable + ": " + c.complaint);
    check_fails(run_in({assigned}, {database, flag}), 2, std::string("imgcached: ") + c.complaint);
  }
}

TEST_CASE("command line: a flag's error says what it may be") {
  const Settings settings;
  check_fails(run_imgcached(settings.with({"--db-port", "x"})), 2, "1 to 65535");
  check_fails(run_imgcached(settings.with({"--backend-loops", "two"})), 2, "1 to 32");
  check_fails(run_imgcached({"--access-log=maybe"}), 2, "--access-log: must be true or false");
  check_fails(run_imgcached(settings.with(
                  {"--role", "backend", "--cache-url", "http://127.0.0.1:5001/cache"})),
              2, "leave out the path, \"/cache\"");
}

TEST_CASE("command line: images and a database that is not theirs") {
  const Settings settings;
  {
    Arguments command = settings.with({});
    command.insert(command.begin(), program_path());
    Process process(command, settings.path("log"));
    HttpPeer backend(backend_port(process));
    CHECK(backend.request("PUT", "/images/cat", {}, png(1024, 1)).status == 201);
    backend.disconnect();
    process.signal(SIGTERM);
    CHECK(process.wait() == 0);
  }
  Arguments elsewhere = settings.with({});
  *(std::find(elsewhere.begin(), elsewhere.end(), "--db-name") + 1) = "imgcached_nowhere";
  const Outcome outcome = run_imgcached(elsewhere);
  check_fails(outcome, 2, "--db-name: ");
  check_fails(outcome, 2, settings.images() + " has images: name the database");
}

TEST_CASE("command line: too few descriptors are one line that names ulimit -n, exit 2") {
  // Each further loop of the backend has some of its own.
  struct Case {
    const char *loops, *allowed, *wanted;
  };
  for (const Case& c : {Case{"1", "303", "304 are needed"},
                        Case{"4", "543", "544 are needed for --backend-loops 4"}}) {
    const Settings settings;
    const Arguments flags = settings.with({"--backend-loops", c.loops});
    Arguments command{"sh", "-c",      "ulimit -n \"$1\"; shift; exec \"$@\"",
                      "sh", c.allowed, program_path()};
    command.insert(command.end(), flags.begin(), flags.end());
    Process process(command, settings.path("errors"));
    const std::string output = process.read_all();
    const int status = process.wait();
    std::ifstream file(settings.path("errors"));
    const std::string errors{std::istreambuf_iterator<char>(file), {}};
    check_fails({status, output, errors}, 2, "ulimit -n");
    CHECK(errors.find(c.wanted) != std::string::npos);
  }
}

TEST_CASE("bug: SIGTERM while the start waits for the database ends it after 20 s, as a failure") {
  const Settings settings;
  Arguments command = settings.with({});
  command.insert(command.begin(), program_path());
  Database& database = Database::shared();
  {
    Process first(command, settings.path("log"));
    backend_port(first);
    first.signal(SIGTERM);
    REQUIRE(first.wait() == 0);
  }
  Process administrator({"mariadb", "--no-defaults", "--unbuffered", "--skip-column-names",
                         "--socket=" + database.socket(), "--user=root",
                         "--execute=LOCK TABLES images WRITE; SELECT CONNECTION_ID(); "
                         "SELECT SLEEP(60)",
                         settings.database()},
                        settings.path("errors"));
  const std::optional<std::string> session = administrator.read_line();
  REQUIRE(session.has_value());
  Process process(command, settings.path("log"));
  eventually("it waits for the table", [&] {
    return !database
                .query("SELECT id FROM processlist WHERE db = '" + settings.database() +
                           "' AND state = 'Waiting for table metadata lock'",
                       "information_schema")
                .empty();
  });
  process.signal(SIGTERM);
  CHECK(process.wait() == 0);
  CHECK(process.read_all().empty());  // it was never ready
  database.query("KILL " + *session);
}

TEST_CASE("command line: a second signal ends at once what drains, by that signal") {
  const Settings settings;
  Arguments command = settings.with({});
  command.insert(command.begin(), program_path());
  Process process(command, settings.path("log"));
  const std::uint16_t port = backend_port(process);
  Peer idle(port);
  Peer upload(port);  // keeps the drain going
  upload.send(
      "PUT /images/cat HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
      "Expect: 100-continue\r\n\r\n");
  const std::string go_on =
      upload.receive_until([](std::string_view text) { return text.ends_with("\r\n\r\n"); });
  CHECK(go_on.starts_with("HTTP/1.1 100"));
  process.signal(SIGTERM);
  idle.receive_all();  // the drain has begun: what is idle is closed
  process.signal(SIGTERM);
  CHECK(process.wait() == 128 + SIGTERM);
}

TEST_CASE("command line: every setting may come from the environment and from the file") {
  const Settings settings;
  const std::string file =
      settings.write("config.toml",
                     "listen = \"127.0.0.1:0\"\ncache-listen = \"127.0.0.1:0\"\n"
                     "db-user = \"root\"\ndurability = \"none\"\naccess-log = true\n"
                     "max-upload = \"1KiB\"\n");
  Process process(
      {"env", "IMGCACHED_CONFIG=" + file, "IMGCACHED_IMAGES=" + settings.images(),
       "IMGCACHED_DB_SOCKET=" + Database::shared().socket(),
       "IMGCACHED_DB_NAME=" + settings.database(), "IMGCACHED_LOG_LEVEL=info", program_path()},
      settings.path("log"));
  const std::string ready = process.read_line().value_or("");
  REQUIRE(ready.starts_with("imgcached ready backend=127.0.0.1:"));
  const std::size_t cache = ready.find(" cache=127.0.0.1:");
  REQUIRE(cache != std::string::npos);
  HttpPeer backend(static_cast<std::uint16_t>(std::stoi(ready.substr(34, cache - 34))));
  CHECK(backend.request("PUT", "/images/cat", {}, png(1024, 1)).status == 201);
  CHECK(backend.request("PUT", "/images/dog", {}, png(1025, 1)).status == 413);
  backend.disconnect();
  process.signal(SIGINT);
  CHECK(process.wait() == 0);
  CHECK(process.read_all().empty());  // the ready line is all it prints
  std::ifstream log(settings.path("log"));
  const std::string text{std::istreambuf_iterator<char>(log), {}};
  CHECK(text.find("target=/images/cat status=201") != std::string::npos);
}

}  // namespace
}  // namespace imgcached::e2e
