#include "tests/e2e/http_peer.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "http/parser.h"
#include "http/url.h"

namespace imgcached::e2e {
namespace {

// No image of the tests contains it.
constexpr std::string_view boundary = "----imgcached-tests-7MA4YWxkTrZu0gW";

}  // namespace

Multipart& Multipart::field(std::string_view name, std::string_view value) {
  return part(fmt::format("Content-Disposition: form-data; name=\"{}\"\r\n", name), value);
}

Multipart& Multipart::file(std::string_view name, std::string_view bytes, std::string_view filename,
                           std::string_view type) {
  return part(fmt::format("Content-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n"
                          "Content-Type: {}\r\n",
                          name, filename, type),
              bytes);
}

Multipart& Multipart::part(std::string_view headers, std::string_view bytes) {
  parts_.append("--").append(boundary).append("\r\n");
  parts_.append(headers).append("\r\n").append(bytes).append("\r\n");
  return *this;
}

Multipart::operator Content() const {
  return {fmt::format("multipart/form-data; boundary={}", boundary),
          fmt::format("{}--{}--\r\n", parts_, boundary)};
}

Content urlencoded(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  Content content{"application/x-www-form-urlencoded", ""};
  for (const auto& [name, value] : fields) {
    if (!content.body.empty()) content.body += '&';
    content.body += http::percent_encode(name) + '=' + http::percent_encode(value);
  }
  return content;
}

Content json_content(std::string body) { return {"application/json", std::move(body)}; }

http::JsonDocument json(const Reply& reply) {
  Result<http::JsonDocument> document = http::JsonDocument::parse(reply.body);
  REQUIRE_MESSAGE(document.ok(), "no JSON: " << reply.body);
  return std::move(*document);
}

std::int64_t sample(const Reply& metrics, const std::string& name) {
  const std::size_t at = metrics.body.find("\n" + name + " ");
  REQUIRE_MESSAGE(at != std::string::npos, "no sample " << name);
  return std::stoll(metrics.body.substr(at + name.size() + 2));
}

std::string chunked(std::string_view body, std::size_t chunk_bytes) {
  std::string chunks;
  while (!body.empty()) {
    const std::string_view chunk = body.substr(0, chunk_bytes);
    chunks.append(fmt::format("{:x}\r\n", chunk.size())).append(chunk).append("\r\n");
    body.remove_prefix(chunk.size());
  }
  return chunks + "0\r\n\r\n";
}

std::vector<Reply> replies_in(std::string_view received) {
  using Event = http::Parser::Event;
  http::Parser parser(http::Parser::Kind::response);
  std::vector<Reply> replies;
  bool is_whole = true;
  while (true) {
    const Event event = parser.advance(received);
    REQUIRE_MESSAGE(event != Event::error, "no HTTP: " << parser.error_message());
    if (event == Event::need_more) break;
    if (event == Event::head) {
      replies.push_back({parser.head().status, parser.head().headers, {}});
      is_whole = false;
    }
    if (event == Event::body) replies.back().body.append(parser.body());
    if (event == Event::end) is_whole = true;
  }
  CHECK(is_whole);
  return replies;
}

http::Headers with(std::string_view name, std::string_view value) { return {{name, value}}; }

std::string request_head(std::string_view method, std::string_view target,
                         const http::Headers& headers) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  head += headers.wire();
  return head + "\r\n";
}

Reply HttpPeer::request(std::string_view method, std::string_view target,
                        const http::Headers& headers, std::string_view body) {
  const bool reused = is_connected();
  std::optional<Reply> reply = try_request(method, target, headers, body);
  // An idle connection may have been closed just before it was used.
  if (!reply && reused) reply = try_request(method, target, headers, body);
  REQUIRE_MESSAGE(reply.has_value(), "no reply to " << method << ' ' << target);
  return std::move(*reply);
}

std::optional<Reply> HttpPeer::try_request(std::string_view method, std::string_view target,
                                           const http::Headers& headers, std::string_view body) {
  http::Headers all = headers;
  if (!all.find("Host")) all.add("Host", fmt::format("127.0.0.1:{}", port_));
  if (!body.empty() && !all.find("Content-Length") && !all.find("Transfer-Encoding"))
    all.add("Content-Length", std::to_string(body.size()));
  // A server that refuses the body answers before it has taken all of it: so a
  // failure to send is none yet.
  connection().send(request_head(method, target, all).append(body));
  return receive(method != "HEAD");
}

Reply HttpPeer::post(std::string_view target, const Content& content) {
  http::Headers headers;
  if (!content.type.empty()) headers.add("Content-Type", content.type);
  headers.add("Content-Length", std::to_string(content.body.size()));
  return request("POST", target, headers, content.body);
}

Peer& HttpPeer::connection() {
  if (!peer_) peer_ = std::make_unique<Peer>(port_);
  return *peer_;
}

std::optional<Reply> HttpPeer::receive(bool expect_body) {
  using Event = http::Parser::Event;
  http::Parser parser(http::Parser::Kind::response);
  parser.expect_body(expect_body);
  Reply reply;
  bool keep_alive = false;
  std::size_t consumed = 0;
  Event event = Event::need_more;
  const auto advance = [&](std::string_view received) {
    std::string_view input = received.substr(consumed);
    consumed = received.size();
    while ((event = parser.advance(input)) != Event::need_more) {
      if (event == Event::head) {
        reply = {parser.head().status, parser.head().headers, {}};
        keep_alive = parser.head().keep_alive;
      } else if (event == Event::body) {
        reply.body.append(parser.body());
      } else if (event == Event::error || reply.status >= 200) {
        return true;
      }  // else the end of an interim reply, 100 Continue: the real one follows
    }
    return false;
  };
  connection().receive_until(advance);
  if (event == Event::need_more) event = parser.finish();
  const bool whole = event == Event::end && reply.status >= 200;
  if (!whole || !keep_alive) disconnect();
  if (!whole) return std::nullopt;
  return reply;
}

}  // namespace imgcached::e2e
