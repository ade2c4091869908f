// The pages of port 5000 as a browser without JavaScript, or a script, uses them.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "http/base64.h"
#include "http/url.h"
#include "tests/e2e/deployment.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

constexpr const char* all_pages[] = {
    "/", "/image", "/upload_image", "/keys_list", "/cache_properties", "/cache_stats"};

void check_html(const Reply& reply, int status = 200) {
  CHECK(reply.status == status);
  CHECK(reply.header("Content-Type") == "text/html; charset=utf-8");
  CHECK(reply.header("X-Content-Type-Options") == "nosniff");
  CHECK(reply.header("X-Frame-Options") == "DENY");
  CHECK(reply.header("Content-Security-Policy").find("default-src 'self'") != std::string::npos);
  CHECK(reply.body.starts_with("<!doctype html>"));
  CHECK(reply.body.ends_with("</html>\n"));
  CHECK_FALSE(reply.body_has("{{"));
}

// The href of every link that contains `part`, unescaped.
std::vector<std::string> links(const Reply& page, std::string_view part) {
  std::vector<std::string> found;
  for (std::size_t at = 0; (at = page.body.find("href=\"", at)) != std::string::npos;) {
    at += 6;
    std::string url = page.body.substr(at, page.body.find('"', at) - at);
    for (std::size_t i; (i = url.find("&amp;")) != std::string::npos;) url.replace(i, 5, "&");
    if (url.find(part) != std::string::npos) found.push_back(url);
  }
  return found;
}

// Where the page says that its `next` or `prev` one is; empty when it does not.
std::string related(const Reply& page, std::string_view relation) {
  const std::string tag = "rel=\"" + std::string(relation) + "\" href=\"";
  const std::size_t at = page.body.find(tag);
  if (at == std::string::npos) return {};
  Reply rest = page;
  rest.body.erase(0, at + tag.size() - std::string_view("href=\"").size());
  return links(rest, "").front();
}

DEPLOYED_TEST_CASE("pages: all six are there, linked to each other, by GET and HEAD") {
  Deployment& it = Where::deployment();
  for (const char* path : all_pages) {
    CAPTURE(path);
    const Reply page = it.backend.get(path);
    check_html(page);
    for (const char* other : all_pages) CHECK(page.body_has(std::string("href=\"") + other + "\""));
    const Reply head = it.backend.request("HEAD", path);
    CHECK(head.status == 200);
    CHECK(head.body.empty());
  }
}

DEPLOYED_TEST_CASE("pages: what they refer to under /static is there, with ETag and 304") {
  Deployment& it = Where::deployment();
  std::set<std::string> files;
  for (const char* path : all_pages) {
    const Reply page = it.backend.get(path);
    for (std::size_t at = 0; (at = page.body.find("\"/static/", at)) != std::string::npos; ++at)
      files.insert(page.body.substr(at + 1, page.body.find('"', at + 1) - at - 1));
  }
  CHECK(files.size() >= 5);
  for (const std::string& file : files) {
    CAPTURE(file);
    const Reply reply = it.backend.get(file);
    CHECK(reply.status == 200);
    CHECK_FALSE(reply.body.empty());
    const std::string type = reply.header("Content-Type");
    if (file.ends_with(".css")) CHECK(type.starts_with("text/css"));
    if (file.ends_with(".js")) CHECK(type.starts_with("text/javascript"));
    if (file.ends_with(".svg")) CHECK(type.starts_with("image/svg+xml"));
    http::Headers headers;
    headers.add("If-None-Match", reply.header("ETag"));
    CHECK(it.backend.get(file, headers).status == 304);

    http::Headers accepting;
    accepting.add("Accept-Encoding", "gzip, deflate, br");
    const Reply gzipped = it.backend.get(file, accepting);
    CHECK(gzipped.status == 200);
    CHECK(gzipped.header("Content-Encoding") == "gzip");
    CHECK(gzipped.header("Content-Type") == type);
    CHECK(gzipped.body.starts_with("\x1f\x8b"));
    CHECK(gzipped.header("ETag") != reply.header("ETag"));
    if (reply.body.size() > 4096) CHECK(gzipped.body.size() < reply.body.size() / 2);
    // What one has in one coding says nothing of the other.
    CHECK(reply.header("Content-Encoding").empty());
    accepting.add("If-None-Match", reply.header("ETag"));
    const Reply other = it.backend.get(file, accepting);
    CHECK(other.status == 200);
    accepting.set("If-None-Match", gzipped.header("ETag"));
    const Reply known = it.backend.get(file, accepting);
    CHECK(known.status == 304);
    CHECK(known.header("ETag") == gzipped.header("ETag"));
    for (const Reply& each : {reply, gzipped, other, known}) {
      CHECK(each.header("Vary") == "Accept-Encoding");
      CHECK(each.header("Cache-Control") == "no-cache");
    }
  }
  for (const char* path : {"/static/", "/static/nothing.css", "/static/../Makefile",
                           "/static/%2e%2e/%2e%2e/Makefile", "/static//etc/passwd"}) {
    CHECK(it.backend.get(path).status == 404);
  }
}

