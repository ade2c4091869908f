// What the backend does while the cache service, a process of its own, is down,
// silent, slow, restarted, or while something else answers in its place.
//
// Images are read from disk then, in time, and soon without waiting; uploads and
// removals happen; and whatever the cache still holds when it is back, an image
// that was replaced or removed meanwhile is not served again.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/deployment.h"
#include "tests/e2e/fixture.h"
#include "tests/e2e/http_peer.h"
#include "tests/e2e/outage_checks.h"
#include "tests/e2e/relay.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

Server::Options cache_role() {
  Server::Options options;
  options.role = Server::Role::cache;
  return options;
}

// A backend whose way to its cache service can be spoilt.
struct RelayedCache {
  explicit RelayedCache(const std::string& backend_loops = "1")
      : service(cache_role()), relay(service.cache_port()), server(options(backend_loops)) {}

  Server::Options options(const std::string& backend_loops) const {
    Server::Options options;
    options.role = Server::Role::backend;
    options.cache_url = "http://127.0.0.1:" + std::to_string(relay.port());
    options.database = service.database();
    options.flags = {"--backend-loops", backend_loops};
    return options;
  }
  int put(const std::string& key, const std::string& image) {
    return backend.request("PUT", "/images/" + key, {}, image).status;
  }
  // Past the relay.
  bool is_cached(const std::string& key) {
    return cache.get("/get_from_memcache?key=" + key).status == 200;
  }

  Server service;
  Relay relay;
  Server server;
  HttpPeer backend{server.backend_port()};
  HttpPeer cache{service.cache_port()};
};

struct Nonsense {
  std::string name;
  std::string text;
  Relay::Then then = Relay::Then::keep;
};

