// What counts as an image, and how large it may be.
#include <doctest/doctest.h>

#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

constexpr std::size_t limit = Deployment::upload_bytes_max;

DEPLOYED_TEST_CASE("images: all eight types are known by their bytes") {
  Deployment& it = Where::deployment();
  for (const Sample& sample : samples()) {
    CAPTURE(sample.content_type);
    it.upload("type", sample.bytes);
    for (const char* cached : {"miss", "hit"}) {
      const Reply reply = it.backend.get("/images/type");
      CHECK(reply.header("X-Cache") == cached);
      CHECK(reply.header("Content-Type") == sample.content_type);
      CHECK(reply.body == sample.bytes);
    }
    CHECK(it.backend.get("/image?key_value=type").body_has(sample.content_type));
    CHECK(it.backend.get("/keys_list").body_has(sample.content_type));
  }
}

DEPLOYED_TEST_CASE("images: name and declared type of a file count for nothing") {
  Deployment& it = Where::deployment();
  const std::string gif = samples().at(2).bytes;
  for (const char* declared : {"text/html", "image/png", "image/svg+xml", "x", ""}) {
    CAPTURE(declared);
    const Reply reply = it.backend.post(
        "/api/upload",
        Multipart().field("key", "declared").file("file", gif, "page.html", declared));
    CHECK(reply.status == 200);
    CHECK(it.backend.get("/images/declared").header("Content-Type") == "image/gif");
  }
}

DEPLOYED_TEST_CASE("bug: a file without file name and Content-Type is refused") {
  Deployment& it = Where::deployment();
  const std::string image = png(400, 1);
  const Reply bare =
      it.backend.post("/api/upload", Multipart().field("key", "bare").field("file", image));
  CHECK(bare.status == 200);
  CHECK(it.read("bare") == image);
  const Reply no_extension = it.backend.post(
      "/api/upload",
      Multipart()
          .field("key", "bare")
          .part("Content-Disposition: form-data; name=\"file\"; filename=\"image\"\r\n", image));
  CHECK(no_extension.status == 200);
  CHECK(it.backend.get("/images/bare").header("Content-Type") == "image/png");
}

DEPLOYED_TEST_CASE("images: what is none is a 415 that lists the types, whatever it says it is") {
  Deployment& it = Where::deployment();
  const std::size_t files = it.files().size();
  for (const std::string& bytes :
       {std::string("<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>"),
        std::string("<?xml version=\"1.0\"?><svg></svg>"),
        std::string("<!doctype html><script>alert(1)</script>"), std::string("just text"),
        std::string("x"), std::string("\x89PN"), std::string("%PDF-1.7"), std::string(1000, '\0'),
        std::string(200 * 1024, 'a')}) {
    CAPTURE(bytes.substr(0, 40));
    for (const char* declared : {"image/png", "image/svg+xml", "text/plain"}) {
      const Reply reply = it.backend.post(
          "/api/upload", Multipart().field("key", "none").file("file", bytes, "a.png", declared));
      CHECK(reply.status == 415);
      for (const char* type : {"PNG", "JPEG", "GIF", "WebP", "BMP", "TIFF", "AVIF", "ICO"})
        CHECK(reply.body_has(type));
    }
    CHECK(it.backend.request("PUT", "/images/none", {}, bytes).status == 415);
    const Reply page = it.backend.post(
        "/upload_image", Multipart().field("key", "none").file("file", bytes, "a.png"));
    CHECK(page.status == 415);
    CHECK(page.body_has("WebP"));
  }
  CHECK(it.keys("none").empty());
  CHECK(it.files().size() == files);
}

DEPLOYED_TEST_CASE("images: an empty file is a 400, and leaves the image that was there") {
  Deployment& it = Where::deployment();
  const std::string image = png(400, 2);
  it.upload("empty", image);
  for (const char* path : {"/api/upload", "/upload_image"}) {
    const Reply reply =
        it.backend.post(path, Multipart().field("key", "empty").file("file", "", ""));
    CHECK(reply.status == 400);
    CHECK_MESSAGE(reply.body_has("empty"), reply.body);
  }
  CHECK(it.read("empty") == image);
}