DEPLOYED_TEST_CASE("pages: an unknown one is an HTML 404 that leads on") {
  Deployment& it = Where::deployment();
  for (const char* path : {"/nothing", "/image/", "/index.html", "/%3Cscript%3E"}) {
    CAPTURE(path);
    const Reply page = it.backend.get(path);
    check_html(page, 404);
    CHECK(page.body_has("404"));
    CHECK(page.body_has("href=\"/\""));
    CHECK_FALSE(page.body_has("<script>"));
  }
  const Reply not_allowed = it.backend.request("DELETE", "/keys_list");
  check_html(not_allowed, 405);
  CHECK(not_allowed.header("Allow") == "GET, HEAD, POST");
}

DEPLOYED_TEST_CASE("pages: a failure of ours is an HTML page that says what to do") {
  Deployment& it = Where::deployment();
  it.query("RENAME TABLE images TO elsewhere");
  const Reply page = it.backend.get("/keys_list");
  const Reply call = it.backend.post("/api/list_keys");
  it.query("RENAME TABLE elsewhere TO images");
  check_html(page, page.status);
  CHECK((page.status == 500 || page.status == 503));
  CHECK(page.body_has("log says"));
  CHECK(page.body_has("href=\"/\""));
  CHECK(call.status == page.status);
  CHECK(call.header("Content-Type") == "application/json");
  CHECK(it.backend.get("/keys_list").status == 200);
}

