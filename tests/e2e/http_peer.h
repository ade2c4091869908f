// HttpPeer: an HTTP client for tests, over Peer and the project's own parser.
//
//   HttpPeer backend(server.backend_port());
//   Reply reply = backend.post("/api/upload", Multipart().field("key", "cat").file("file", png));
//   CHECK(reply.status == 200);
//
// One request at a time over one kept-alive connection; it reconnects when the
// server has closed that. What it sends is what it is told to: a target is not
// normalised, a header field is not invented, but for Host and Content-Length.
// Failures of the connection fail the running test, except by try_request().
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/json.h"
#include "http/message.h"
#include "tests/e2e/fixture.h"

namespace imgcached::e2e {

struct Reply {
  int status = 0;
  http::Headers headers;
  std::string body;

  // Empty without such a field.
  std::string header(std::string_view name) const {
    return std::string(headers.find(name).value_or(""));
  }
  bool body_has(std::string_view text) const { return body.find(text) != std::string::npos; }
};

// A request's body and the Content-Type that goes with it.
struct Content {
  std::string type;
  std::string body;
};

// A multipart/form-data body, its parts in the order of the calls.
class Multipart {
 public:
  Multipart& field(std::string_view name, std::string_view value);
  Multipart& file(std::string_view name, std::string_view bytes,
                  std::string_view filename = "image.png",
                  std::string_view type = "application/octet-stream");
  // `headers` are the part's whole header block, each line with its CRLF.
  Multipart& part(std::string_view headers, std::string_view bytes);

  operator Content() const;

 private:
  std::string parts_;
};

// An application/x-www-form-urlencoded body.
Content urlencoded(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);
// A JSON body.
Content json_content(std::string body);
// The JSON of a reply's body; fails the test if it is none.
http::JsonDocument json(const Reply& reply);
// The value of a sample, with its labels if it has any, in the text of /metrics.
std::int64_t sample(const Reply& metrics, const std::string& name);
// The body in chunks of at most that many bytes, for Transfer-Encoding: chunked.
std::string chunked(std::string_view body, std::size_t chunk_bytes = 16 * 1024);

// Every reply in what a connection brought to its end, the last of them whole;
// fails the test if there is anything else in it.
std::vector<Reply> replies_in(std::string_view received);

// Headers of one field.
http::Headers with(std::string_view name, std::string_view value);
// The head of a request, with the empty line that ends it.
std::string request_head(std::string_view method, std::string_view target,
                         const http::Headers& headers = {});

class HttpPeer {
 public:
  explicit HttpPeer(std::uint16_t port) : port_(port) {}

  // Sends a request and reads the reply. Host is added, and Content-Length
  // unless `headers` say how the body is framed or it is empty.
  Reply request(std::string_view method, std::string_view target, const http::Headers& headers = {},
                std::string_view body = {});
  // The same; nothing when the connection ends before the reply is whole, as
  // when the server is killed. Fails the test only if it can't connect.
  std::optional<Reply> try_request(std::string_view method, std::string_view target,
                                   const http::Headers& headers = {}, std::string_view body = {});

  Reply get(std::string_view target, const http::Headers& headers = {}) {
    return request("GET", target, headers);
  }
  // A POST without a body says so by Content-Length: 0.
  Reply post(std::string_view target, const Content& content = {});

  // The raw connection, for what is no well-formed request; connects if need be.
  Peer& connection();
  // Reads one reply to a request sent by connection(); nothing when it is cut off.
  std::optional<Reply> receive(bool expect_body = true);
  // The next request opens a new connection.
  void disconnect() { peer_.reset(); }
  bool is_connected() const { return peer_ != nullptr; }

 private:
  std::uint16_t port_;
  std::unique_ptr<Peer> peer_;
};

}  // namespace imgcached::e2e