DEPLOYED_TEST_CASE("images: one of exactly the limit is stored, one byte more is a 413") {
  Deployment& it = Where::deployment();
  const std::string largest = png(limit, 3);
  it.upload("limit", largest);
  CHECK(it.backend.request("PUT", "/images/limit", {}, largest).status == 200);
  const std::size_t files = it.files().size();

  const std::string larger = png(limit + 1, 4);
  for (const Reply& reply :
       {it.backend.post("/api/upload", Multipart().field("key", "limit").file("file", larger)),
        it.backend.post("/api/upload", Multipart().file("file", larger).field("key", "limit")),
        it.backend.post("/upload_image", Multipart().field("key", "limit").file("file", larger)),
        it.backend.request("PUT", "/images/limit", {}, larger),
        it.backend.request("PUT", "/images/limit", with("Transfer-Encoding", "chunked"),
                           chunked(larger))}) {
    CHECK(reply.status == 413);
    CHECK_MESSAGE((reply.body_has("307200") || reply.body_has("307,200") ||
                   reply.body_has("300 KiB") || reply.body_has("300.0 KB")),
                  reply.body);
  }
  CHECK(it.read("limit") == largest);
  CHECK(it.files().size() == files);
}

DEPLOYED_TEST_CASE("images: a Content-Length over the limit is a 413 before any of the body") {
  Deployment& it = Where::deployment();
  for (const char* target : {"POST /api/upload", "POST /upload_image", "PUT /images/large"}) {
    CAPTURE(target);
    HttpPeer peer(it.backend_server().backend_port());
    peer.connection().send(std::string(target) +
                           " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                           "Content-Type: multipart/form-data; boundary=b\r\n"
                           "Content-Length: 5000000000\r\n\r\n");
    const auto reply = peer.receive();
    REQUIRE(reply.has_value());
    CHECK(reply->status == 413);
  }
  // The same from a client that asks nobody and sends it all.
  const Reply reply = it.backend.post(
      "/api/upload", Multipart().field("key", "large").file("file", png(8 * limit, 5)));
  CHECK(reply.status == 413);
  CHECK(it.keys("large").empty());
}

DEPLOYED_TEST_CASE("images: a chunked body is a 413 when it comes to the limit, not at its end") {
  Deployment& it = Where::deployment();
  const std::size_t files = it.files().size();
  HttpPeer peer(it.backend_server().backend_port());
  std::string endless = chunked(png(2 * limit, 6));
  endless.resize(endless.size() - 5);  // no last chunk
  peer.connection().send(
      "PUT /images/endless HTTP/1.1\r\nHost: x\r\n"
      "Transfer-Encoding: chunked\r\n\r\n" +
      endless);
  const auto reply = peer.receive();
  REQUIRE(reply.has_value());
  CHECK(reply->status == 413);
  CHECK(it.files().size() == files);
}

DEPLOYED_TEST_CASE("images: a client that vanishes in the middle of an upload leaves nothing") {
  Deployment& it = Where::deployment();
  const std::size_t files = it.files().size();
  for (const bool by_reset : {false, true}) {
    const Content form = Multipart().field("key", "vanished").file("file", png(250 * 1024, 7));
    Peer peer(it.backend_server().backend_port());
    http::Headers headers = with("Content-Type", form.type);
    headers.add("Host", "x");
    headers.add("Content-Length", std::to_string(form.body.size()));
    peer.send(request_head("POST", "/api/upload", headers) + form.body.substr(0, 200 * 1024));
    eventually("the upload to be a file", [&] { return it.files().size() == files + 1; });
    by_reset ? peer.reset() : peer.close();
    eventually("the file to go", [&] { return it.files().size() == files; });
  }
  CHECK(it.keys("vanished").empty());
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
