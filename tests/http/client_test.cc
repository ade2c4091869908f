#include "http/client.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "tests/http/server_fixture.h"
#include "tests/net/no_descriptors.h"

namespace imgcached::http {
namespace {

using test::loopback;
using test::read_some;
using test::run_task;
using test::run_until;
using test::ServerFixture;
using test::write_text;

Result<ClientResponse> ask(net::Loop& loop, Client& client, const ClientRequest& request) {
  return run_task(loop, client.request(request));
}

ClientRequest get(std::string target) { return {.target = std::move(target), .headers{}, .body{}}; }

// A server that gives one connection after the other a prepared answer, once
// something has been asked; then it ends the connection, or leaves it open.
class Script {
 public:
  enum class Then { end, stay };

  Script(net::Loop& loop, std::vector<std::string> answers, Then then = Then::end)
      : loop_(loop), answers_(std::move(answers)), then_(then) {
    Result<net::Listener> listener = net::Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    listener_.emplace(std::move(*listener));
    address = listener_->address();
    gate_.spawn(serve());
  }
  ~Script() {
    listener_->close();
    open_.clear();
    run_until(loop_, [&] { return gate_.running() == 0; });
  }

  net::Address address;
  std::size_t connections = 0;

 private:
  Task<void> serve() {
    for (const std::string& answer : answers_) {
      Result<net::Stream> stream = co_await listener_->accept();
      if (!stream) co_return;
      ++connections;
      Result<std::string> asked = co_await read_some(loop_, *stream);
      CHECK(asked.ok());
      if (!answer.empty()) {
        Result<void> written = co_await write_text(*stream, answer);
        CHECK(written.ok());
      }
      if (then_ == Then::stay) open_.push_back(std::move(*stream));
    }
  }