std::string as_image(const std::string& body, const std::string& more_headers = {}) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n" + more_headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// What may answer on the cache service's port that is not the cache service.
std::vector<Nonsense> nonsense() {
  using Then = Relay::Then;
  const std::string page = "<html><body>Welcome to the hotel's network</body></html>";
  const std::string html =
      "Content-Type: text/html\r\nContent-Length: " + std::to_string(page.size()) + "\r\n\r\n" +
      page;
  std::string noise;
  for (int i = 0; i < 1'000; ++i) noise += static_cast<char>(i * 7 + i / 256);
  return {
      {"noise", noise},
      {"closes at once", "", Then::close},
      {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n"},
      {"less than it announces, and closes", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort",
       Then::close},
      {"less than it announces, and is silent",
       "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"},
      {"more than anybody takes", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"},
      {"a page of status 200", "HTTP/1.1 200 OK\r\n" + html},
      {"a page of status 404", "HTTP/1.1 404 Not Found\r\n" + html},
      {"a page of status 502", "HTTP/1.1 502 Bad Gateway\r\n" + html},
      {"nothing of status 200", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
      {"an image without a digest", as_image(png(1'000, 99))},
      {"an image with the digest of another",
       as_image(png(1'000, 99), "ETag: \"0123456789abcdef0123456789abcdef\"\r\n")},
      {"JSON", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
      {"a head without end", "HTTP/1.1 200 OK\r\nX-Filler: ", Then::repeat_for_ever},
      {"a body without end", "HTTP/1.1 200 OK\r\n\r\nbody and body and ", Then::repeat_for_ever},
      {"interim answers without end", "HTTP/1.1 100 Continue\r\n\r\n", Then::repeat_for_ever},
      {"an answer that drips", as_image(png(1'000, 99)), Then::drip},
  };
}

// Reads are right, from disk, in time; the second one waits for nobody.
void check_read_from_disk(HttpPeer& backend, const std::string& key, const std::string& image,
                          Longest& first, Longest& next) {
  for (Longest* longest : {&first, &next}) {
    const TimedReply read = timed(backend, "GET", "/images/" + key);
    CHECK(read.reply.status == 200);
    CHECK((read.reply.body == image));
    CHECK(read.reply.header("X-Cache") == "miss");
    CHECK(read.elapsed_ms < answer_ms_max());
    longest->add(read.elapsed_ms);
  }
}

// What a backend may keep that it had not before: a second connection to the cache
// or the database, for what went on in the background.
constexpr std::size_t kept_connections_max = 4;

// --- Something else answers ---------------------------------------------------------------------

// A page of status 200 used to be served as the image, and to count as a delivered
// invalidation; an answer that drips held its reader for as long as it dripped.
TEST_CASE("bug: whatever answers in place of the cache service is not believed") {
  RelayedCache it;
  std::uint64_t version = 0;
  Longest first("the first read when something else answers");
  Longest next("the next read");
  Longest upload("an upload");
  for (const Nonsense& fault : nonsense()) {
    CAPTURE(fault.name);
    const std::string old_image = png(1'000, ++version), new_image = png(1'000, ++version);
    CHECK(it.put("read", old_image) / 100 == 2);
    CHECK(it.put("replaced", old_image) / 100 == 2);
    read_until_cached(it.backend, "read", old_image);
    read_until_cached(it.backend, "replaced", old_image);
    it.relay.spoil(Relay::answer(fault.text, fault.then));
    check_read_from_disk(it.backend, "read", old_image, first, next);
    const TimedReply put = timed(it.backend, "PUT", "/images/replaced", {"image/png", new_image});
    CHECK(put.reply.status == 200);
    CHECK(put.elapsed_ms < answer_ms_max());
    upload.add(put.elapsed_ms);
    CHECK(it.backend.get("/images/replaced").body == new_image);
    const Reply ready = it.backend.get("/readyz");
    CHECK(ready.status == 503);
    CHECK(ready.body_has("cache: "));
    CHECK(it.is_cached("replaced"));  // the old image: nobody has told the cache
    it.relay.heal();
    read_until_cached(it.backend, "replaced", new_image);
    read_until_cached(it.backend, "read", old_image);
  }
}

TEST_CASE("bug: a cache elsewhere is bounded by the memory of the backend's machine") {
  RelayedCache it;
  const std::string stats = it.cache.get("/stats").body;
  const std::string_view member = "\"machine_memory_bytes\":";
  const std::size_t begin = stats.find(member);
  REQUIRE(begin != std::string::npos);
  const std::size_t end = stats.find(',', begin);
  const auto page_when = [&](const std::string& answer, const std::string& capacity_mb) {
    it.relay.spoil(Relay::answer("HTTP/1.1 200 OK\r\nContent-Length: " +
                                 std::to_string(answer.size()) + "\r\n\r\n" + answer));
    return it.backend.post("/cache_properties", urlencoded({{"max_capacity", capacity_mb}}));
  };
  const std::string small =
      stats.substr(0, begin) + std::string(member) + std::to_string(512u << 20) + stats.substr(end);
  const Reply refused = page_when(small, "513");
  CHECK(refused.status == 400);
  CHECK(refused.body_has("The cache's machine has 512 MB of memory"));
  // Saved; that the refresh is no "OK" is another matter.
  CHECK(page_when(small, "512").status == 503);
  const std::string silent = stats.substr(0, begin) + stats.substr(end + 1);
  const Reply unknown = page_when(silent, "99999999");
  CHECK(unknown.status == 503);
  CHECK_FALSE(unknown.body_has("MB of memory"));
}

TEST_CASE("bug: with a tiny --max-upload the cache elsewhere counts as out of reach") {
  Server::Options cache_options = cache_role();
  cache_options.flags = {"--max-upload", "100"};
  const Server service(cache_options);
  Server::Options options = cache_options;
  options.role = Server::Role::backend;
  options.cache_url = service.cache_url();
  options.database = service.database();
  const Server server(options);
  HttpPeer backend(server.backend_port());
  const std::string image = "GIF89a " + std::string(80, '.');
  for (const char* key : {"cat", "a key that is rather long as keys go", "another of those keys"}) {
    CHECK(backend.request("PUT", path_of("/images/", key), {}, image).status == 201);
    read_until_cached(backend, key, image);
  }
  const Reply properties = backend.get("/cache_properties");
  CHECK(properties.body_has("MB of memory"));
  CHECK(properties.body_has("In force now, as the cache service answers"));
  CHECK_FALSE(backend.get("/keys_list").body_has("can't be reached"));
  CHECK(backend.get("/readyz").status == 200);
}

TEST_CASE("a backend that starts while something else answers serves nothing stale") {
  RelayedCache it;
  const std::string old_image = png(1'000, 1), new_image = png(1'000, 2);
  CHECK(it.put("cat", old_image) == 201);
  read_until_cached(it.backend, "cat", old_image);
  it.relay.spoil(Relay::answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"));
  CHECK(it.put("cat", new_image) == 200);
  it.backend.disconnect();
  it.server.kill9();  // what it had to tell the cache is lost
  it.server.restart();
  CHECK(it.backend.get("/images/cat").body == new_image);
  CHECK(it.is_cached("cat"));
  it.relay.heal();
  read_until_cached(it.backend, "cat", new_image);
}

TEST_CASE("a connection to the cache that ends or turns to noise in the middle of an answer") {
  RelayedCache it;
  std::uint64_t version = 1;
  std::string image = png(3'000, version);
  CHECK(it.put("cat", image) == 201);
  read_until_cached(it.backend, "cat", image);
  it.relay.heal();
  CHECK(it.backend.get("/images/cat").header("X-Cache") == "hit");
  const std::size_t answer = it.relay.server_bytes();
  for (const bool is_noise : {false, true}) {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{20},
                                    std::size_t{150}, answer / 2, answer - 1}) {
      CAPTURE(is_noise);
      CAPTURE(bytes);
      it.relay.spoil(is_noise ? Relay::garble_after(bytes) : Relay::cut_after(bytes));
      const TimedReply read = timed(it.backend, "GET", "/images/cat");
      CHECK(read.reply.status == 200);
      CHECK((read.reply.body == image));
      CHECK(read.reply.header("X-Cache") == "miss");
      CHECK(read.elapsed_ms < answer_ms_max());
      image = png(3'000, ++version);
      CHECK(it.put("cat", image) == 200);
      CHECK((it.backend.get("/images/cat").body == image));
      it.relay.heal();
      read_until_cached(it.backend, "cat", image);
    }
  }
}

// --- It is slow, or swallowed -------------------------------------------------------------------

TEST_CASE("a slow cache service delays reads within a bound") {
  RelayedCache it;
  const std::string image = png(1'000, 1);
  CHECK(it.put("cat", image) == 201);
  read_until_cached(it.backend, "cat", image);
  it.relay.spoil(Relay::delay(600));
  Longest hit("a hit of a cache that takes 600 ms");
  const TimedReply read = timed(it.backend, "GET", "/images/cat");
  CHECK(read.reply.header("X-Cache") == "hit");
  CHECK((read.reply.body == image));
  CHECK(read.elapsed_ms >= 500);
  CHECK(read.elapsed_ms < answer_ms_max());
  hit.add(read.elapsed_ms);
  CHECK(it.put("cat", png(1'000, 2)) == 200);
  CHECK((it.backend.get("/images/cat").body == png(1'000, 2)));
  it.relay.spoil(Relay::delay(10'000));
  Longest first("the first read from a cache that takes 10 s"), next("the next read");
  check_read_from_disk(it.backend, "cat", png(1'000, 2), first, next);
  it.relay.heal();
  read_until_cached(it.backend, "cat", png(1'000, 2));
}

TEST_CASE("a network that swallows everything between backend and cache service") {
  RelayedCache it;
  const std::string old_image = png(1'000, 1), new_image = png(1'000, 2);
  CHECK(it.put("read", old_image) == 201);
  CHECK(it.put("replaced", old_image) == 201);
  read_until_cached(it.backend, "read", old_image);
  read_until_cached(it.backend, "replaced", old_image);
  CHECK(it.is_cached("replaced"));
  const std::size_t held = descriptors(it.server);
  const std::size_t held_by_cache = descriptors(it.service);
  it.relay.spoil(Relay::swallow());
  Longest first("the first read when the network swallows"), next("the next read");
  check_read_from_disk(it.backend, "read", old_image, first, next);
  CHECK(it.put("replaced", new_image) == 200);
  CHECK(it.is_cached("replaced"));
  it.relay.heal();  // and what it swallowed comes through
  read_until_cached(it.backend, "replaced", new_image);
  read_until_cached(it.backend, "read", old_image);
  eventually("nothing is held that was not before", [&] {
    return descriptors(it.server) <= held + kept_connections_max &&
           descriptors(it.service) <= held_by_cache + kept_connections_max;
  });
}

// The loops of a backend have a way to the cache each, and only one of them has met the fault.
TEST_CASE("all loops go around a cache that has not heard of a write") {
  RelayedCache it("3");
  const std::string old_image = png(1'000, 1), new_image = png(1'000, 2);
  CHECK(it.put("replaced", old_image) == 201);
  read_until_cached(it.backend, "replaced", old_image);
  std::vector<std::unique_ptr<HttpPeer>> readers;
  for (int i = 0; i < 24; ++i) {
    readers.push_back(std::make_unique<HttpPeer>(it.server.backend_port()));
    CHECK(readers.back()->get("/images/replaced").header("X-Cache") == "hit");
  }
  it.relay.spoil(Relay::answer("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"));
  CHECK(it.put("replaced", new_image) == 200);
  const auto undelivered = [&] {
    return sample(it.backend.get("/metrics"), "imgcached_undelivered_invalidations");
  };
  CHECK(it.is_cached("replaced"));
  CHECK(undelivered() == 1);
  it.relay.heal();
  // The cache has the old one until it is told once more, in half a second.
  do {
    for (const auto& reader : readers) {
      const Reply reply = reader->get("/images/replaced");
      CHECK(reply.status == 200);
      REQUIRE((reply.body == new_image));
    }
  } while (undelivered() != 0);
  read_until_cached(it.backend, "replaced", new_image);
}

// While the service is silent one reader at a time finds out whether it still is.
TEST_CASE("bug: not every reader waits for a cache service that is known to be silent") {
  RelayedCache it;
  const std::string image = png(1'000, 1);
  CHECK(it.put("cat", image) == 201);
  read_until_cached(it.backend, "cat", image);
  it.relay.spoil(Relay::swallow());
  CHECK(it.backend.get("/images/cat").status == 200);  // now it is known
  // Whoever comes when half a second has passed tries again, for a second.
  HttpPeer trier(it.server.backend_port());
  Longest others("a read while another one tries a silent cache");
  bool has_tried = false;
  eventually("one tries again", [&] {
    send(trier, "GET", "/images/cat");
    const TimedReply read = timed(it.backend, "GET", "/images/cat");
    const Stopwatch watch;
    REQUIRE(trier.receive().has_value());
    has_tried = watch.elapsed_ms() > 400;
    if (has_tried) CHECK(read.elapsed_ms < 400);
    if (has_tried) others.add(read.elapsed_ms);
    return has_tried;
  });
  it.relay.heal();
  read_until_cached(it.backend, "cat", image);
}

// --- It is down, frozen, restarted --------------------------------------------------------------

TEST_CASE("without the cache service images are read from disk and uploaded") {
  Deployment& it = TwoProcesses::deployment();
  const std::string images[] = {png(20'000, 1), png(20'000, 2), png(20'000, 3)};
  it.upload("kept", images[0]);
  it.upload("replaced", images[0]);
  read_until_cached(it.backend, "kept", images[0]);
  read_until_cached(it.backend, "replaced", images[0]);
  const std::size_t held = descriptors(it.backend_server());
  const std::size_t lines_before = log_lines(it.backend_server());

  const auto use_it = [&](const std::string& state) {
    Longest first("the first read from a cache service " + state), next("the next read");
    check_read_from_disk(it.backend, "kept", images[0], first, next);
    for (const int i : {1, 2}) {
      const TimedReply put = timed(it.backend, "PUT", "/images/replaced", {"image/png", images[i]});
      CHECK(put.reply.status == 200);
      CHECK(put.elapsed_ms < answer_ms_max());
      CHECK(it.read("replaced") == images[i]);
    }
    CHECK(it.backend.get("/readyz").status == 503);
    for (int i = 0; i < 50; ++i) it.upload("another " + std::to_string(i), images[0]);
  };
  SUBCASE("killed") {
    it.cache_server().kill9();
    use_it("killed");
    it.cache.disconnect();
    it.cache_server().restart();
  }
  SUBCASE("frozen") {
    const Frozen frozen(it.cache_server());
    use_it("frozen");
  }
  Longest recovery("the first hit after the cache service is back");
  const Stopwatch watch;
  read_until_cached(it.backend, "replaced", images[2]);
  recovery.add(watch.elapsed_ms());
  CHECK(watch.elapsed_ms() < answer_ms_max());
  read_until_cached(it.backend, "kept", images[0]);
  eventually("it is ready", [&] { return it.backend.get("/readyz").status == 200; });
  eventually("no descriptor is left over",
             [&] { return descriptors(it.backend_server()) <= held + kept_connections_max; });
  CHECK(log_lines(it.backend_server()) - lines_before < 15);
}

TEST_CASE("many readers at once are not queued behind a cache service that is silent") {
  Deployment& it = TwoProcesses::deployment();
  it.upload("wanted", png(1'000, 1));
  read_until_cached(it.backend, "wanted", png(1'000, 1));
  const Frozen frozen(it.cache_server());
  std::vector<std::unique_ptr<HttpPeer>> readers;
  const Stopwatch watch;
  for (int i = 0; i < 200; ++i) {
    readers.push_back(std::make_unique<HttpPeer>(it.backend_server().backend_port()));
    send(*readers.back(), "GET", "/images/wanted");
  }
  for (const auto& reader : readers) {
    const std::optional<Reply> reply = reader->receive();
    REQUIRE(reply.has_value());
    CHECK((reply->body == png(1'000, 1)));
  }
  CHECK(watch.elapsed_ms() < answer_ms_max());
}

TEST_CASE("a removal that a frozen cache service did not hear of is a removal") {
  Deployment& it = TwoProcesses::deployment();
  it.upload("removed", png(1'000, 1));
  read_until_cached(it.backend, "removed", png(1'000, 1));
  {
    const Frozen frozen(it.cache_server());
    CHECK(it.backend.request("DELETE", "/images/removed").status == 204);
    CHECK(it.backend.get("/images/removed").status == 404);
  }
  CHECK(it.backend.get("/images/removed").status == 404);
  eventually("the cache has forgotten it", [&] {
    CHECK(it.backend.get("/images/removed").status == 404);
    return it.cache.get("/get_from_memcache?key=removed").status == 404;
  });
}

TEST_CASE("a backend killed between commit and invalidation serves nothing stale afterwards") {
  Deployment& it = TwoProcesses::deployment();
  const std::string old_image = png(5'000, 1);
  const std::string new_image = png(5'000, 2);
  it.upload("crashed", old_image);
  read_until_cached(it.backend, "crashed", old_image);
  it.query("CREATE TRIGGER slow BEFORE UPDATE ON images FOR EACH ROW SET @slept = SLEEP(1.5)");
  send(it.backend, "PUT", "/images/crashed", new_image);
  eventually("the upload is being committed", [&] {
    return it.query(
               "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() "
               "AND info LIKE '%SLEEP(1.5)%' AND id <> CONNECTION_ID()") == Database::Rows{{"1"}};
  });
  it.backend_server().kill9();
  // The cache lives on with the old image; the database still commits the new one.
  CHECK(it.cache.get("/get_from_memcache?key=crashed").status == 200);
  it.backend.disconnect();
  it.backend_server().restart();
  read_until_cached(it.backend, "crashed", new_image);
  it.query("DROP TRIGGER slow");
}

END_OF_DEPLOYMENTS

}  // namespace
}  // namespace imgcached::e2e
