// Session: one connection of the generator. It carries out one operation at a
// time, takes the times, and compares every image with what it must be.
//
// The times of an operation: due (by the schedule; closed loop: when the
// connection was free), sent (before the first byte is written; connecting is
// part of it), first byte (when the answer's head has come), done (its last
// byte). What the generator does with an answer of the JSON dialect, parsing
// and decoding it, comes after `done`; the images of the raw dialect are compared
// while they arrive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/task.h"
#include "http/client.h"
#include "net/loop.h"
#include "tools/loadgen/image_check.h"
#include "tools/loadgen/image_set.h"
#include "tools/loadgen/settings.h"

namespace imgcached::loadgen {

// What an operation saw.
struct Observation {
  std::uint64_t sent_ns = 0;
  std::uint64_t first_byte_ns = 0;  // 0: no answer came
  std::uint64_t done_ns = 0;
  std::optional<Errc> failure;  // there is no whole answer, or (protocol) none of this API
  int status = 0;
  // The server may carry it out twice, the second time at any later moment.
  bool sent_twice = false;
  bool hit = false;               // X-Cache says so
  std::uint64_t image_bytes = 0;  // read or written
  // Of a read with status 200.
  ImageCheck::Verdict verdict = ImageCheck::Verdict::intact;
  Version version;
};

class Session {
 public:
  Session(net::Loop& loop, const net::Address& server, const Workload& workload,
          const ImageSet& images, std::uint64_t timeout_ms);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Task<Observation> read(std::uint64_t key);
  Task<Observation> write(std::uint64_t key, Version version);

  // Ends an operation under way with Errc::closed. REQUIRES: no further one.
  void abort() { connection_.abort(); }

 private:
  class Sink;

  void begin_head(std::string_view method, std::string_view path, std::uint64_t key);
  Task<void> exchange(net::Stream::Pieces request, Sink& sink, Observation& seen);
  void check_content(std::uint64_t key, std::string json, Observation& seen, ImageCheck& check);

  const Workload& workload_;
  const ImageSet& images_;
  const std::string host_;
  http::ClientConnection connection_;
  // Kept between operations for their memory.
  std::string head_;
  std::string tail_;
};

// The name of key number `key`, as it stands in URLs and forms.
std::string key_name(const Workload& workload, std::uint64_t key);

}  // namespace imgcached::loadgen
