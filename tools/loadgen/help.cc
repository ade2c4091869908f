#include "tools/loadgen/help.h"

#include <algorithm>
#include <sstream>

namespace imgcached::loadgen {
namespace {

constexpr std::size_t columns = 80;
constexpr std::size_t term_column = 2;
constexpr std::size_t text_column = 26;

// Filled lines of the words, each behind `indent` (the first one goes on at column `at`).
std::string filled(const std::string& text, const std::string& indent, std::size_t at) {
  std::istringstream words(text);
  std::string lines, word;
  bool at_start = true;
  while (words >> word) {
    if (!at_start && at + 1 + word.size() > columns) {
      lines += "\n" + indent;
      at = indent.size();
      at_start = true;
    }
    if (!at_start) word.insert(0, " ");
    lines += word;
    at += word.size();
    at_start = false;
  }
  return lines + "\n";
}

std::string entry_text(const HelpPage::Entry& entry) {
  const std::string indent(text_column, ' ');
  std::string line = std::string(term_column, ' ') + entry.term;
  if (line.size() + 2 > text_column) line += "\n" + indent;
  else line.resize(text_column, ' ');
  return line + filled(entry.text, indent, text_column);
}

std::string example_text(const HelpPage::Example& example) {
  const std::string comment = "  # ";
  std::string command = "  " + example.command;
  // A shell goes on behind a backslash.
  for (std::size_t start = 0; command.size() - start > columns;) {
    const std::size_t space = command.rfind(' ', start + columns - 2);
    command.replace(space, 1, " \\\n      ");
    start = space + 3;
  }
  return comment + filled(example.purpose, comment, comment.size()) + command + "\n";
}

}  // namespace

HelpPage::Section& HelpPage::section(const std::string& title) {
  const auto found = std::find_if(sections.begin(), sections.end(),
                                  [&](const Section& section) { return section.title == title; });
  if (found != sections.end()) return *found;
  return sections.emplace_back(Section{title, {}});
}

std::string HelpPage::text() const {
  std::string text = "Usage: " + usage + "\n\n" + filled(description, "", 0);
  for (const Section& section : sections) {
    text += "\n" + section.title + ":\n";
    for (const Entry& entry : section.entries) text += entry_text(entry);
  }
  text += "\nExamples:\n";
  for (const Example& example : examples) text += example_text(example);
  return text;
}

}  // namespace imgcached::loadgen
