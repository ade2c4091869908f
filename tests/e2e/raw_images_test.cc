// /images/...: the images themselves, for <img>, curl and browsers.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

DEPLOYED_TEST_CASE("raw: a first read is a miss, the next one a hit, with the same bytes") {
  Deployment& it = Where::deployment();
  const std::string image = png(4000, 1);
  it.upload("raw-cat", image);
  const Reply miss = it.backend.get("/images/raw-cat");
  CHECK(miss.status == 200);
  CHECK(miss.body == image);
  CHECK(miss.header("X-Cache") == "miss");
  CHECK(miss.header("Content-Type") == "image/png");
  CHECK(miss.header("Cache-Control") == "no-cache");
  CHECK(miss.header("X-Content-Type-Options") == "nosniff");
  const Reply hit = it.backend.get("/images/raw-cat");
  CHECK(hit.body == image);
  CHECK(hit.header("X-Cache") == "hit");
  CHECK(hit.header("ETag") == miss.header("ETag"));
}

DEPLOYED_TEST_CASE("raw: HEAD says what GET would, without the bytes") {
  Deployment& it = Where::deployment();
  it.upload("raw-head", png(4000, 2));
  const Reply head = it.backend.request("HEAD", "/images/raw-head");
  const Reply get = it.backend.get("/images/raw-head");
  CHECK(head.status == 200);
  CHECK(head.body.empty());
  CHECK(head.header("Content-Length") == "4000");
  CHECK(head.header("Content-Type") == get.header("Content-Type"));
  CHECK(head.header("ETag") == get.header("ETag"));
  CHECK(it.backend.request("HEAD", "/images/raw-nobody").status == 404);
}

DEPLOYED_TEST_CASE("raw: a strong ETag names the bytes, and If-None-Match gets a 304") {
  Deployment& it = Where::deployment();
  it.upload("raw-etag", png(4000, 3));
  const std::string etag = it.backend.get("/images/raw-etag").header("ETag");
  REQUIRE(etag.size() > 2);
  CHECK(etag.starts_with('"'));
  for (const std::string& condition :
       {etag, "\"other\", " + etag, "W/" + etag, std::string("*"), ", ," + etag + " ,"}) {
    CAPTURE(condition);
    const Reply reply = it.backend.get("/images/raw-etag", with("If-None-Match", condition));
    CHECK(reply.status == 304);
    CHECK(reply.body.empty());
    CHECK(reply.header("ETag") == etag);
    CHECK(reply.header("Cache-Control") == "no-cache");
  }
  CHECK(it.backend.get("/images/raw-etag", with("If-None-Match", "\"other\"")).status == 200);
  http::Headers two = with("If-None-Match", "\"other\"");  // the list may come in several fields
  two.add("If-None-Match", etag);
  CHECK(it.backend.get("/images/raw-etag", two).status == 304);

  it.upload("raw-etag", png(4000, 4));
  const Reply replaced = it.backend.get("/images/raw-etag", with("If-None-Match", etag));
  CHECK(replaced.status == 200);
  CHECK(replaced.body == png(4000, 4));
  CHECK(replaced.header("ETag") != etag);
}

DEPLOYED_TEST_CASE("raw: a range is a 206 with the bytes asked for") {
  Deployment& it = Where::deployment();
  const std::string image = png(4000, 5);
  it.upload("raw-range", image);
  CHECK(it.backend.get("/images/raw-range").header("Accept-Ranges") == "bytes");
  struct Case {
    const char *range, *content_range;
    std::size_t first, length;
  };
  for (const Case& c : {Case{"bytes=0-0", "bytes 0-0/4000", 0, 1},
                        Case{"bytes=100-199", "bytes 100-199/4000", 100, 100},
                        Case{"bytes=3990-", "bytes 3990-3999/4000", 3990, 10},
                        Case{"bytes=3990-9999", "bytes 3990-3999/4000", 3990, 10},
                        Case{"bytes=-5", "bytes 3995-3999/4000", 3995, 5},
                        Case{"bytes=-9999", "bytes 0-3999/4000", 0, 4000},
                        Case{"bytes=, 5-6 ,", "bytes 5-6/4000", 5, 2}}) {
    CAPTURE(c.range);
    const Reply reply = it.backend.get("/images/raw-range", with("Range", c.range));
    CHECK(reply.status == 206);
    CHECK(reply.header("Content-Range") == c.content_range);
    CHECK(reply.header("Content-Type") == "image/png");
    CHECK(reply.body == image.substr(c.first, c.length));
  }
  for (const char* no_range : {"bytes=9-1", "lines=1-2", "bytes=a-b", "bytes=0-1,3-4"}) {
    CAPTURE(no_range);
    const Reply reply = it.backend.get("/images/raw-range", with("Range", no_range));
    CHECK(reply.status == 200);
    CHECK(reply.body == image);
  }
}

DEPLOYED_TEST_CASE("raw: a range outside of the image is a 416 that tells its size") {
  Deployment& it = Where::deployment();
  it.upload("raw-416", png(4000, 6));
  for (const char* range : {"bytes=4000-", "bytes=5000-6000", "bytes=-0"}) {
    CAPTURE(range);
    const Reply reply = it.backend.get("/images/raw-416", with("Range", range));
    CHECK(reply.status == 416);
    CHECK(reply.header("Content-Range") == "bytes */4000");
  }
}