DEPLOYED_TEST_CASE("pages: the image page says miss, then hit, with type and size") {
  Deployment& it = Where::deployment();
  const std::string image = png(54'321, 1);
  it.upload("page-image", image);
  const Reply miss = it.backend.get("/image?key_value=page-image");
  const Reply hit = it.backend.get("/image?key=page-image");
  for (const Reply& page : {miss, hit}) {
    check_html(page);
    CHECK(page.body_has("page-image"));
    CHECK(page.body_has("image/png"));
    CHECK(page.body_has("54,321 bytes"));
    CHECK(page.body_has("data:image/png;base64," + http::base64::encode(image)));
    CHECK(page.body_has("href=\"/images/page-image\""));
  }
  CHECK(miss.body_has(">miss<"));
  CHECK_FALSE(miss.body_has(">hit<"));
  CHECK(hit.body_has(">hit<"));
  CHECK_FALSE(hit.body_has(">miss<"));
}

DEPLOYED_TEST_CASE("pages: an image that can't be shown is linked to, and the page says why") {
  Deployment& it = Where::deployment();
  for (const Sample& sample : samples()) {
    if (sample.content_type != "image/tiff") continue;
    it.upload("scan", sample.bytes);
    const Reply page = it.backend.get("/image?key_value=scan");
    CHECK(page.body_has("browsers do not show image/tiff"));
    CHECK(page.body_has("href=\"/images/scan\""));
  }
  Deployment roomy(Where::kind, {.image_bytes_max = 32u << 20});
  roomy.upload("poster", png(21u << 20, 1));
  const Reply page = roomy.backend.get("/image?key_value=poster");
  CHECK(page.body_has("over 20.0 MB it is too large"));
  CHECK_FALSE(page.body_has("browsers do not show"));
}

DEPLOYED_TEST_CASE("pages: the home page's commands name the host it was asked for by") {
  Deployment& it = Where::deployment();
  const auto home_of = [&](const std::string& host) {
    http::Headers headers;
    headers.add("Host", host);
    return it.backend.request("GET", "/", headers);
  };
  CHECK(home_of("images.example:8080").body_has("http://images.example:8080/images/cat"));
  CHECK(home_of("[::1]:5000").body_has("http://[::1]:5000/api/list_keys"));
  // What is no host, and none at all: the address that was connected to.
  const std::string ours =
      "http://127.0.0.1:" + std::to_string(it.backend_server().backend_port()) + "/images/cat";
  const Reply odd = home_of("a$(id)");
  CHECK_FALSE(odd.body_has("$(id)"));
  if (odd.status == 200) CHECK(odd.body_has(ours));
  Peer peer(it.backend_server().backend_port());
  peer.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(peer.receive_all().find(ours) != std::string::npos);
}

DEPLOYED_TEST_CASE("pages: the image form takes urlencoded and multipart bodies") {
  Deployment& it = Where::deployment();
  it.upload("form & key", png(300, 2));
  for (const char* field : {"key_value", "key"}) {
    const Reply urlencoded_form = it.backend.post("/image", urlencoded({{field, "form & key"}}));
    CHECK(urlencoded_form.status == 200);
    CHECK(urlencoded_form.body_has("form &amp; key"));
    const Reply multipart_form = it.backend.post("/image", Multipart().field(field, "form & key"));
    CHECK(multipart_form.status == 200);
    CHECK(multipart_form.body_has("image/png"));
  }
}

DEPLOYED_TEST_CASE("pages: an unknown key is a 404 with the form kept and an offer to upload") {
  Deployment& it = Where::deployment();
  const Reply page = it.backend.post("/image", urlencoded({{"key_value", "page nobody"}}));
  check_html(page, 404);
  CHECK(page.body_has("name=\"key_value\" value=\"page nobody\""));
  CHECK(page.body_has("href=\"/upload_image?key=page%20nobody\""));
  CHECK(it.backend.get("/upload_image?key=page%20nobody").body_has("value=\"page nobody\""));
}

DEPLOYED_TEST_CASE(
    "pages: an upload by form is stored and says so, a second one that it replaced") {
  Deployment& it = Where::deployment();
  const std::string first = png(2000, 3);
  const std::string second = png(3000, 4);
  const Reply stored =
      it.backend.post("/upload_image", Multipart().field("key", "page upload").file("file", first));
  check_html(stored);
  CHECK(stored.body_has("Stored"));
  CHECK(stored.body_has("href=\"/image?key_value=page%20upload\""));
  CHECK(it.read("page upload") == first);
  const Reply replaced = it.backend.post(
      "/upload_image", Multipart().file("file", second).field("key", "page upload"));
  CHECK(replaced.status == 200);
  CHECK(replaced.body_has("Replaced"));
  CHECK(it.read("page upload") == second);
}

DEPLOYED_TEST_CASE(
    "pages: a refused upload shows the form again, the key kept, the reason beside") {
  Deployment& it = Where::deployment();
  const std::string image = png(300, 5);
  const Reply no_image = it.backend.post(
      "/upload_image", Multipart().field("key", "page refused").file("file", "text"));
  check_html(no_image, 415);
  CHECK(no_image.body_has("name=\"key\" value=\"page refused\""));
  CHECK(no_image.body_has("WebP"));
  check_html(it.backend.post("/upload_image", Multipart().field("key", "page refused")), 400);
  check_html(it.backend.post("/upload_image", Multipart().file("file", image)), 400);
  check_html(it.backend.post("/upload_image", urlencoded({{"key", "page refused"}})), 400);
  const Reply bad_key = it.backend.post(
      "/upload_image", Multipart().field("key", std::string(256, 'k')).file("file", image));
  check_html(bad_key, 400);
  CHECK(bad_key.body_has("255"));
  CHECK(it.keys("page refused").empty());
}

DEPLOYED_TEST_CASE("pages: an image is deleted by its page's form") {
  Deployment& it = Where::deployment();
  it.upload("page delete", png(300, 6));
  const Reply page = it.backend.get("/image?key_value=page%20delete");
  CHECK(page.body_has("action=\"/delete_image\""));
  CHECK(page.body_has("name=\"key\" value=\"page delete\""));
  const Reply asked = it.backend.get("/delete_image?key=page%20delete");
  check_html(asked);
  CHECK(asked.body_has("method=\"post\" action=\"/delete_image\""));
  CHECK(asked.body_has("name=\"key\" value=\"page delete\""));
  CHECK(it.keys("page delete").size() == 1);
  const Reply deleted = it.backend.post("/delete_image", urlencoded({{"key", "page delete"}}));
  check_html(deleted);
  CHECK(deleted.body_has("page delete"));
  CHECK(it.keys("page delete").empty());
  check_html(it.backend.post("/delete_image", urlencoded({{"key", "page delete"}})), 404);
  check_html(it.backend.get("/delete_image?key=page%20delete"), 404);
  check_html(it.backend.get("/delete_image"), 400);
}

DEPLOYED_TEST_CASE("pages: the keys page is paged and links each key to its image, each once") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  CHECK(links(it.backend.get("/keys_list"), "/image?").empty());
  std::set<std::string> expected;
  for (int i = 0; i < 120; ++i) {
    const std::string key = "paged & key/" + std::to_string(1000 + i);
    it.upload(key, png(200, 7));
    expected.insert("/image?key_value=" + http::percent_encode(key));
  }
  it.upload("zebra", png(200, 7));
  for (const std::string start : {"/keys_list?prefix=paged%20%26", "/keys_list"}) {
    CAPTURE(start);
    if (start == "/keys_list") expected.insert("/image?key_value=zebra");
    std::set<std::string> seen;
    std::string url = start;
    int pages = 0;
    while (!url.empty()) {
      const Reply page = it.backend.get(url);
      check_html(page);
      const std::vector<std::string> keys = links(page, "/image?");
      CHECK(keys.size() <= 50);
      CHECK(std::is_sorted(keys.begin(), keys.end()));
      seen.insert(keys.begin(), keys.end());
      ++pages;
      url = related(page, "next");
    }
    CHECK(pages == 3);
    CHECK(seen == expected);
  }
  std::string url_of_page;
  // A limit is kept from page to page.
  const Reply short_page = it.backend.get("/keys_list?limit=100");
  CHECK(links(short_page, "/image?").size() == 100);
  const std::string rest = related(short_page, "next");
  CHECK(rest.find("limit=100") != std::string::npos);
  const Reply last_page = it.backend.get(rest);
  CHECK(links(last_page, "/image?").size() == 21);
  CHECK(related(last_page, "next").empty());
  // And back: by the previous page, or from the end.
  CHECK(links(it.backend.get(related(last_page, "prev")), "/image?") ==
        links(short_page, "/image?"));
  std::vector<std::string> backwards;
  url_of_page = "/keys_list?last=1";
  while (!url_of_page.empty()) {
    const Reply page = it.backend.get(url_of_page);
    const std::vector<std::string> keys = links(page, "/image?");
    backwards.insert(backwards.begin(), keys.begin(), keys.end());
    url_of_page = related(page, "prev");
  }
  CHECK(backwards == std::vector<std::string>(expected.begin(), expected.end()));
  check_html(it.backend.get("/keys_list?limit=0"), 400);
  const Reply image = it.backend.get(*expected.begin());
  CHECK(image.status == 200);
  CHECK(image.body_has("paged &amp; key/1000"));
  CHECK(links(it.backend.get("/keys_list?prefix=paged%20%26%20key/1007"), "/image?").size() == 1);
  CHECK(
      links(it.backend.post("/keys_list", urlencoded({{"prefix", "nothing"}})), "/image?").empty());
  it.backend.post("/api/delete_all");
}

