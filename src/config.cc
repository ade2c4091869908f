#include "config.h"

#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <istream>
#include <map>
#include <optional>

#include "base/blob.h"
#include "net/file.h"

namespace imgcached {
namespace {

constexpr std::uint64_t max_upload_bytes_max = images::BlobStore::read_bytes_max;

std::string environment_name(std::string option) {
  std::replace(option.begin(), option.end(), '-', '_');
  std::transform(option.begin(), option.end(), option.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return "IMGCACHED_" + option;
}

bool is_in_environment(const std::string& option) {
  const char* const value = std::getenv(environment_name(option).c_str());
  return value && *value != '\0';
}

// The value of a setting as a flag would have it; nothing when it is of another
// type than that setting has.
std::optional<std::string> text_of(const std::string& name, const toml::node& value) {
  const bool is_number = name == "db-port" || name == "backend-loops";
  if (const auto* number = value.as_integer(); number && (is_number || name == "max-upload")) {
    return std::to_string(number->get());
  }
  if (const auto* flag = value.as_boolean(); flag && name == "access-log") {
    return flag->get() ? "true" : "false";
  }
  const auto* text = value.as_string();
  if (!text || is_number || name == "access-log") return std::nullopt;
  return text->get();
}

std::string expected_type(const std::string& name) {
  if (name == "db-port") return "a whole number from 1 to 65535";
  if (name == "backend-loops") {
    return "a whole number from 1 to " + std::to_string(backend_loops_max);
  }
  if (name == "access-log") return "true or false";
  if (name == "max-upload") return "a string such as \"32MiB\", or a number of bytes";
  return "a string, in quotes";
}

struct Fault {
  toml::source_index line;  // from 1
  const char* advice;
};

// What toml++ 3.3 would not refuse but run into undefined behaviour: outside of strings and
// comments a byte that is not ASCII, some of what is not quite a section or an array, which no
// setting is; and a string over several lines, where one may stand behind a backslash. A quote
// where no string can begin is another fault, or we would take for a string what it does not.
std::optional<Fault> find_fault(std::string_view text) {
  toml::source_index line = 1;
  bool begins_line = true;    // nothing but blanks before
  bool begins_value = false;  // nothing but blanks since the line's first `=`
  bool is_value = false;      // after that
  char quote = 0;             // of the string that we are in
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '[' && quote == 0 && begins_line) {
      return Fault{line, "there are no sections: write the settings alone"};
    }
    const bool begins_text = begins_line || begins_value;
    const bool is_blank = c == ' ' || c == '\t';
    if (c == '\n') ++line;
    begins_line = c == '\n' || (begins_line && is_blank);
    begins_value = (c == '=' && !is_value && quote == 0) || (begins_value && is_blank);
    is_value = c != '\n' && (is_value || begins_value);
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++at;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      if (!begins_text) {
        return Fault{line, "a quote stands before and behind a whole text, nowhere else"};
      }
      if (text.substr(at).starts_with(std::string(3, c))) {
        return Fault{line, "a text is on one line, between one quote and another"};
      }
      quote = c;
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size()) - 1;
    } else if (std::string_view("[]{},").find(c) != std::string_view::npos) {
      return Fault{line, "a setting is one text, one number, true or false: no list, no table"};
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      return Fault{line, "put what is not ASCII in quotes"};
    }
  }
  return std::nullopt;
}

