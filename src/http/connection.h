// Connection: one client, from accept to close.
//
// The loop of run(): wait for a head, match it, let the handler make a
// response, write it; again while both sides want to keep the connection. One
// request is handled at a time, so pipelined requests are answered in order and
// the ones behind wait in the socket, which bounds their bytes. How many of them
// one client may have in a row is bounded too, see ServerLimits.
//
// What is malformed, or asks for what no client means, ends the connection: what
// follows it may be part of it, in the eyes of somebody on the way, and is not
// looked at.
//
// States: idle (between requests; a drain closes these at once) and busy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/task.h"
#include "http/parser.h"
#include "http/router.h"
#include "http/server.h"
#include "net/stream.h"

namespace imgcached::http {

class Connection {
 public:
  // REQUIRES: the server outlives the connection.
  Connection(Server& server, net::Stream stream);

  // Serves until either side ends it. Afterwards the stream is closed.
  Task<void> run();

  // For a drain: the connection ends after the request it is busy with, at
  // once when there is none.
  void finish();
  // Cuts it off.
  void abort() { stream_.close(); }

 private:
  // What became of waiting for a head.
  enum class Arrival {
    request,  // there is one
    refused,  // what came can't be served; say why, then close
    gone,     // nothing came, or the client left
  };

  Task<Arrival> await_head();
  // Handles the request whose head has been parsed. False: close now.
  Task<bool> answer();
  struct Refusal {
    int status = 0;
    std::string message;
  };
  std::optional<Refusal> read_target(Request& request) const;
  std::optional<Refusal> admit(Request& request, Router::Match& match);
  bool lacks_token(const Request& request, const Route* route) const;
  // For the access log; `head` has what came of it, if it was refused before it was whole.
  void log_answer(const MessageHead& head, int status, std::size_t bytes,
                  std::uint64_t began_ms) const;
  // Sends `response`; false when the client did not take it.
  Task<bool> write(Response response, const MessageHead* head, bool keep_alive);
  Response refusal(std::string_view path, const Refusal& why) const;
  // Closes in a way that lets the client read our last words first.
  Task<void> linger();

  Server& server_;
  const ServerLimits& limits_;
  net::Stream stream_;
  net::ReadBuffer buffer_;
  Parser parser_;
  AnswerBudget::Share answer_;  // of the answer that is being made or sent
  const net::Address local_;    // our end
  const std::string peer_;      // for the access log; a connection that was reset has none
  std::string own_authority_;   // the last one asked for that can be ours
  std::size_t pipelined_ = 0;   // requests in a row that had come before their turn
  bool idle_ = true;
  bool finishing_ = false;
  Refusal refusal_;  // of what could not be parsed
};

}  // namespace imgcached::http
