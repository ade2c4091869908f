#include "base/log.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>
#include <string>

namespace imgcached {
namespace {

// What `write` brings to standard error, through a pipe that must hold it all.
std::string logged(const std::function<void()>& write) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  std::fflush(stderr);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(ends[1], STDERR_FILENO);
  write();
  std::fflush(stderr);
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t count; (count = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  return text;
}

TEST_CASE("a line of the log has a time, a level and the event") {
  const std::string line = logged([] { log::warning("drain_cut connections={}", 3); });
  CHECK(line.find(" warning drain_cut connections=3\n") != std::string::npos);
  CHECK(line.find('T') != std::string::npos);
}

TEST_CASE("control characters can forge no line of the log") {
  const std::string line = logged([] {
    log::error("upload key={}",
               "a\nb\r\x1b[2J\x7f"
               "é");
  });
  CHECK(line.find("key=a\\x0ab\\x0d\\x1b[2J\\x7fé\n") != std::string::npos);
  CHECK(line.find('\n') == line.size() - 1);
}

TEST_CASE("bug: a quote in a key forges a field of the log") {
  const std::string line =
      logged([] { log::info("upload key=\"{}\" count={}", "a\" admin=\"\\", 3); });
  CHECK(line.find(R"(upload key="a\" admin=\"\\" count=3)") != std::string::npos);
}

TEST_CASE("what would be shown otherwise than it is, is escaped") {
  CHECK(log::escaped("caf\u00e9 \u2713 \U0001f600") == "caf\u00e9 \u2713 \U0001f600");
  CHECK(log::escaped("a\u202egnp.exe") == "a\\u202egnp.exe");
  CHECK(log::escaped("\u2066\u2069\u200f\u061c") == "\\u2066\\u2069\\u200f\\u061c");
  CHECK(log::escaped("\u2028\u0085") == "\\u2028\\u0085");
  // Bytes that are no UTF-8: alone, cut short, overlong, a surrogate, beyond the end.
  CHECK(log::escaped("\x9b\xff") == "\\x9b\\xff");
  CHECK(log::escaped("a\xc3") == "a\\xc3");
  CHECK(log::escaped("\xe2\x80") == "\\xe2\\x80");
  CHECK(log::escaped("\xc0\xaf") == "\\xc0\\xaf");
  CHECK(log::escaped("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");
  CHECK(log::escaped("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(log::escaped("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
}

TEST_CASE("braces in what is logged are no format") {
  const std::string line = logged([] { log::error("upload key={}", "{}{0}{"); });
  CHECK(line.find("upload key={}{0}{\n") != std::string::npos);
}

TEST_CASE("what is below the level is not logged") {
  log::set_level(log::Level::error);
  CHECK_FALSE(log::enabled(log::Level::warning));
  CHECK(log::enabled(log::Level::error));
  CHECK(logged([] { log::warning("quiet"); }).empty());
  log::set_level(log::Level::off);
  CHECK(logged([] { log::error("quiet"); }).empty());
  log::set_level(log::Level::info);
}

TEST_CASE("the names of the levels are understood, and no others") {
  log::Level level = log::Level::off;
  CHECK(log::parse_level("warning", level));
  CHECK(level == log::Level::warning);
  CHECK(log::parse_level("debug", level));
  CHECK(level == log::Level::debug);
  CHECK_FALSE(log::parse_level("loud", level));
  CHECK_FALSE(log::parse_level("", level));
  CHECK(level == log::Level::debug);
}

}  // namespace
}  // namespace imgcached