  net::Loop& loop_;
  std::vector<std::string> answers_;
  Then then_;
  std::optional<net::Listener> listener_;
  std::vector<net::Stream> open_;
  Gate gate_;
};

// What a client makes of one prepared answer.
Result<ClientResponse> ask_script(std::string answer, ClientRequest request = {},
                                  Client::Limits limits = {}) {
  net::Loop loop;
  std::optional<Result<ClientResponse>> response;
  {
    Script script(loop, {std::move(answer)});
    Client client(loop, script.address, limits);
    response.emplace(ask(loop, client, request));
    CHECK(script.connections == 1);
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
  return std::move(*response);
}

// --- Against our own server ------------------------------------------------------

TEST_CASE("requests one after the other share a connection") {
  ServerFixture fixture;
  fixture.start();
  Client client(fixture.loop, fixture.server->address(), {});
  for (int i = 0; i < 5; ++i) {
    const Result<ClientResponse> response = ask(fixture.loop, client, get("/hello"));
    REQUIRE(response.ok());
    CHECK(response->status == 200);
    CHECK(response->body.view() == "hello");
    CHECK(*response->headers.find("content-type") == "text/plain");
  }
  CHECK(fixture.server->figures().counted.connections_accepted == 1);
}

TEST_CASE("a request has its method, headers and body") {
  ServerFixture fixture;
  fixture.start();
  Client client(fixture.loop, fixture.server->address(), {});
  const Blob body = Blob::copy_of(std::string(ServerFixture::body_bytes_max, 'x'));
  const ClientRequest request{.method = "POST", .target = "/echo", .headers{}, .body = body};
  for (int i = 0; i < 2; ++i) {
    const Result<ClientResponse> response = ask(fixture.loop, client, request);
    REQUIRE(response.ok());
    CHECK(response->status == 200);
    CHECK(response->body.digest() == body.digest());
  }
  ClientRequest odd{.target = "/hello", .headers{}, .body{}};
  odd.headers.add("Expect", "miracles");
  CHECK(ask(fixture.loop, client, odd)->status == 417);
  const ClientRequest empty{.method = "POST", .target = "/echo", .headers{}, .body{}};
  CHECK(ask(fixture.loop, client, empty)->status == 200);
}

TEST_CASE("HEAD brings no body, and the connection goes on") {
  ServerFixture fixture;
  fixture.start();
  Client client(fixture.loop, fixture.server->address(), {});
  const ClientRequest head{.method = "HEAD", .target = "/big", .headers{}, .body{}};
  const Result<ClientResponse> response = ask(fixture.loop, client, head);
  REQUIRE(response.ok());
  CHECK(*response->headers.find("Content-Length") == std::to_string(ServerFixture::big_bytes));
  CHECK(response->body.empty());
  CHECK(ask(fixture.loop, client, get("/hello"))->body.view() == "hello");
  CHECK(ask(fixture.loop, client, get("/empty"))->status == 204);
  CHECK(ask(fixture.loop, client, get("/big"))->body.digest() == fixture.big_blob.digest());
  CHECK(fixture.server->figures().counted.connections_accepted == 1);
}

TEST_CASE("a connection that the server has closed meanwhile is replaced unnoticed") {
  ServerFixture fixture;
  fixture.limits.idle_timeout_ms = 20;
  fixture.start();
  Client client(fixture.loop, fixture.server->address(), {});
  for (int i = 0; i < 3; ++i) {
    const Result<ClientResponse> response = ask(fixture.loop, client, get("/hello"));
    REQUIRE(response.ok());
    CHECK(response->body.view() == "hello");
    run_until(fixture.loop, [&] { return fixture.server->figures().connections == 0; });
  }
  CHECK(fixture.server->figures().counted.connections_accepted == 3);
}

TEST_CASE("a response over the limit is too large") {
  ServerFixture fixture;
  fixture.start();
  Client::Limits limits;
  limits.connection.body_bytes_max = 1'000;
  Client client(fixture.loop, fixture.server->address(), limits);
  const Result<ClientResponse> response = ask(fixture.loop, client, get("/big"));
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().code == Errc::too_large);
  CHECK(ask(fixture.loop, client, get("/hello")).ok());
}

TEST_CASE("a server that does not answer in time is timed out") {
  ServerFixture fixture;
  fixture.start();
  Client::Limits limits;
  limits.connection.response_timeout_ms = 30;
  Client client(fixture.loop, fixture.server->address(), limits);
  CHECK(ask(fixture.loop, client, get("/hello")).ok());
  const Result<ClientResponse> response = ask(fixture.loop, client, get("/wait"));
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().code == Errc::timed_out);
  CHECK(fixture.server->figures().counted.connections_accepted == 1);  // and was not asked again
  CHECK(ask(fixture.loop, client, get("/hello")).ok());
  fixture.release();
}

// --- Turns -----------------------------------------------------------------------

Task<void> ask_and_note(Client& client, std::string target, std::vector<std::string>& notes) {
  const ClientRequest request = get(std::move(target));
  Result<ClientResponse> response = co_await client.request(request);
  if (response) {
    notes.emplace_back(response->body.view());
  } else {
    notes.emplace_back(to_string(response.error().code));
  }
}

TEST_CASE("requests beyond the connections wait their turn, in order") {
  ServerFixture fixture;
  fixture.start();
  Client::Limits limits;
  limits.connections_max = 1;
  Client client(fixture.loop, fixture.server->address(), limits);
  Gate gate;
  std::vector<std::string> notes;
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    gate.spawn(ask_and_note(client, "/images/" + std::to_string(i), notes));
    expected.push_back("/images/" + std::to_string(i) + "|" + std::to_string(i) + "|");
  }
  run_until(fixture.loop, [&] { return gate.running() == 0; });
  CHECK(notes == expected);
  CHECK(fixture.server->figures().counted.connections_accepted == 1);
}

TEST_CASE("as many requests run at once as there may be connections") {
  ServerFixture fixture;
  fixture.start();
  Client::Limits limits;
  limits.connections_max = 2;
  Client client(fixture.loop, fixture.server->address(), limits);
  Gate gate;
  std::vector<std::string> notes;
  for (int i = 0; i < 5; ++i) gate.spawn(ask_and_note(client, "/wait", notes));
  for (const std::size_t under_way : {2, 2, 1}) {
    run_until(fixture.loop, [&] { return fixture.waiting.size() == under_way; });
    fixture.release();
  }
  run_until(fixture.loop, [&] { return gate.running() == 0; });
  CHECK(notes == std::vector<std::string>(5, "waited"));
  CHECK(fixture.server->figures().counted.connections_accepted == 2);
}

TEST_CASE("beyond the bound of those who wait a request is refused") {
  ServerFixture fixture;
  fixture.start();
  Client::Limits limits;
  limits.connections_max = 1;
  limits.waiting_max = 1;
  Client client(fixture.loop, fixture.server->address(), limits);
  Gate gate;
  std::vector<std::string> notes;
  gate.spawn(ask_and_note(client, "/wait", notes));
  gate.spawn(ask_and_note(client, "/hello", notes));
  gate.spawn(ask_and_note(client, "/hello", notes));
  CHECK(notes == std::vector<std::string>{"unavailable"});
  run_until(fixture.loop, [&] { return fixture.waiting.size() == 1; });
  fixture.release();
  run_until(fixture.loop, [&] { return gate.running() == 0; });
  CHECK(notes == std::vector<std::string>{"unavailable", "waited", "hello"});
}