// Reads the file of --config, which is TOML; CLI11's own reader takes much that
// is not. CLI11 lets the file beat the environment, so what the environment sets
// is left out here.
class FileBelowEnvironment : public CLI::ConfigTOML {
 public:
  // `lines` is told where each setting stands, `imgcached.toml:3`, by its name.
  FileBelowEnvironment(const CLI::App& app, std::map<std::string, std::string>& lines)
      : app_(app), lines_(lines) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> items;
    for (const auto& [key, value] : parse(input)) {
      const std::string name(key.str());
      if (value.is_table()) {
        refuse(value.source(),
               name + " is a section, and there are none: write the settings alone");
      }
      if (!is_setting(name)) refuse(value.source(), name + " is no setting");
      const std::optional<std::string> text = text_of(name, value);
      if (!text) refuse(value.source(), name + " must be " + expected_type(name));
      if (is_in_environment(name)) continue;
      items.push_back({{}, name, {*text}});
      lines_[name] = place(value.source());
    }
    return items;
  }

 private:
  toml::table parse(std::istream& input) const {
    const std::string text{std::istreambuf_iterator<char>(input), {}};
    if (const auto fault = find_fault(text)) {
      refuse({{fault->line, 1}, {fault->line, 1}, {}}, fault->advice);
    }
    try {
      return toml::parse(text);
    } catch (const toml::parse_error& error) {
      refuse(error.source(), std::string(error.description()) +
                                 " (a line is `name = value`, with texts in quotes)");
    }
  }
  bool is_setting(const std::string& name) const {
    const CLI::Option* const option = app_.get_option_no_throw("--" + name);
    return option && option != app_.get_config_ptr() && !option->get_envname().empty();
  }
  std::string place(const toml::source_region& where) const {
    return app_.get_config_ptr()->as<std::string>() + ":" + std::to_string(where.begin.line);
  }
  [[noreturn]] void refuse(const toml::source_region& where, const std::string& why) const {
    throw CLI::ConfigError(place(where) + ": " + why, CLI::ExitCodes::ConfigError);
  }

  const CLI::App& app_;
  std::map<std::string, std::string>& lines_;
};

// The setting that an error is about: they all name its flag. Empty: about none.
std::string setting_of(std::string_view message) {
  const std::size_t begin = message.find("--");
  if (begin == std::string_view::npos) return {};
  message.remove_prefix(begin + 2);
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz-";
  return std::string(message.substr(0, message.find_first_not_of(letters)));
}

bool is_on_command_line(int argument_count, const char* const* arguments,
                        const std::string& setting) {
  const std::string flag = "--" + setting;
  return std::any_of(arguments + 1, arguments + argument_count, [&](std::string_view argument) {
    return argument.substr(0, argument.find('=')) == flag;
  });
}

// The file as it is; CLI11 opens it too, and would wait at the end of a pipe or read a device for
// ever.
Result<void> judge_file(const std::string& path) {
  constexpr std::size_t file_bytes_max = 1 << 20;
  const Result<Blob> file = net::read_file(path, file_bytes_max);
  if (!file) return file.error();
  return {};
}

// What the command line says, as text: names and units are resolved below.
struct Texts {
  std::string role = "combined";
  std::string listen = "127.0.0.1:5000";
  std::string cache_listen = "127.0.0.1:5001";
  std::string cache_url;
  std::string durability = "strict";
  std::string log_level = "info";
  std::string db_password_file;
  std::string token_file;
  std::map<std::string, std::string> lines;  // of the settings that the file of --config made
};

void add_options(CLI::App& app, Config& config, Texts& texts) {
  const auto add = [&](const std::string& name, auto& value, const std::string& help) {
    return app.add_option("--" + name, value, help)
        ->envname(environment_name(name))
        ->capture_default_str();
  };
  app.set_help_flag("--help", "print this and exit");
  app.set_version_flag("--version", std::string("imgcached ") + version, "print it and exit");
  // CLI11 reads the file before it looks into the environment: the name found there has to be
  // the default. "Required" makes a missing file an error, as one named by the flag is.
  const char* const variable = std::getenv("IMGCACHED_CONFIG");
  const std::string file = variable ? variable : "";
  CLI::Option* const option = app.set_config(
      "--config", file, "a TOML file of these settings, such as `listen = \"...\"`", !file.empty());
  option->check([](const std::string& path) {
    const Result<void> judged = judge_file(path);
    return judged ? std::string() : judged.error().message;
  });
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.config_formatter(std::make_shared<FileBelowEnvironment>(app, texts.lines));

  add("role", texts.role, "combined, backend or cache: which services this process runs");
  add("listen", texts.listen, "address of the backend; port 0 picks a free one");
  add("cache-listen", texts.cache_listen, "address of the cache service");
  add("cache-url", texts.cache_url, "the cache service of --role backend: http://host:port");
  add("backend-loops", config.backend_loops,
      "threads that serve the backend's port, where there are cores for them")
      ->check(CLI::Range(std::size_t{1}, backend_loops_max));
  add("images", config.images, "directory of the images");
  add("db-socket", config.database.socket, "unix socket of the database");
  add("db-host", config.database.host, "host of the database, where there is no socket");
  add("db-port", config.database.port, "port of the database on that host")
      ->check(CLI::Range(1, 65535));
  add("db-user", config.database.user, "user at the database; default: the system's user");
  add("db-password-file", texts.db_password_file, "file with the database password");
  add("db-name", config.database.name, "name of the database; made if there is none");
  add("max-upload", config.max_upload_bytes, "largest image, such as 500KiB or 32MiB")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("32MiB");
  add("durability", texts.durability, "strict: an answered upload survives a power cut; or none");
  add("token-file", texts.token_file,
      "file with the token that changes, and all of the cache service, are to ask for");
  add("log-level", texts.log_level, "debug, info, warning, error or off");
  app.add_flag("--access-log", config.access_log, "log every request")
      ->envname(environment_name("access-log"));
}

