#include "http/connection.h"

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "http/request_origin.h"
#include "http/status.h"
#include "http/url.h"

namespace imgcached::http {
namespace {

constexpr std::size_t authority_bytes_kept = 255;

std::string allow_list(const std::vector<Method>& methods) {
  std::string list;
  for (const Method method : methods) {
    if (!list.empty()) list += ", ";
    list += to_string(method);
  }
  return list;
}

// A write that counts for the reader if he has to be waited for.
struct CountedWrite {
  net::Stream::Write write;
  AnswerBudget::Share& share;
  const Body& body;

  bool await_ready() { return write.await_ready(); }
  void await_suspend(std::coroutine_handle<> waiter) {
    write.await_suspend(waiter);
    const Body::Memory memory = body.memory();
    share.wait(memory.shared, memory.shared_bytes, memory.own_bytes, monotonic_ms());
  }
  Result<void> await_resume() const { return write.await_resume(); }
};

}  // namespace

Connection::Connection(Server& server, net::Stream stream)
    : server_(server),
      limits_(server.options_.limits),
      stream_(std::move(stream)),
      buffer_(server.loop_.buffers()),
      parser_(Parser::Kind::request, limits_.parser),
      answer_(
          server.answers_, [](void* connection) { static_cast<Connection*>(connection)->abort(); },
          this),
      local_(stream_.local()),
      peer_(server.options_.access_log ? stream_.peer().text() : std::string()) {}

Task<void> Connection::run() {
  bool open = true;
  while (open && !finishing_) {
    const Arrival arrival = co_await await_head();
    if (arrival == Arrival::gone) break;
    if (arrival == Arrival::refused) {
      const std::uint64_t began_ms = monotonic_ms();
      Response response = refusal("", refusal_);
      const std::size_t bytes = response.payload().size;
      const bool written = co_await write(std::move(response), nullptr, false);
      const MessageHead unknown;
      log_answer(parser_.is_in_head() ? parser_.head() : unknown, refusal_.status, bytes, began_ms);
      if (written) co_await linger();
      break;
    }
    open = co_await answer();
    // The answer had promised more when the drain began, so more may have come.
    if (open && finishing_) co_await linger();
  }
  stream_.close();
}

void Connection::finish() {
  finishing_ = true;
  if (idle_) stream_.close();
}

Task<Connection::Arrival> Connection::await_head() {
  idle_ = true;
  bool is_pipelined = true;
  while (true) {
    const bool begins = idle_ && !buffer_.empty();
    idle_ = idle_ && !begins;
    std::string_view input = buffer_.unread();
    const Parser::Event event = parser_.advance(input);
    buffer_.consume(buffer_.unread().size() - input.size());
    if (event == Parser::Event::head) {
      pipelined_ = is_pipelined ? pipelined_ + 1 : 0;
      stream_.set_deadline(0);
      co_return Arrival::request;
    }
    if (event == Parser::Event::error) {
      refusal_ = {parser_.error_status(), parser_.error_message()};
      co_return Arrival::refused;
    }
    // Most heads come whole and need no deadline.
    if (begins) stream_.set_deadline(limits_.head_timeout_ms);
    if (idle_) {
      buffer_.release();
      parser_.trim();
      stream_.set_deadline(limits_.idle_timeout_ms);
    }
    // Only of a client that does pipeline it is worth asking.
    is_pipelined = is_pipelined && pipelined_ > 0 && stream_.has_input();
    Result<std::size_t> count = co_await stream_.read(buffer_);
    if (count && *count == 0) co_return Arrival::gone;
    if (!count) {
      if (idle_ || count.error().code != Errc::timed_out) co_return Arrival::gone;
      refusal_ = {408, "the request did not arrive in time; send it again"};
      co_return Arrival::refused;
    }
  }
}

// Fills in where the request goes, or says why that can't be anywhere.
std::optional<Connection::Refusal> Connection::read_target(Request& request) const {
  if (request.head.method == Method::other) return Refusal{501, "this method is not supported"};
  const Result<Target> target = split_target(request.head.target);
  if (!target) return Refusal{400, target.error().message};
  if (target->path == "*" && request.head.method != Method::options) {
    return Refusal{400, "only OPTIONS can be about `*`"};
  }
  request.query = target->query;
  Result<std::string> path = percent_decode(collapse_leading_slashes(target->path));
  if (!path) return Refusal{400, path.error().message};
  if (path->find('\0') != std::string::npos)
    return Refusal{400, "a control character (%00) is part of no path"};
  request.path = std::move(*path);
  request.authority = target->authority.empty()
                          ? request.head.headers.find("Host").value_or(std::string_view())
                          : target->authority;
  return std::nullopt;
}

// Finds the request's route. A refusal says why there is nothing to hand it to.
std::optional<Connection::Refusal> Connection::admit(Request& request, Router::Match& match) {
  if (request.authority != own_authority_) {
    if (is_rebound(request.authority, local_)) {
      return Refusal{421, "this server goes by no such name here: use localhost or an IP address"};
    }
    if (request.authority.size() <= authority_bytes_kept) own_authority_ = request.authority;
  }
  const auto expectation = request.head.headers.find("Expect");
  if (expectation && !equals_ignoring_case(*expectation, "100-continue")) {
    return Refusal{417, "the only expectation this server knows is 100-continue"};
  }
  match = server_.router_.match(request.head.method, request.path);
  request.rest = match.rest;
  // In this order: whatever is for other sites, each read of an image say, need not be looked at.
  if (match.route && !match.route->is_for_other_sites() &&
      is_cross_origin(request.head.headers, request.authority)) {
    return Refusal{403, "another site's page may not ask for this; use a page of this server"};
  }
  if (lacks_token(request, match.route)) {
    return Refusal{401, "this needs the token: as a bearer token, or as the password"};
  }
  if (!match.route) {
    if (request.head.method == Method::options && request.path == "*") {
      match.allowed = server_.router_.methods();
    }
    if (match.allowed.empty()) return Refusal{404, "there is nothing under this path"};
    if (request.head.method == Method::options) return std::nullopt;
    return Refusal{405, "this path takes " + allow_list(match.allowed) + ", not " +
                            std::string(to_string(request.head.method))};
  }
  const Route& route = *match.route;
  if (request.head.content_length.value_or(0) > route.body_bytes_max) {
    return Refusal{413, "the body is over the limit of " + std::to_string(route.body_bytes_max) +
                            " bytes; send less"};
  }
  if (route.body == Route::Body::required && !request.head.content_length &&
      !request.head.chunked) {
    return Refusal{411, "send what is to be stored as the body, with its Content-Length"};
  }
  return std::nullopt;
}

bool Connection::lacks_token(const Request& request, const Route* route) const {
  const Server::Options& options = server_.options_;
  if (!options.token) return false;
  const bool is_asked_for =
      options.token_for == TokenFor::everything || (route && route->is_mutating());
  return is_asked_for && !options.token->is_in(request.head.headers);
}

Task<bool> Connection::answer() {
  const std::uint64_t began_ms = server_.options_.access_log ? monotonic_ms() : 0;
  Request request(parser_.head());
  Router::Match match;
  std::optional<Refusal> refused = read_target(request);
  const bool is_malformed = refused.has_value();
  if (!is_malformed) refused = admit(request, match);
  BodyReader body(stream_, buffer_, parser_, request.head,
                  match.route ? match.route->body_bytes_max : 0,
                  {limits_.body_timeout_ms, limits_.body_bytes_per_second_min}, server_.bodies_);
  request.body = &body;
  request.stream = &stream_;
  request.answer = &answer_;

  Response response;
  if (refused) {
    response = refusal(request.path, *refused);
  } else if (match.route) {
    response = co_await match.route->handler(request);
  } else {  // OPTIONS, which every path answers alike
    response.status = 204;
  }
  if (!match.allowed.empty()) response.headers.set("Allow", allow_list(match.allowed));

  const bool is_reusable =
      !is_malformed && (body.at_end() || body.droppable(limits_.unread_body_bytes_max));
  const bool is_welcome = !finishing_ && pipelined_ < limits_.pipelined_requests_max;
  const bool keep_alive = request.head.keep_alive && is_welcome && is_reusable;
  const int status = response.status;
  const std::size_t bytes = response.payload().size;
  const bool written = co_await write(std::move(response), &request.head, keep_alive);
  ++server_.stats_.requests;
  log_answer(request.head, status, bytes, began_ms);
  if (!written) co_return false;
  if (keep_alive) {
    if (body.at_end()) co_return true;
    const bool dropped = co_await body.drop();
    co_return dropped;
  }
  // Also where the client had no reason to expect an end, and where it has sent more.
  if (!body.at_end() || request.head.keep_alive || stream_.has_input()) co_await linger();
  co_return false;
}

void Connection::log_answer(const MessageHead& head, int status, std::size_t bytes,
                            std::uint64_t began_ms) const {
  if (!server_.options_.access_log) return;
  log::info("request server={} peer={} method={} target={} status={} bytes={} ms={}",
            server_.options_.name, peer_, to_string(head.method),
            head.target.empty() ? "-" : head.target, status, bytes, monotonic_ms() - began_ms);
}

Response Connection::refusal(std::string_view path, const Refusal& why) const {
  Response response = server_.render_error_(path, why.status, why.message);
  if (why.status == 401) {
    // Programs take the first, browsers the second: they ask for name and password.
    response.headers.add("WWW-Authenticate", "Bearer realm=\"imgcached\"");
    response.headers.add("WWW-Authenticate", "Basic realm=\"imgcached\", charset=\"UTF-8\"");
  }
  return response;
}

Task<bool> Connection::write(Response response, const MessageHead* head, bool keep_alive) {
  ++server_.stats_.responses_by_class[response.status / 100 % 6];
  const Response::Part payload = response.payload();
  const int version_minor = head ? head->version_minor : 1;
  const TextBuffer head_text =
      serialize_head(response, payload.size, version_minor, keep_alive, server_.date());
  const bool is_bodiless =
      response.status == 204 || response.status == 304 || (head && head->method == Method::head);
  const std::size_t end = payload.offset + (is_bodiless ? 0 : payload.size);
  std::size_t offset = payload.offset;
  TextBuffer buffer;
  net::Stream::Pieces pieces{head_text.view()};
  while (true) {
    if (response.body.is_mapped() && end - offset >= Blob::mapped_bytes_min) {
      const std::string_view rest = response.body.view().substr(offset, end - offset);
      const std::size_t sent = stream_.send_pages(pieces[0], rest);
      server_.stats_.bytes_written += sent;
      const std::size_t of_head = std::min(sent, pieces[0].size());
      pieces[0].remove_prefix(of_head);
      answer_.took(sent - of_head);
      offset += sent - of_head;
      if (offset == end) break;
    }
    const std::size_t bytes_max = std::min(limits_.written_piece_bytes, end - offset);
    if (bytes_max > 0) pieces[1] = response.body.piece(offset, bytes_max, buffer);
    stream_.set_deadline(limits_.write_timeout_ms);
    CountedWrite writing{stream_.write(pieces), answer_, response.body};
    Result<void> written = co_await writing;
    if (!written) {
      answer_.release();
      co_return false;
    }
    answer_.took(pieces[1].size());
    server_.stats_.bytes_written += pieces[0].size() + pieces[1].size();
    offset += pieces[1].size();
    if (offset == end) break;
    pieces[0] = {};
  }
  answer_.release();
  stream_.set_deadline(0);
  co_return true;
}

Task<void> Connection::linger() {
  Result<void> ended = co_await stream_.shutdown();
  if (!ended) co_return;
  stream_.set_deadline(limits_.linger_timeout_ms);
  std::size_t discarded = 0;
  while (discarded <= limits_.lingered_bytes_max) {
    buffer_.release();
    Result<std::size_t> count = co_await stream_.read(buffer_);
    if (!count || *count == 0) co_return;
    discarded += *count;
  }
}

}  // namespace imgcached::http
