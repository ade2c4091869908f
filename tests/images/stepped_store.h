// Stepped store: image stores on a real disk, a real database and a real cache
// service behind either transport, in which a test decides when each step begins.
//
// The seams are the three things an ImageStore stands on: SteppedTable, SteppedBlobs
// and SteppedCache do what their bases do, but park (interleaving.h) before each
// step, and where the answer's arrival makes the store change its own memory,
// before the arrival too:
//
//     step                     touches                  then parks before its arrival
//     start of a read          unheard (reads), and flights
//                              if the read bypasses the cache
//     cache get                the cache                unless it is a hit: flights
//     row find                 the row (reads)          if there is none: flights
//     row insert, replace,     the row                  if done: flights
//         remove
//     file read                the file (reads)         without a lease: flights
//     cache put                the cache                flights
//     cache invalidate         the cache                if it failed, or settles: unheard
//     file remove              the file
//
// "Flights" are the store's fetches under way, "unheard" its keys whose invalidation
// is due. Everything else that a store does between two steps, it does with what is
// the operation's own; so this order of steps is all that can differ. A file comes
// into being before its operation's first step: nobody knows of it before the row.
//
// In an execution with a restart of the cache service, the arrival of each of its
// answers is a step, since it may be lost: on the wire, which restarts write. In one
// in which the backend is killed, all of the backend's steps need its process.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/cache_api.h"
#include "cache/cache_service.h"
#include "cache/http_cache_client.h"
#include "cache/local_cache_client.h"
#include "http/router.h"
#include "http/server.h"
#include "images/image_store.h"
#include "net/mailbox.h"
#include "tests/db/database_fixture.h"
#include "tests/e2e/fixture.h"
#include "tests/images/interleaving.h"

namespace imgcached::images::test {

using imgcached::test::actors_max;
using imgcached::test::Footprint;
using imgcached::test::Schedule;

// The objects of footprints.
namespace object {
constexpr std::uint32_t row = 1u << 0;
constexpr std::uint32_t cache = 1u << 1;  // entries, leases and configuration
constexpr std::uint32_t wire = 1u << 2;
constexpr std::uint32_t process = 1u << 3;
constexpr std::uint32_t flights = 1u << 4;  // of the first backend; of the second, 2 bits on
constexpr std::uint32_t unheard = 1u << 5;
constexpr std::uint32_t first_file = 1u << 8;
constexpr std::size_t files = 24;  // beyond, several share an object
}  // namespace object

constexpr Footprint reading(std::uint32_t objects) { return {objects, 0}; }
constexpr Footprint writing(std::uint32_t objects) { return {0, objects}; }

enum class Transport { in_process, http };

// A cache service that can be restarted, and the way to it.
class CacheHost {
 public:
  static constexpr std::uint64_t capacity_bytes = 1'048'576;  // what the table says at first

  CacheHost(db::test::DatabaseFixture& fixture, Transport transport);

  Transport transport() const { return transport_; }
  cache::CacheService& service() { return *service_; }
  cache::CacheClient& client() { return *client_; }

  // A new service in the place of the old one: empty, with leases of its own, on
  // the same port. REQUIRES: no call under way.
  Task<void> restart();
  // Has a new configuration come into force.
  Task<void> configure(std::uint64_t capacity_mb, cache::Replacement replacement);
  Task<void> close();

 private:
  struct Door {
    Door(net::Loop& loop, cache::CacheService& service);

    http::Router router;
    cache::CacheApi api;
    http::Server server;
  };

  void open_door();
  Task<void> close_door();

  db::test::DatabaseFixture& fixture_;
  const Transport transport_;
  std::optional<cache::CacheService> service_;
  net::Mailbox here_;
  net::Mailbox there_;
  Gate gate_;
  std::optional<Door> door_;
  net::SocketAddress address_;
  std::optional<cache::HttpCacheClient> http_client_;
  std::optional<cache::LocalCacheClient> local_client_;
  cache::CacheClient* client_ = nullptr;
};

// What becomes of the invalidation that an operation sends.
enum class Delivery {
  heard,
  unheard,     // it never arrives
  unanswered,  // it arrives, its answer does not
};

// One process that runs an image store, as the steps see it.
struct Seat {
  std::size_t settler = 0;  // the actor of the store's background work
  std::uint32_t flights = object::flights;
  std::uint32_t unheard = object::unheard;
  bool is_dead = false;
};

// A change of a row, in the order in which they were made.
struct Change {
  std::size_t actor = 0;
  std::string key;
  std::string location;  // empty: removed
  std::string etag;
};

// A call of the cache that is under way.
struct Call {
  std::size_t actor;
  Footprint if_lost;  // what the arrival of a failure touches
  bool is_carried_out = false;
  bool is_lost = false;
};

// What all of the decorators share.
class Stage {
 public:
  explicit Stage(net::Loop& loop) : loop_(loop) {}

  // Begins anew: operations of other backends and files of old are forgotten.
  void reset();