// http://host:port, with nothing behind it but a slash.
Result<net::Address> parse_cache_url(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme)) {
    return bad_setting("cache-url",
                       "write it as http://host:port, not \"" + std::string(url) + "\"");
  }
  url.remove_prefix(scheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  if (const std::size_t path = url.find('/'); path != std::string_view::npos) {
    return bad_setting("cache-url", "leave out the path, \"" + std::string(url.substr(path)) +
                                        "\": http://host:port is all");
  }
  Result<net::Address> address = net::Address::parse(url);
  if (!address) return bad_setting("cache-url", address.error().message);
  return address;
}

Result<void> resolve_role(const Texts& texts, Config& config) {
  if (texts.role == "combined") config.role = Role::combined;
  else if (texts.role == "backend") config.role = Role::backend;
  else if (texts.role == "cache") config.role = Role::cache;
  else return bad_setting("role", "\"" + texts.role + "\" is none of combined, backend and cache");

  if (config.role == Role::backend && texts.cache_url.empty()) {
    return bad_setting("cache-url", "--role backend needs it: where is the cache service?");
  }
  if (config.role != Role::backend && !texts.cache_url.empty()) {
    return bad_setting("cache-url", "goes with --role backend only");
  }
  if (config.role == Role::cache) config.backend_loops = 1;  // of no use, as --listen is none
  if (texts.cache_url.empty()) return {};
  Result<net::Address> address = parse_cache_url(texts.cache_url);
  if (!address) return std::move(address).error();
  config.cache_service = std::move(*address);
  return {};
}

Result<void> resolve_database(const Texts& texts, Config& config) {
  db::Settings& database = config.database;
  if (database.socket.empty() && database.host.empty()) {
    return bad_setting("db-socket",
                       "name a database, by --db-socket or --db-host; "
                       "`make run` starts one of its own");
  }
  if (!database.socket.empty() && !database.host.empty()) {
    return bad_setting("db-host", "goes without --db-socket, which is set too");
  }
  if (database.name.empty()) return bad_setting("db-name", "must not be empty");
  if (texts.db_password_file.empty()) return {};
  Result<std::string> password = net::read_first_line(texts.db_password_file);
  if (!password) return bad_setting("db-password-file", password.error().message);
  database.password = std::move(*password);
  return {};
}

Result<void> resolve_token(const Texts& texts, Config& config) {
  if (texts.token_file.empty()) return {};
  Result<http::AccessToken> token = http::AccessToken::read(texts.token_file);
  if (!token) return bad_setting("token-file", token.error().message);
  config.token = std::move(*token);
  return {};
}

// The texts into values; the first that makes no sense is named.
Result<void> resolve(const Texts& texts, Config& config) {
  Result<void> resolved = resolve_role(texts, config);
  if (resolved) resolved = resolve_token(texts, config);
  if (!resolved) return resolved;

  Result<net::Address> listen = net::Address::parse(texts.listen);
  if (!listen) return bad_setting("listen", listen.error().message);
  config.listen = std::move(*listen);
  Result<net::Address> cache_listen = net::Address::parse(texts.cache_listen);
  if (!cache_listen) return bad_setting("cache-listen", cache_listen.error().message);
  config.cache_listen = std::move(*cache_listen);

  if (config.images.empty()) return bad_setting("images", "must not be empty");
  if (config.max_upload_bytes == 0 || config.max_upload_bytes > max_upload_bytes_max) {
    return bad_setting("max-upload", "must be from 1B to 1GiB");
  }
  if (texts.durability == "strict") config.durability = images::Durability::strict;
  else if (texts.durability == "none") config.durability = images::Durability::none;
  else return bad_setting("durability", "\"" + texts.durability + "\" is neither strict nor none");

  if (!log::parse_level(texts.log_level, config.log_level)) {
    return bad_setting(
        "log-level", "\"" + texts.log_level + "\" is none of debug, info, warning, error and off");
  }
  // The last, since it can't have a default: what else is wrong would be told only after it.
  return resolve_database(texts, config);
}