DEPLOYED_TEST_CASE("pages: the image page tells dimensions, time, when it was stored, and links") {
  Deployment& it = Where::deployment();
  const std::string key = "it's a/key";
  it.upload(key, png(300, 1));
  http::Headers headers;
  headers.add("Host", "images.example:8080");
  const Reply page =
      it.backend.request("GET", "/image?key_value=" + http::percent_encode(key), headers);
  check_html(page);
  CHECK(page.body_has("8 × 8 pixels"));
  CHECK(page.body_has("</span> in "));
  CHECK(page.body_has(">just now</time>"));
  CHECK_FALSE(page.body_has("First stored"));
  CHECK(page.body_has("value=\"http://images.example:8080/image?key_value=it%27s%20a%2Fkey\""));
  CHECK(page.body_has("value=\"http://images.example:8080/images/it%27s%20a/key\""));
  CHECK(page.body_has("value=\"curl -o image.png 'http://images.example:8080/images/"));
  it.query("UPDATE images SET created_at = '2001-02-03 04:05:06' WHERE `key` = 'it''s a/key'");
  CHECK(it.backend.get("/image?key=it%27s%20a%2Fkey").body_has("2001-02-03 04:05:06"));
  it.backend.post("/api/delete_all");
}

DEPLOYED_TEST_CASE("pages: the home page tells what is stored, and what came last") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  const Reply empty = it.backend.get("/");
  check_html(empty);
  CHECK(empty.body_has("<dt>Images stored</dt><dd>0</dd>"));
  CHECK(empty.body_has("Upload the first image"));
  for (int i = 0; i < 10; ++i) it.upload("home " + std::to_string(i), png(1024, 1));
  it.upload("home 4", png(2048, 1));
  // Two uploads may have the same millisecond.
  it.query("UPDATE images SET updated_at = updated_at - INTERVAL 1 HOUR WHERE `key` <> 'home 4'");
  const Reply page = it.backend.get("/");
  check_html(page);
  CHECK(page.body_has("<dt>Images stored</dt><dd>10</dd>"));
  CHECK(page.body_has("<dt>On disk</dt><dd>11.0 KB</dd>"));
  CHECK(page.body_has("Least Recently Used"));
  const std::vector<std::string> recent = links(page, "/image?");
  REQUIRE(recent.size() == 8);
  CHECK(recent.front() == "/image?key_value=home%204");
  CHECK(std::find(recent.begin(), recent.end(), "/image?key_value=home%200") == recent.end());
  it.backend.post("/api/delete_all");
}

