// What tests of outages measure: how long an answer takes, that a refusal says
// what to do and no more, and what a process holds before and after.
//
// IMGCACHED_TEST_FIGURES=1 has them tell what they measured.
#pragma once

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/e2e/answer_time.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/fixture.h"
#include "tests/e2e/http_peer.h"

namespace imgcached::e2e {

// The longest of some times, under a name.
class Longest {
 public:
  explicit Longest(std::string what) : what_(std::move(what)) {}
  ~Longest();  // tells it
  Longest(const Longest&) = delete;
  Longest& operator=(const Longest&) = delete;

  void add(long ms) { ms_ = std::max(ms_, ms); }

 private:
  std::string what_;
  long ms_ = 0;
};

struct TimedReply {
  Reply reply;
  long elapsed_ms;
};
TimedReply timed(HttpPeer& peer, std::string_view method, std::string_view target,
                 const Content& content = {});

// A request whose answer is awaited later, or never.
void send(HttpPeer& peer, std::string_view method, std::string_view target,
          std::string_view body = {});

// A 503 in time, with Retry-After, that says to try again and nothing of the inside.
void check_refused(const TimedReply& answer);

// Reads until it is a hit; meanwhile nothing but this image is served.
void read_until_cached(HttpPeer& backend, std::string_view key, std::string_view image);

// A process that is stopped in its tracks for as long as this lives.
class Frozen {
 public:
  explicit Frozen(Server& server) : server_(server) { server_.signal(SIGSTOP); }
  ~Frozen() { server_.signal(SIGCONT); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  Server& server_;
};

std::size_t descriptors(const Server& server);
// Lines of its log.
std::size_t log_lines(const Server& server);

}  // namespace imgcached::e2e