DEPLOYED_TEST_CASE("raw: If-Range gives the part of the same image, else the whole") {
  Deployment& it = Where::deployment();
  it.upload("raw-if-range", png(4000, 7));
  http::Headers headers = with("Range", "bytes=0-9");
  headers.set("If-Range", it.backend.get("/images/raw-if-range").header("ETag"));
  CHECK(it.backend.get("/images/raw-if-range", headers).status == 206);
  const std::string etag = it.backend.get("/images/raw-if-range").header("ETag");
  for (const std::string& other :
       {std::string("\"other\""), "W/" + etag, std::string("Sun, 06 Nov 1994 08:49:37 GMT")}) {
    headers.set("If-Range", other);
    CHECK(it.backend.get("/images/raw-if-range", headers).status == 200);
  }
}

DEPLOYED_TEST_CASE("raw: PUT makes an image with 201 and replaces it with 200") {
  Deployment& it = Where::deployment();
  const std::string first = png(4000, 8);
  const std::string second = png(200 * 1024, 9);
  const Reply created = it.backend.request("PUT", "/images/raw%20put", {}, first);
  CHECK(created.status == 201);
  CHECK(created.header("Location") == "/images/raw%20put");
  CHECK(it.read("raw put") == first);
  const Reply replaced = it.backend.request("PUT", "/images/raw%20put", {}, second);
  CHECK(replaced.status == 200);
  CHECK(it.read("raw put") == second);
  CHECK(replaced.header("ETag") == it.backend.get("/images/raw%20put").header("ETag"));
}

DEPLOYED_TEST_CASE("raw: PUT takes a chunked body") {
  Deployment& it = Where::deployment();
  const std::string image = png(200 * 1024, 10);
  const Reply reply = it.backend.request("PUT", "/images/raw-chunked",
                                         with("Transfer-Encoding", "chunked"), chunked(image, 999));
  CHECK(reply.status == 201);
  CHECK(it.read("raw-chunked") == image);
}

DEPLOYED_TEST_CASE("raw: PUT waits for 100 Continue if it was asked to") {
  Deployment& it = Where::deployment();
  const std::string image = png(4000, 11);
  http::Headers headers = with("Expect", "100-continue");
  headers.add("Host", "localhost");
  headers.add("Content-Length", std::to_string(image.size()));
  HttpPeer peer(it.backend_server().backend_port());
  peer.connection().send(request_head("PUT", "/images/raw-expect", headers));
  const std::string interim = peer.connection().receive_until(
      [](std::string_view received) { return received.ends_with("\r\n\r\n"); });
  CHECK(interim.starts_with("HTTP/1.1 100 "));
  peer.connection().send(image);
  CHECK(peer.receive()->status == 201);
  CHECK(it.read("raw-expect") == image);
}

DEPLOYED_TEST_CASE("raw: PUT refuses what is no image, nothing at all, and a missing length") {
  Deployment& it = Where::deployment();
  CHECK(it.backend.request("PUT", "/images/raw-no", {}, "no image at all").status == 415);
  CHECK(it.backend.request("PUT", "/images/raw-no", with("Content-Length", "0")).status == 400);
  const Reply reply = it.backend.request("PUT", "/images/raw-no");
  CHECK(reply.status == 411);
  CHECK(reply.body_has("Content-Length"));
  CHECK(it.keys("raw-no").empty());
}

DEPLOYED_TEST_CASE("raw: PUT of a part is a 400, and changes nothing") {
  Deployment& it = Where::deployment();
  const std::string image = png(2048, 1);
  REQUIRE(it.backend.request("PUT", "/images/raw-part", {}, image).status == 201);
  const Reply reply = it.backend.request("PUT", "/images/raw-part",
                                         with("Content-Range", "bytes 0-1023/2048"), png(1024, 2));
  CHECK(reply.status == 400);
  CHECK(reply.body_has("Content-Range"));
  CHECK(it.backend.get("/images/raw-part").body == image);
}