DEPLOYED_TEST_CASE("pages: the keys page marks what is cached, and a look at it changes nothing") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  for (const char* key : {"marked", "plain"}) it.upload(key, png(300, 1));
  it.read("marked");
  const auto gets = it.stat("cmd_get");
  for (int i = 0; i < 2; ++i) {
    const Reply page = it.backend.get("/keys_list");
    check_html(page);
    const std::size_t mark = page.body.find(">cached<");
    REQUIRE(mark != std::string::npos);
    CHECK(mark > page.body.find(">marked<"));
    CHECK(mark < page.body.find(">plain<"));
    CHECK(page.body.find(">cached<", mark + 1) == std::string::npos);
    CHECK(page.body_has("2 images, 600 B"));
  }
  CHECK(it.stat("cmd_get") == gets);
  it.backend.post("/api/delete_all");
}

DEPLOYED_TEST_CASE("pages: a gallery shows pictures of fixed size, of what browsers can show") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  for (const Sample& sample : samples()) it.upload(std::string(sample.content_type), sample.bytes);
  const Reply page = it.backend.get("/keys_list?view=gallery");
  check_html(page);
  for (const Sample& sample : samples()) {
    CAPTURE(sample.content_type);
    const std::string picture = "<img src=\"/images/" + std::string(sample.content_type) +
                                "\" alt=\"\" loading=\"lazy\" decoding=\"async\" width=";
    CHECK(page.body_has(picture) == (sample.content_type != "image/tiff"));
  }
  for (int i = 0; i < 8; ++i) it.upload("more " + std::to_string(i), png(200, 1));
  const Reply full = it.backend.get("/keys_list?view=gallery&prefix=more");
  CHECK(related(full, "next").empty());
  it.upload("more of it", png(200, 1));
  const std::string next = related(it.backend.get("/keys_list?view=gallery&prefix=more"), "next");
  CHECK(next.find("view=gallery&prefix=more") != std::string::npos);
  it.backend.post("/api/delete_all");
}

DEPLOYED_TEST_CASE("pages: several images are deleted by one form, after it has asked") {
  Deployment& it = Where::deployment();
  it.backend.post("/api/delete_all");
  const std::string odd = "<b>\"odd\" & 'key'";
  for (const std::string& key : {std::string("a"), std::string("b"), std::string("c"), odd})
    it.upload(key, png(200, 1));
  const Reply asked = it.backend.post(
      "/delete_images", urlencoded({{"key", "b"}, {"key", odd}, {"key", "b"}, {"prefix", ""}}));
  check_html(asked);
  CHECK(asked.body_has("Delete 2 images?"));
  CHECK(asked.body_has("name=\"confirmed\""));
  CHECK(it.keys().size() == 4);
  const Reply done = it.backend.post("/delete_images", urlencoded({{"key", "b"},
                                                                   {"key", odd},
                                                                   {"key", "gone already"},
                                                                   {"after", "a"},
                                                                   {"confirmed", "1"}}));
  check_html(done);
  CHECK(done.body_has("2 images were deleted"));
  CHECK(links(done, "/image?") == std::vector<std::string>{"/image?key_value=c"});
  CHECK(it.keys() == Keys{"a", "c"});
  const Reply nothing = it.backend.post("/delete_images", urlencoded({{"prefix", "a"}}));
  check_html(nothing, 400);
  CHECK(nothing.body_has("Nothing was selected"));
  check_html(it.backend.get("/delete_images"), 405);
  // As many as a page can have, each as long as a key can be.
  Content selection{"application/x-www-form-urlencoded", "confirmed=1"};
  std::string key;
  for (int i = 0; i < 200; ++i) {
    key = std::to_string(1000 + i);
    while (key.size() + 4 <= 255) key += "\xf0\x9f\x90\xb1";
    selection.body += "&key=" + http::percent_encode(key);
  }
  it.upload(key, png(200, 1));
  CHECK(it.backend.post("/delete_images", selection).body_has("1 image was deleted"));
  it.backend.post("/api/delete_all");
}