  Schedule schedule;
  bool is_stepping = false;     // else nothing parks
  bool loses_answers = false;   // a restart may come
  bool is_distrustful = false;  // every step is taken to conflict with every other
  bool is_mortal = false;       // a kill may come
  std::vector<Change> changes;
  std::array<Delivery, actors_max> deliveries{};

  // An operation runs from here, until it parks, and then as often as it is released.
  void enter(std::size_t actor, Seat& seat);
  void leave(std::size_t actor);
  void release(std::size_t actor);
  // The actor whose step is being taken, or else the store's background work.
  std::size_t caller(const Seat& seat) const;
  Seat& seat_of_caller() { return *seats_[*current_]; }
  bool is_of(std::size_t actor, const Seat& seat) const { return seats_[actor] == &seat; }
  std::size_t caller() const { return *current_; }

  // Real work that is under way; the execution waits for it.
  struct Work {
    explicit Work(Stage& owner) : stage(owner) { ++stage.moving_; }
    ~Work() { --stage.moving_; }
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;
    Stage& stage;
  };
  bool is_moving() const { return moving_ > 0 || loop_.live_jobs() > 0; }

  // Parks, if this is stepped. False: the process has died meanwhile.
  Task<bool> pause(Seat& seat, std::size_t actor, std::string name, Footprint footprint);

  // What it is taken for in this execution.
  Footprint effective(Footprint footprint) const;
  Footprint file(const std::string& location);  // as an object, to read

  void add(Call& call) { calls_.push_back(&call); }
  void drop(Call& call) { std::erase(calls_, &call); }
  // The cache service goes: the answers on their way are lost, and with them the
  // calls that have not arrived if `calls_too`.
  void lose_answers(bool calls_too);
  // Ends all that the process of `seat` has under way, without a trace.
  void kill(Seat& seat);

  std::array<std::uint64_t, actors_max> leases{};  // that an actor's miss was given
  std::array<std::string, actors_max> titles;      // what the actor does

 private:
  net::Loop& loop_;
  std::size_t moving_ = 0;
  std::optional<std::size_t> current_;
  std::array<Seat*, actors_max> seats_{};
  std::vector<Call*> calls_;
  std::map<std::string, std::size_t> files_;
};

class SteppedTable : public db::ImageTable {
 public:
  SteppedTable(Stage& stage, Seat& seat, db::Pool& pool)
      : ImageTable(pool), stage_(stage), seat_(seat) {}

  Task<Result<std::optional<db::ImageRow>>> find(std::string key, db::Read read) override;
  Task<Result<bool>> insert_if_absent(db::ImageRow row) override;
  Task<Result<bool>> replace_if(std::string key, std::string old_location,
                                db::ImageRow row) override;
  Task<Result<bool>> remove_if(std::string key, std::string location) override;

 private:
  Task<Result<bool>> change(std::string name, Change change, Task<Result<bool>> statement);

  Stage& stage_;
  Seat& seat_;
};

class SteppedBlobs : public BlobStore {
 public:
  SteppedBlobs(Stage& stage, BlobStore opened) : BlobStore(std::move(opened)), stage_(stage) {}

  Task<Result<Blob>> read(std::string location) override;
  Task<Result<void>> remove(std::vector<std::string> locations) override;

 private:
  Stage& stage_;
};

class SteppedCache : public cache::CacheClient {
 public:
  SteppedCache(Stage& stage, Seat& seat, cache::CacheClient& client)
      : stage_(stage), seat_(seat), client_(client) {}

  Task<Result<cache::Lookup>> get(std::string_view key) override;
  Task<Result<cache::PutOutcome>> put(std::string key, Blob blob, std::uint64_t lease) override;
  Task<Result<void>> invalidate(std::string key) override;
  Task<Result<void>> clear() override { return client_.clear(); }  // no step: recover() only
  Task<Result<void>> refresh_configuration() override { return client_.refresh_configuration(); }
  Task<Result<std::vector<std::string>>> cached_of(std::vector<std::string> keys) override {
    return client_.cached_of(std::move(keys));
  }
  Task<Result<cache::Stats>> stats() override { return client_.stats(); }
  Task<Result<void>> ping() override { return client_.ping(); }

 private:
  // Whether the call arrives, and whether its answer does.
  Task<bool> send(Call& call, std::string name);
  Task<bool> receive(Call& call, std::string name, Footprint footprint);

  Stage& stage_;
  Seat& seat_;
  cache::CacheClient& client_;
};

// One backend: an image store and its seams.
struct SteppedBackend {
  SteppedBackend(Stage& stage, db::test::DatabaseFixture& fixture, SteppedBlobs& blobs,
                 CacheHost& host, Seat where);

  // Whether the background has something to do and is not parked.
  bool is_moving(const Stage& stage) const {
    return store.has_open_writes() && !stage.schedule.is_parked(seat.settler);
  }

  Seat seat;
  SteppedTable table;
  SteppedCache cache;
  ImageStore store;
};

}  // namespace imgcached::images::test