TEST_CASE("a request that waits too long for a connection gives up, the others go on") {
  ServerFixture fixture;
  fixture.start();
  Client::Limits limits;
  limits.connections_max = 1;
  limits.wait_timeout_ms = 20;
  Client client(fixture.loop, fixture.server->address(), limits);
  Gate gate;
  std::vector<std::string> notes;
  gate.spawn(ask_and_note(client, "/wait", notes));
  gate.spawn(ask_and_note(client, "/hello", notes));
  run_until(fixture.loop, [&] { return !notes.empty(); });
  CHECK(notes == std::vector<std::string>{"unavailable"});
  run_until(fixture.loop, [&] { return fixture.waiting.size() == 1; });
  fixture.release();
  run_until(fixture.loop, [&] { return gate.running() == 0; });
  gate.spawn(ask_and_note(client, "/hello", notes));
  run_until(fixture.loop, [&] { return gate.running() == 0; });
  CHECK(notes == std::vector<std::string>{"unavailable", "waited", "hello"});
}

// Each request used to pass the turn on from within its predecessor's stack.
TEST_CASE("a long queue of requests that fail at once does not grow the stack") {
  constexpr std::size_t requests = 60'000;
  net::Loop loop;
  {
    Script silent(loop, {""}, Script::Then::stay);
    Client::Limits limits;
    limits.connection.response_timeout_ms = 50;
    limits.connections_max = 1;
    limits.waiting_max = requests;
    limits.wait_timeout_ms = 60'000;
    Client client(loop, silent.address, limits);
    Gate gate;
    std::vector<std::string> notes;
    for (std::size_t i = 0; i < requests; ++i) gate.spawn(ask_and_note(client, "/", notes));
    run_until(loop, [&] { return silent.connections == 1; });
    const test::NoDescriptors nothing_left;
    run_until(loop, [&] { return gate.running() == 0; });
    REQUIRE(notes.size() == requests);
    // The first gives its turn away before it tells its own result.
    CHECK(notes.front() == to_string(Errc::unavailable));
    CHECK(notes.back() == to_string(Errc::timed_out));
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

// --- Against prepared answers --------------------------------------------------------

TEST_CASE("connecting where nobody listens is unavailable") {
  net::Loop loop;
  net::Address nobody;
  {
    Script script(loop, {});
    nobody = script.address;
  }
  loop.run();
  Client client(loop, nobody, {});
  const Result<ClientResponse> response = ask(loop, client, get("/"));
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().code == Errc::unavailable);
  CHECK(response.error().message.find(nobody.text()) != std::string::npos);
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("chunked responses and those that end with the connection are read whole") {
  CHECK(ask_script("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            ->body.view() == "abcde");
  CHECK(ask_script("HTTP/1.1 200 OK\r\n\r\nuntil the end")->body.view() == "until the end");
}

TEST_CASE("a response that is cut short is an error, and so is none at all") {
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ""}) {
    CAPTURE(answer);
    const Result<ClientResponse> response = ask_script(answer);
    REQUIRE_FALSE(response.ok());
    CHECK(response.error().code == Errc::closed);
  }
}

TEST_CASE("a response that is no HTTP breaks the protocol") {
  const Result<ClientResponse> response = ask_script("SSH-2.0-OpenSSH\r\n");
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().code == Errc::protocol);
}

TEST_CASE("a chunked response over the limit is too large") {
  Client::Limits limits;
  limits.connection.body_bytes_max = 4;
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(ask_script(head + "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", {}, limits)->body.view() == "abcd");
  const Result<ClientResponse> response =
      ask_script(head + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", {}, limits);
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().code == Errc::too_large);
}

// Interim responses used to be taken for the answer.
TEST_CASE("interim responses are passed over") {
  const Result<ClientResponse> response = ask_script(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  REQUIRE(response.ok());
  CHECK(response->status == 200);
  CHECK(response->headers.count("Link") == 0);
  CHECK(response->body.view() == "ok");
}

// Its body used to be whatever memory held.
TEST_CASE("a 304 that announces a length has no body") {
  const Result<ClientResponse> response =
      ask_script("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n");
  REQUIRE(response.ok());
  CHECK(response->status == 304);
  CHECK(response->body.empty());
}

TEST_CASE("a connection is used again only when the response leaves it clean") {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  for (const std::string& answer :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok" + std::string(),
        ok + "more than was asked for",
        std::string("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")}) {
    CAPTURE(answer);
    net::Loop loop;
    {
      Script script(loop, {answer, ok}, Script::Then::stay);
      Client client(loop, script.address, {});
      CHECK(ask(loop, client, get("/"))->body.view() == "ok");
      CHECK(ask(loop, client, get("/"))->body.view() == "ok");
      CHECK(script.connections == 2);
      client.close();
    }
    loop.run();
    CHECK(loop.live_handles() == 0);
  }
}

TEST_CASE("a request that was answered in part is not sent again") {
  net::Loop loop;
  {
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    Script script(loop, {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", ok});
    Client client(loop, script.address, {});
    CHECK(ask(loop, client, get("/")).error().code == Errc::closed);
    CHECK(script.connections == 1);
    CHECK(ask(loop, client, get("/"))->body.view() == "ok");
    CHECK(script.connections == 2);
  }
  loop.run();
}

// --- One connection ----------------------------------------------------------------

struct Discard : ResponseSink {
  bool head(const MessageHead&) override { return true; }
  bool body(std::string_view) override { return true; }
};

Task<Result<void>> ask_hello(ClientConnection& connection) {
  const std::string request = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  const net::Stream::Pieces pieces{request, {}, {}};
  Discard sink;
  Result<void> done = co_await connection.exchange(pieces, false, sink);
  co_return done;
}

// A server that sends a byte of a long answer now and then, as long as it is
// listened to.
Task<void> drip(net::Loop& loop, net::Listener& listener) {
  Result<net::Stream> stream = co_await listener.accept();
  CHECK(stream.ok());
  if (!stream) co_return;
  Result<void> written =
      co_await write_text(*stream, "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n");
  net::Timer timer(loop);
  for (int i = 0; i < 300 && written; ++i) {
    co_await timer.wait(10);
    written = co_await write_text(*stream, "x");
  }
}

// Each wait used to have a deadline of its own, and nothing had one for them all.
TEST_CASE("an exchange ends in its time though bytes keep coming") {
  net::Loop loop;
  {
    Result<net::Listener> listener = net::Listener::open(loop, loopback(loop));
    REQUIRE(listener.ok());
    Gate gate;
    gate.spawn(drip(loop, *listener));
    ClientConnection::Limits limits;
    limits.response_timeout_ms = 1'000;
    limits.exchange_timeout_ms = 100;
    ClientConnection connection(loop, listener->address(), limits);
    const std::uint64_t began_ms = monotonic_ms();
    const Result<void> done = run_task(loop, ask_hello(connection));
    CHECK(monotonic_ms() - began_ms < 1'000);
    REQUIRE_FALSE(done.ok());
    CHECK(done.error().code == Errc::timed_out);
    run_until(loop, [&] { return gate.running() == 0; });
  }
  loop.run();
  CHECK(loop.live_handles() == 0);
}

TEST_CASE("a connection tells that a request was sent twice") {
  ServerFixture fixture;
  fixture.limits.idle_timeout_ms = 20;
  fixture.start();
  ClientConnection connection(fixture.loop, fixture.server->address(), {});
  CHECK(run_task(fixture.loop, ask_hello(connection)).ok());
  CHECK_FALSE(connection.sent_twice());
  run_until(fixture.loop, [&] { return fixture.server->figures().connections == 0; });
  CHECK(run_task(fixture.loop, ask_hello(connection)).ok());
  CHECK(connection.sent_twice());
}

// There was nothing to close yet, so the exchange went on.
TEST_CASE("an exchange that is aborted while it connects sends nothing") {
  ServerFixture fixture;
  fixture.start();
  ClientConnection connection(fixture.loop, fixture.server->address(), {});
  Gate gate;
  std::optional<Result<void>> done;
  gate.spawn(test::keep_result(ask_hello(connection), done));
  CHECK_FALSE(done);
  connection.abort();
  run_until(fixture.loop, [&] { return gate.running() == 0; });
  REQUIRE_FALSE(done->ok());
  CHECK(done->error().code == Errc::closed);
  CHECK_FALSE(connection.is_open());
  CHECK(run_task(fixture.loop, ask_hello(connection)).error().code == Errc::closed);
  CHECK(fixture.server->figures().counted.requests == 0);
}

}  // namespace
}  // namespace imgcached::http