DEPLOYED_TEST_CASE("bug: a <script> in a key is carried out by a page") {
  Deployment& it = Where::deployment();
  const std::string key = "<script>alert('1')</script>\"><img src=x onerror=alert(1)>{{key}}&";
  const std::string escaped = http::percent_encode(key);
  const std::string image = png(300, 8);
  const auto check_escaped = [&](const Reply& page, bool shows_key = true) {
    CAPTURE(page.body);
    CHECK_FALSE(page.body_has("<script>alert"));
    CHECK_FALSE(page.body_has("<img src=x"));
    CHECK_FALSE(page.body_has("onerror=alert(1)>"));
    if (shows_key) CHECK(page.body_has("&lt;script&gt;"));
  };
  check_escaped(it.backend.get("/image?key_value=" + escaped));  // not there
  check_escaped(it.backend.get("/upload_image?key=" + escaped));
  check_escaped(
      it.backend.post("/upload_image", Multipart().field("key", key).file("file", "no image")));
  check_escaped(
      it.backend.post("/upload_image", Multipart().field("key", key).file("file", image)));
  check_escaped(it.backend.get("/image?key_value=" + escaped));
  check_escaped(it.backend.get("/keys_list"));
  check_escaped(it.backend.get("/keys_list?prefix=" + escaped));
  check_escaped(it.backend.get("/keys_list?prefix=" + escaped + "x"));
  check_escaped(it.backend.get("/keys_list?after=" + escaped), false);
  check_escaped(it.backend.get("/keys_list?view=gallery"));
  check_escaped(it.backend.get("/delete_image?key=" + escaped));
  check_escaped(it.backend.post("/delete_images", urlencoded({{"key", key}})));
  check_escaped(it.backend.post("/delete_image", urlencoded({{"key", key}})));
  check_escaped(it.backend.post("/cache_properties",
                                urlencoded({{"max_capacity", key}, {"replacement_policy", key}})));
  check_escaped(it.backend.get("/"), false);
  for (const char* path : {"/cache_properties", "/cache_stats"})
    check_escaped(it.backend.get(path), false);
  check_escaped(it.backend.get("/" + escaped), false);
}

DEPLOYED_TEST_CASE("pages: cache properties are changed by the form and shown in force") {
  Deployment& it = Where::deployment();
  for (const Content& form :
       {urlencoded({{"max_capacity", "8"}, {"replacement_policy", "Random Replacement"}}),
        Content(Multipart()
                    .field("max_capacity", "8")
                    .field("replacement_policy", "Random Replacement"))}) {
    it.configure("100");
    const Reply saved = it.backend.post("/cache_properties", form);
    check_html(saved);
    CHECK(saved.body_has("Saved"));
    CHECK(it.stat("capacity_bytes") == 8 * 1'048'576);
  }
  const Reply page = it.backend.get("/cache_properties");
  CHECK(page.body_has("name=\"max_capacity\""));
  CHECK(page.body_has("value=\"8\""));
  CHECK(page.body_has("value=\"Random Replacement\" checked"));
  CHECK_FALSE(page.body_has("value=\"Least Recently Used\" checked"));
  CHECK(page.body_has("8.0 MB"));
  // Every name of a policy, and either field alone.
  struct Case {
    const char *policy, *in_force;
  };
  for (const Case& c :
       {Case{"Least Recently Used", "Least Recently Used"}, Case{"RR", "Random Replacement"},
        Case{"LRU", "Least Recently Used"}, Case{"random", "Random Replacement"},
        Case{"lru", "Least Recently Used"}, Case{"Random Replacement", "Random Replacement"}}) {
    CHECK(it.backend.post("/cache_properties", urlencoded({{"replacement_policy", c.policy}}))
              .status == 200);
    CHECK(it.cache.get("/stats").body_has(std::string("\"replacement\":\"") + c.in_force + "\""));
    CHECK(it.stat("capacity_bytes") == 8 * 1'048'576);
  }
  CHECK(it.backend.post("/cache_properties", urlencoded({{"max_capacity", "9"}})).status == 200);
  CHECK(it.stat("capacity_bytes") == 9 * 1'048'576);
  it.configure("100");
}