DEPLOYED_TEST_CASE("raw: PUT and DELETE may be conditional on what is there") {
  Deployment& it = Where::deployment();
  const std::string first = png(2000, 1);
  const std::string second = png(2000, 2);
  const auto put = [&](const std::string& name, const std::string& value,
                       const std::string& image) {
    return it.backend.request("PUT", "/images/raw-cond", with(name, value), image).status;
  };
  CHECK(put("If-Match", "*", first) == 412);  // there is nothing to match
  CHECK(it.keys("raw-cond").empty());
  CHECK(put("If-None-Match", "*", first) == 201);
  CHECK(put("If-None-Match", "*", second) == 412);
  CHECK(it.read("raw-cond") == first);
  const std::string etag = it.backend.get("/images/raw-cond").header("ETag");
  CHECK(put("If-Match", "\"other\"", second) == 412);
  CHECK(put("If-Match", "W/" + etag, second) == 412);
  CHECK(put("If-None-Match", "\"other\", " + etag, second) == 412);
  CHECK(it.read("raw-cond") == first);
  CHECK(put("If-Match", "\"other\", " + etag, second) == 200);
  CHECK(it.read("raw-cond") == second);

  const Reply stale = it.backend.request("DELETE", "/images/raw-cond", with("If-Match", etag));
  CHECK(stale.status == 412);
  CHECK(stale.header("Content-Type") == "application/json");
  CHECK(it.backend.request("DELETE", "/images/raw-cond", with("If-None-Match", "*")).status == 412);
  CHECK(it.read("raw-cond") == second);
  CHECK(it.backend.get("/images/raw-cond", with("If-Match", etag)).status == 412);
  CHECK(it.backend.request("DELETE", "/images/raw-cond", with("If-Match", "*")).status == 204);
  CHECK(it.backend.request("DELETE", "/images/raw-cond", with("If-Match", "*")).status == 404);
}

DEPLOYED_TEST_CASE("raw: a condition that fails is told before the body is sent") {
  Deployment& it = Where::deployment();
  it.upload("raw-early", png(2000, 1));
  Peer peer(it.backend_server().backend_port());
  http::Headers headers = with("If-None-Match", "*");
  headers.add("Host", "localhost");
  headers.add("Content-Length", "100000");
  headers.add("Expect", "100-continue");
  peer.send(request_head("PUT", "/images/raw-early", headers));
  const std::vector<Reply> replies = replies_in(peer.receive_all());
  REQUIRE(replies.size() == 1);
  CHECK(replies.front().status == 412);
}

DEPLOYED_TEST_CASE("raw: of many who replace the image they have seen, one does") {
  Deployment& it = Where::deployment();
  it.upload("raw-race", png(2000, 100));
  http::Headers headers = with("If-Match", it.backend.get("/images/raw-race").header("ETag"));
  std::vector<std::unique_ptr<HttpPeer>> peers;
  headers.add("Host", "localhost");
  headers.add("Content-Length", "2000");
  for (std::uint64_t i = 0; i < 8; ++i) {
    peers.push_back(std::make_unique<HttpPeer>(it.backend_server().backend_port()));
    peers.back()->connection().send(request_head("PUT", "/images/raw-race", headers) +
                                    png(2000, i).substr(0, 1999));
  }
  for (std::uint64_t i = 0; i < 8; ++i) peers[i]->connection().send(png(2000, i).substr(1999));
  int replaced = 0;
  std::string winner;
  for (std::uint64_t i = 0; i < 8; ++i) {
    const std::optional<Reply> reply = peers[i]->receive();
    REQUIRE(reply);
    CHECK((reply->status == 200 || reply->status == 412));
    if (reply->status != 200) continue;
    ++replaced;
    winner = png(2000, i);
  }
  CHECK(replaced == 1);
  CHECK(it.read("raw-race") == winner);
}

DEPLOYED_TEST_CASE("raw: DELETE is a 204, a second one a 404") {
  Deployment& it = Where::deployment();
  it.upload("raw-delete", png(4000, 12));
  it.read("raw-delete");
  const Reply reply = it.backend.request("DELETE", "/images/raw-delete");
  CHECK(reply.status == 204);
  CHECK(reply.body.empty());
  CHECK(it.backend.request("DELETE", "/images/raw-delete").status == 404);
  CHECK(it.backend.get("/images/raw-delete").status == 404);
}

DEPLOYED_TEST_CASE("raw: failures are JSON, since programs call") {
  Deployment& it = Where::deployment();
  const Reply missing = it.backend.get("/images/raw-nobody");
  CHECK(missing.status == 404);
  CHECK(missing.header("Content-Type") == "application/json");
  const Reply not_allowed = it.backend.post("/images/raw-nobody");
  CHECK(not_allowed.status == 405);
  CHECK(not_allowed.header("Allow") == "GET, HEAD, PUT, DELETE");
}

DEPLOYED_TEST_CASE("raw: /images?key= reaches keys that a path can't") {
  Deployment& it = Where::deployment();
  const std::string image = png(4000, 13);
  CHECK(it.backend.request("PUT", "/images?key=raw%2F..%2F.", {}, image).status == 201);
  const Reply reply = it.backend.get("/images?key=raw%2F..%2F.");
  CHECK(reply.body == image);
  CHECK(it.backend.request("DELETE", "/images?key=raw%2F..%2F.").status == 204);
  CHECK(it.backend.get("/images").status == 400);
}

DEPLOYED_TEST_CASE("raw: pipelined requests are answered in order") {
  Deployment& it = Where::deployment();
  std::string requests;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const std::string key = "raw-pipelined-" + std::to_string(i);
    it.upload(key, png(1000 + i, i));
    requests += request_head("GET", "/images/" + key, with("Host", "localhost"));
  }
  requests += "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  Peer peer(it.backend_server().backend_port());
  peer.send(requests);
  const std::vector<Reply> replies = replies_in(peer.receive_all());
  REQUIRE(replies.size() == 101);
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(replies[i].body == png(1000 + i, i));
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
