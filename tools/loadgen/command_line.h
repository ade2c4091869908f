// CommandLine: a program's commands, their flags, and the help on them.
//
// CLI11 splits the arguments; what is said to the user is ours. Every refusal is
// one line that names the argument, and the nearest right one for a wrong one.
// A value is read where it is declared, by a function that gives a Result, so
// that flags, help and meaning stand in one place.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tools/loadgen/help.h"

namespace CLI {
class App;
}

namespace imgcached::loadgen {

class CommandLine {
 public:
  static constexpr std::size_t occurrences_max = 100;  // of a flag that may be repeated

  // One command. What it is given to fill must outlive the parsing.
  class Command {
   public:
    explicit Command(CLI::App& app) : app_(app) {}

    const std::string& name() const;
    HelpPage& page() { return page_; }

    // The title in the help for what is declared from now on.
    void group(const std::string& title) { group_ = title; }

    // `read` takes a string_view and gives a Result of what fits into `target`.
    // `preset` tells the default, if there is one to tell. Of two occurrences the
    // second counts: so one can override what a script says.
    template <class T, class Read>
    void value(const std::string& flag, const std::string& placeholder, T& target, Read read,
               const std::string& preset, const std::string& help) {
      add_value(flag, placeholder, reader(target, read), preset, help);
    }

    // A flag that may be repeated; each occurrence adds one.
    template <class T, class Read>
    void values(const std::string& flag, const std::string& placeholder, std::vector<T>& target,
                Read read, const std::string& help) {
      const auto append = [&target, read](std::string_view text) {
        return reader(target.emplace_back(), read)(text);
      };
      add_values(flag, placeholder, append, help);
    }

    template <class T, class Read>
    void positional(const std::string& name, T& target, Read read, const std::string& preset,
                    const std::string& help) {
      add_positional(name, reader(target, read), preset, help);
    }

    // A flag without a value, that sets `target` to `to`.
    void toggle(const std::string& flag, bool& target, bool to, const std::string& help);
    void help_flag();

    // Whether the flag stood on the command line; false too if there is none of that name.
    bool given(const std::string& flag) const;

   private:
    friend class CommandLine;
    using Read = std::function<Result<void>(std::string_view)>;

    template <class T, class Read>
    static auto reader(T& target, Read read) {
      return [&target, read](std::string_view text) -> Result<void> {
        auto value = read(text);
        if (!value) return std::move(value).error();
        target = std::move(*value);
        return {};
      };
    }

    void add_value(const std::string& flag, const std::string& placeholder, Read read,
                   const std::string& preset, const std::string& help);
    void add_values(const std::string& flag, const std::string& placeholder, Read read,
                    const std::string& help);
    void add_positional(const std::string& name, Read read, const std::string& preset,
                        const std::string& help);
    void describe(const std::string& term, const std::string& help, const std::string& preset);
    // Reads one value, or complains.
    void take(const std::string& flag, const std::string& text, const Read& read);
    // Only the first complaint counts.
    void complain(const std::string& flag, const std::string& why);

    CLI::App& app_;
    HelpPage page_;
    std::string group_ = "Arguments";
    std::vector<std::string> toggles_;
    std::string complaint_;
  };

  // What came out: a command and all of its values, or one of the two texts.
  struct Outcome {
    Command* command = nullptr;
    std::string output;   // what --help or --version asked for
    std::string refusal;  // one line, without its end
  };

  CommandLine(const std::string& program, const std::string& version);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Command& add_command(const std::string& name, const std::string& summary);
  // The help on the program.
  HelpPage& page() { return page_; }

  // REQUIRES: called once.
  Outcome parse(int argument_count, const char* const* arguments);

 private:
  Command* given();
  std::vector<std::string> command_names() const;
  // What is wrong with arguments that nobody took; empty: there are none.
  std::string refuse_unknown();
  std::string refuse_flag(const CLI::App& app, const std::string& argument) const;
  std::string refuse_mismatch(int argument_count, const char* const* arguments);

  std::unique_ptr<CLI::App> app_;
  HelpPage page_;
  std::deque<Command> commands_;  // which stay where they are
};

}  // namespace imgcached::loadgen