DEPLOYED_TEST_CASE("pages: a bad capacity or policy keeps the value, says why, changes nothing") {
  Deployment& it = Where::deployment();
  it.configure("100");
  const Database::Rows rows = it.query("SELECT COUNT(*) FROM cache_properties");
  for (const char* capacity : {"-1", "abc", "1e9", "1.5", "", "0x10", "10 MB", "+5", "999999999",
                               "99999999999999999999999999"}) {
    CAPTURE(capacity);
    const Reply page =
        it.backend.post("/cache_properties",
                        urlencoded({{"max_capacity", capacity}, {"replacement_policy", "RR"}}));
    check_html(page, 400);
    CHECK(page.body_has(std::string("value=\"") + capacity + "\""));
    CHECK(page.body_has("value=\"Random Replacement\" checked"));
    CHECK(page.body_has("id=\"max_capacity-error\""));
    CHECK((page.body_has("whole number of MB") || page.body_has("MB of memory")));
  }
  const Reply policy = it.backend.post(
      "/cache_properties", urlencoded({{"max_capacity", "5"}, {"replacement_policy", "FIFO"}}));
  check_html(policy, 400);
  CHECK(policy.body_has("id=\"replacement_policy-error\""));
  CHECK(policy.body_has("value=\"5\""));
  check_html(it.backend.post("/cache_properties"), 400);
  CHECK(it.query("SELECT COUNT(*) FROM cache_properties") == rows);
  CHECK(it.stat("capacity_bytes") == 100 * 1'048'576);
}

DEPLOYED_TEST_CASE("pages: what the cache service answers is shown, and what was changed when") {
  Deployment& it = Where::deployment();
  it.configure("100");
  it.query("DELETE FROM cache_properties");
  const Reply defaults = it.backend.get("/cache_properties");
  CHECK(defaults.body_has("Nothing was changed yet"));
  CHECK_FALSE(defaults.body_has("not in force"));

  it.backend.post("/cache_properties", urlencoded({{"max_capacity", "12"}}));
  const Reply saved =
      it.backend.post("/cache_properties", urlencoded({{"replacement_policy", "RR"}}));
  CHECK(saved.body_has("now answers: 12.0 MB, Random Replacement."));
  CHECK(
      saved.body_has("<td>12 MB, Random Replacement</td><td class=\"muted\">12 MB, Least "
                     "Recently Used</td>"));
  CHECK(
      saved.body_has("<td>12 MB, Least Recently Used</td><td class=\"muted\">100 MB, Least "
                     "Recently Used (the default)</td>"));

  // A row of somebody's own, which the cache service has not read.
  it.query(
      "INSERT INTO cache_properties (max_capacity, replacement_method, created_at) "
      "VALUES (13, 'lru', UTC_TIMESTAMP(3))");
  const Reply unread = it.backend.get("/cache_properties");
  CHECK(unread.body_has("12.0 MB"));
  CHECK(unread.body_has("The settings are not in force."));
  CHECK(unread.body_has("They say 13 MB"));
  CHECK(it.cache.get("/refresh_configuration").status == 200);
  CHECK_FALSE(it.backend.get("/cache_properties").body_has("not in force"));
  it.configure("100");
}

DEPLOYED_TEST_CASE("pages: of the changes of the cache's properties the last few are shown") {
  Deployment& it = Where::deployment();
  for (const char* capacity : {"1", "2", "3", "4", "5", "6", "7", "8", "9", "100"})
    it.configure(capacity);
  const Reply page = it.backend.get("/cache_properties");
  CHECK(page.body_has("<td>3 MB, "));
  CHECK(page.body_has("<td class=\"muted\">2 MB,"));
  CHECK_FALSE(page.body_has("<td>2 MB, "));
}