// One line that names the flag and, if the value is from the environment or the file, where
// to change it.
std::string complaint(int argument_count, const char* const* arguments, const Texts& texts,
                      std::string message) {
  const std::string setting = setting_of(message);
  if (!setting.empty() && !is_on_command_line(argument_count, arguments, setting)) {
    if (const auto line = texts.lines.find(setting); line != texts.lines.end()) {
      message = line->second + ": " + message;
    } else if (is_in_environment(setting)) {
      message = environment_name(setting) + ": " + message;
    }
  }
  return "imgcached: " + one_line(std::move(message)) + "\n";
}

}  // namespace

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return text;
}

Error bad_setting(std::string_view option, std::string_view reason) {
  std::string message = "--";
  message.append(option).append(": ").append(reason);
  return Error{Errc::invalid_argument, std::move(message)};
}

std::optional<DescriptorPlan> plan_descriptors(std::uint64_t descriptors, Role role,
                                               std::size_t backend_loops) {
  // Files that are read or small uploads, the database, listeners, libraries, and the
  // connections that are refused at a time (http::ServerLimits::refusals_max); then of each
  // further loop its own, its listener, its connections to the database and the cache.
  const std::uint64_t reserved = 256 + 48 * (backend_loops - 1);
  constexpr std::uint64_t upload_files_min = 8;
  if (descriptors < descriptors_min(backend_loops)) return std::nullopt;
  const std::uint64_t free = descriptors - reserved;
  const DescriptorPlan most;
  const auto at_most = [](std::uint64_t count, std::size_t limit) {
    return static_cast<std::size_t>(std::min<std::uint64_t>(count, limit));
  };
  DescriptorPlan plan;
  plan.upload_files = at_most(std::max(free / 8, upload_files_min), most.upload_files);
  const std::uint64_t connections = free - plan.upload_files;
  const std::uint64_t of_cache = role == Role::combined ? connections / 4
                                 : role == Role::cache  ? connections
                                                        : 0;
  plan.cache_connections = at_most(of_cache, most.cache_connections);
  plan.backend_connections = at_most(connections - of_cache, most.backend_connections);
  return plan;
}

ParsedConfig parse_config(int argument_count, const char* const* arguments) {
  Config config;
  config.database.name = "imgcached";
  Texts texts;
  CLI::App app("An image store with an in-memory cache of its own.", "imgcached");
  add_options(app, config, texts);
  const auto refuse = [&](std::string message) {
    return ParsedConfig{std::nullopt,
                        complaint(argument_count, arguments, texts, std::move(message)), 2};
  };
  const char* const file = std::getenv("IMGCACHED_CONFIG");
  if (file && *file != '\0' && !is_on_command_line(argument_count, arguments, "config")) {
    const Result<void> judged = judge_file(file);
    if (!judged) return refuse(bad_setting("config", judged.error().message).message);
  }
  try {
    app.parse(argument_count, const_cast<char**>(arguments));
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, app.help(), 0};
  } catch (const CLI::CallForVersion&) {
    return {std::nullopt, app.version() + "\n", 0};
  } catch (const CLI::ConversionError& error) {
    const std::string setting = setting_of(error.what());
    return refuse(bad_setting(setting, "must be " + expected_type(setting)).message);
  } catch (const CLI::ParseError& error) {
    return refuse(std::string(error.what()) + "; see --help");
  }
  Result<void> resolved = resolve(texts, config);
  if (!resolved) return refuse(resolved.error().message);
  return {std::move(config), {}, 0};
}

}  // namespace imgcached
