#include "tools/loadgen/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "http/json.h"
#include "tools/loadgen/nearest.h"

namespace imgcached::loadgen {
namespace {

constexpr const char* help_flags = "-h,--help";

bool contains(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

// `--flag=value` without the value.
std::string flag_name(const std::string& argument) {
  return argument.substr(0, argument.find('='));
}

// What was typed may contain anything, and a refusal is one line of it.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return text;
}

}  // namespace

// --- Command -------------------------------------------------------------------------------------

const std::string& CommandLine::Command::name() const { return app_.get_name(); }

void CommandLine::Command::describe(const std::string& term, const std::string& help,
                                    const std::string& preset) {
  page_.section(group_).entries.push_back(
      {term, preset.empty() ? help : help + " [" + preset + "]"});
}

void CommandLine::Command::complain(const std::string& flag, const std::string& why) {
  if (complaint_.empty()) complaint_ = flag + ": " + why;
}

void CommandLine::Command::take(const std::string& flag, const std::string& text,
                                const Read& read) {
  // Else `--label --quiet` would be a noisy run of that name.
  if (text.starts_with("--")) return complain(flag, "needs a value, and " + text + " is a flag");
  // No result file could tell it.
  if (!http::is_utf8(text)) return complain(flag, "the value is not valid UTF-8");
  const Result<void> taken = read(text);
  if (!taken) complain(flag, taken.error().message);
}

void CommandLine::Command::add_value(const std::string& flag, const std::string& placeholder,
                                     Read read, const std::string& preset,
                                     const std::string& help) {
  describe(flag + " " + placeholder, help, preset);
  app_.add_option_function<std::string>(
          flag, [this, flag, read](const std::string& text) { take(flag, text, read); })
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void CommandLine::Command::add_values(const std::string& flag, const std::string& placeholder,
                                      Read read, const std::string& help) {
  describe(flag + " " + placeholder, help, "");
  const auto take_all = [this, flag, read](const std::vector<std::string>& texts) {
    if (texts.size() > occurrences_max) {
      return complain(flag, fmt::format("stands here more than {} times", occurrences_max));
    }
    for (const std::string& text : texts) take(flag, text, read);
  };
  app_.add_option_function<std::vector<std::string>>(flag, take_all)->allow_extra_args(false);
}

void CommandLine::Command::add_positional(const std::string& name, Read read,
                                          const std::string& preset, const std::string& help) {
  describe(name, help, preset);
  app_.add_option_function<std::string>(
      name, [this, name, read](const std::string& text) { take(name, text, read); });
}

void CommandLine::Command::toggle(const std::string& flag, bool& target, bool to,
                                  const std::string& help) {
  describe(flag, help, "");
  toggles_.push_back(flag);
  app_.add_flag_callback(flag, [&target, to] { target = to; })->disable_flag_override();
}

void CommandLine::Command::help_flag() {
  describe("-h, --help", "print this and exit", "");
  app_.set_help_flag(help_flags);
}

bool CommandLine::Command::given(const std::string& flag) const {
  const CLI::Option* const option = app_.get_option_no_throw(flag);
  return option && option->count() > 0;
}

// --- CommandLine ---------------------------------------------------------------------------------

CommandLine::CommandLine(const std::string& program, const std::string& version)
    : app_(std::make_unique<CLI::App>("", program)) {
  page_.usage = program + " COMMAND [FLAGS] [ARGUMENTS]";
  app_->allow_extras();  // by the commands too: they are refused here, with what was meant
  app_->require_subcommand(0, 1);
  app_->set_help_flag(help_flags);
  app_->set_version_flag("--version", program + " " + version + "\n");
}

CommandLine::~CommandLine() = default;

CommandLine::Command& CommandLine::add_command(const std::string& name,
                                               const std::string& summary) {
  page_.section("Commands").entries.push_back({name, summary});
  return commands_.emplace_back(*app_->add_subcommand(name));
}

CommandLine::Command* CommandLine::given() {
  const std::vector<CLI::App*> apps = app_->get_subcommands();
  const auto command = std::find_if(commands_.begin(), commands_.end(), [&](const Command& one) {
    return !apps.empty() && &one.app_ == apps.front();
  });
  return command == commands_.end() ? nullptr : &*command;
}

std::vector<std::string> CommandLine::command_names() const {
  std::vector<std::string> names;
  for (const Command& command : commands_) names.push_back(command.name());
  return names;
}

std::string CommandLine::refuse_flag(const CLI::App& app, const std::string& argument) const {
  const std::string flag = flag_name(argument);
  const bool in_command = &app != app_.get();
  std::vector<std::string> others;
  for (const Command& command : commands_) {
    if (contains(flags_of(command.app_), flag)) others.push_back(command.name());
  }
  if (!others.empty() && in_command) {
    return fmt::format("{}: no flag of {}, but of {}", flag, app.get_name(),
                       fmt::join(others, ", "));
  }
  if (!others.empty()) {
    return fmt::format("{}: goes behind the command ({})", flag, fmt::join(others, ", "));
  }
  const std::string hint = did_you_mean(flag, flags_of(app));
  if (!hint.empty()) return flag + ": no such flag" + hint;
  return fmt::format("{}: no such flag; see {} {}--help", flag, app_->get_name(),
                     in_command ? app.get_name() + " " : "");
}

std::string CommandLine::refuse_unknown() {
  constexpr std::string_view end_of_flags = "--";
  for (const std::string& argument : app_->remaining()) {
    if (argument == end_of_flags) continue;
    if (argument.starts_with('-')) return refuse_flag(*app_, argument);
    return fmt::format("{}: no such command; there are {}{}", argument,
                       fmt::join(command_names(), ", "), did_you_mean(argument, command_names()));
  }
  Command* const command = given();
  if (!command) return fmt::format("needs a command: {}", fmt::join(command_names(), ", "));
  for (const std::string& argument : command->app_.remaining()) {
    if (argument == end_of_flags) continue;
    if (argument.starts_with('-')) return refuse_flag(command->app_, argument);
    return fmt::format("\"{}\": one argument too many; usage: {}", argument, command->page_.usage);
  }
  return {};
}

// Two things don't match CLI11's idea of a flag: a value for one that takes none,
// and the end of the line where a value should be.
std::string CommandLine::refuse_mismatch(int argument_count, const char* const* arguments) {
  const std::vector<std::string> all(arguments + 1, arguments + argument_count);
  const Command* const command = given();
  for (const std::string& argument : all) {
    if (flag_name(argument) == argument || !command) continue;
    if (contains(command->toggles_, flag_name(argument))) {
      return flag_name(argument) + ": takes no value";
    }
  }
  return flag_name(all.back()) + ": needs a value";
}

CommandLine::Outcome CommandLine::parse(int argument_count, const char* const* arguments) {
  try {
    app_->parse(argument_count, const_cast<char**>(arguments));
  } catch (const CLI::CallForHelp&) {
    return {nullptr, (given() ? given()->page_ : page_).text(), {}};
  } catch (const CLI::CallForVersion&) {
    return {nullptr, app_->version(), {}};
  } catch (const CLI::ArgumentMismatch&) {
    return {nullptr, {}, one_line(refuse_mismatch(argument_count, arguments))};
  } catch (const CLI::ParseError& error) { return {nullptr, {}, one_line(error.what())}; }
  // A flag that nobody knows leaves its value behind, as somebody else's: so it comes first.
  std::string refusal = refuse_unknown();
  if (refusal.empty()) refusal = given()->complaint_;
  if (!refusal.empty()) return {nullptr, {}, one_line(refusal)};
  return {given(), {}, {}};
}

}  // namespace imgcached::loadgen