DEPLOYED_TEST_CASE("pages: without JavaScript, too, one is asked before the cache is cleared") {
  Deployment& it = Where::deployment();
  it.upload("page-asked", png(300, 9));
  it.read("page-asked");
  CHECK(it.backend.get("/cache_properties").body_has("name=\"confirm\" value=\"clear\""));
  const Reply question = it.backend.get("/cache_properties?confirm=clear");
  check_html(question);
  CHECK(question.body_has("Clear the cache?"));
  CHECK(question.body_has("name=\"clear_cache\""));
  CHECK_FALSE(question.body_has("<dialog"));
  CHECK_FALSE(it.cached_keys().empty());
}

DEPLOYED_TEST_CASE("pages: clear_cache with any value clears the cache and keeps the images") {
  Deployment& it = Where::deployment();
  const std::string image = png(300, 9);
  for (const char* value : {"1", "clear", "", "false"}) {
    CAPTURE(value);
    it.upload("page-cleared", image);
    it.read("page-cleared");
    CHECK_FALSE(it.cached_keys().empty());
    const Reply page = it.backend.post("/cache_properties", urlencoded({{"clear_cache", value}}));
    check_html(page);
    CHECK(page.body_has("was cleared"));
    CHECK(it.cached_keys().empty());
    CHECK(it.read("page-cleared") == image);
  }
}

DEPLOYED_TEST_CASE("pages: the statistics page has five charts and a table without JavaScript") {
  Deployment& it = Where::deployment();
  const Reply page = it.backend.get("/cache_stats");
  for (const char* series : {"items", "bytes", "requests_per_second", "hit_rate", "miss_rate"})
    CHECK(page.body_has(std::string("data-series=\"") + series + "\""));
  CHECK(page.body_has("<table>"));
}

DEPLOYED_TEST_CASE("pages: the statistics of ten minutes, an hour and a day, as page, JSON, CSV") {
  Deployment& it = Where::deployment();
  for (const char* window : {"10m", "1h", "24h"}) {
    CAPTURE(window);
    const std::string query = std::string("?window=") + window;
    const Reply page = it.backend.get("/cache_stats" + query);
    check_html(page);
    CHECK(page.body_has("href=\"/cache_stats" + query + "\" aria-current"));
    CHECK(page.body_has("data-source=\"/api/stats" + query + "\""));
    CHECK(page.body_has("href=\"/cache_stats.csv" + query + "\""));
    const Reply json = it.backend.get("/api/stats" + query);
    CHECK(json.status == 200);
    const Reply csv = it.backend.get("/cache_stats.csv" + query);
    CHECK(csv.status == 200);
    CHECK(csv.header("Content-Type") == "text/csv; charset=utf-8");
    CHECK(csv.header("Content-Disposition") ==
          std::string("attachment; filename=\"cache_stats-") + window + ".csv\"");
    CHECK(csv.body.starts_with("time,items,bytes,"));
    CHECK(std::count(csv.body.begin(), csv.body.end(), '\n') > 1);
  }
  CHECK(it.backend.get("/cache_stats").body_has("window=10m\" aria-current"));
  check_html(it.backend.get("/cache_stats?window=7d"), 400);
  check_html(it.backend.get("/cache_stats.csv?window=7d"), 400);
  CHECK(it.backend.get("/api/stats?window=7d").status == 400);
  // By POST parameters are in the body.
  CHECK(it.backend.post("/api/stats", urlencoded({{"window", "7d"}})).status == 400);
  CHECK(it.backend.post("/api/stats?window=7d").status == 200);
}

DEPLOYED_TEST_CASE("pages: the statistics say when settings were changed and the cache cleared") {
  Deployment& it = Where::deployment();
  it.configure("77");
  CHECK(it.cache.get("/clear_cache").status == 200);
  Reply json;
  eventually("both are in the statistics", [&] {
    json = it.backend.get("/api/stats");
    return json.body_has("\"capacity_bytes\":80740352") && json.body_has("\"event\":\"cleared\"");
  });
  CHECK(json.body_has(
      R"("event":"configured","capacity_mb":77,"replacement":"Least Recently Used")"));
  const Reply page = it.backend.get("/cache_stats");
  CHECK(page.body_has("the settings were changed to 77 MB, Least Recently Used"));
  CHECK(page.body_has("the cache was cleared"));
  it.configure("100");
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
