// What --help prints, within 80 columns.
#pragma once

#include <string>
#include <vector>

namespace imgcached::loadgen {

struct HelpPage {
  // A term, such as a flag, and what it means.
  struct Entry {
    std::string term;
    std::string text;
  };
  struct Section {
    std::string title;
    std::vector<Entry> entries;
  };
  // A command that can be pasted into a shell, and what it is good for.
  struct Example {
    std::string purpose;
    std::string command;
  };

  std::string usage;
  std::string description;
  std::vector<Section> sections;
  std::vector<Example> examples;

  // The section of that title; made, at the end, if there is none.
  Section& section(const std::string& title);
  std::string text() const;
};

}  // namespace imgcached::loadgen
