#include "tests/images/stepped_store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "cache/eviction_policy.h"
#include "db/cache_properties_table.h"
#include "tests/net/run_task.h"
#include "tests/net/stream_pair.h"

namespace imgcached::images::test {
namespace {

constexpr std::uint64_t value_bytes_max = 2 * CacheHost::capacity_bytes;

Error lost() { return Error{Errc::unavailable, "the answer was lost, by order of a test"}; }
Error dead() { return Error{Errc::closed, "the process was killed, by order of a test"}; }

SettlingTimes at_once() {
  SettlingTimes times;
  times.retry_interval_ms = 0;
  times.count_interval_ms = imgcached::test::forever_ms;  // it holds writes, by the clock
  return times;
}

}  // namespace

// --- CacheHost ----------------------------------------------------------------------------------

CacheHost::Door::Door(net::Loop& loop, cache::CacheService& service)
    : api(service, value_bytes_max), server(loop, router, cache::CacheApi::render_error, {}) {
  api.add_routes(router);
}

CacheHost::CacheHost(db::test::DatabaseFixture& fixture, Transport transport)
    : fixture_(fixture), transport_(transport), here_(fixture.loop), there_(fixture.loop) {
  service_.emplace(fixture.loop, fixture.pool);
  fixture.run(configure(capacity_bytes / 1'048'576, cache::Replacement::lru));
  if (transport_ == Transport::in_process) {
    local_client_.emplace(*service_, there_, gate_, here_);
    client_ = &*local_client_;
    return;
  }
  address_ = imgcached::test::loopback(fixture.loop);
  open_door();
  const net::Address address = door_->server.address();
  address_ = fixture.run(net::resolve(fixture.loop, address)).value().front();  // now with its port
  http_client_.emplace(fixture.loop, address, value_bytes_max);
  client_ = &*http_client_;
}

void CacheHost::open_door() {
  door_.emplace(fixture_.loop, *service_);
  const Result<void> listening = door_->server.listen(address_);
  CHECK_MESSAGE(listening.ok(), listening.error().message);
}

Task<void> CacheHost::close_door() {
  if (!door_) co_return;
  co_await door_->server.drain(0);
  door_.reset();
}

Task<void> CacheHost::restart() {
  co_await close_door();
  co_await service_->close();
  service_.emplace(fixture_.loop, fixture_.pool);
  Result<void> configured = co_await service_->refresh_configuration();
  CHECK(configured.ok());
  if (transport_ == Transport::http) open_door();
}

Task<void> CacheHost::configure(std::uint64_t capacity_mb, cache::Replacement replacement) {
  db::CachePropertiesTable table(fixture_.pool);
  std::string method(cache::to_string(replacement));
  Result<void> appended = co_await table.append(capacity_mb, std::move(method), unix_ms());
  CHECK(appended.ok());
  Result<void> refreshed;
  if (client_) {
    refreshed = co_await client_->refresh_configuration();
  } else {
    refreshed = co_await service_->refresh_configuration();
  }
  CHECK(refreshed.ok());
}

Task<void> CacheHost::close() {
  if (http_client_) http_client_->close();
  co_await close_door();
  co_await service_->close();
  here_.close();
  there_.close();
}

// --- Stage --------------------------------------------------------------------------------------

void Stage::reset() {
  changes.clear();
  deliveries = {};
  leases = {};
  files_.clear();
  current_.reset();
}

void Stage::enter(std::size_t actor, Seat& seat) {
  current_ = actor;
  seats_[actor] = &seat;
  leases[actor] = 0;
}

void Stage::leave(std::size_t actor) {
  seats_[actor] = nullptr;
  if (current_ == actor) current_.reset();
}

void Stage::release(std::size_t actor) {
  current_ = actor;
  schedule.release(actor);
}

// The background wakes up by itself, while the one whose turn it is has parked or ended.
std::size_t Stage::caller(const Seat& seat) const {
  return current_ && !schedule.is_parked(*current_) ? *current_ : seat.settler;
}

Task<bool> Stage::pause(Seat& seat, std::size_t actor, std::string name, Footprint footprint) {
  if (seat.is_dead) co_return false;
  if (!is_stepping) co_return true;
  Schedule::Park park = schedule.step(actor, titles[actor] + ": " + name, effective(footprint));
  co_await park;
  co_return !seat.is_dead;
}

Footprint Stage::effective(Footprint footprint) const {
  if (is_distrustful) return writing(~0u);
  if (is_mortal) footprint.reads |= object::process;
  return footprint;
}

Footprint Stage::file(const std::string& location) {
  const std::size_t number = files_.emplace(location, files_.size()).first->second;
  return reading(object::first_file << (number % object::files));
}

void Stage::lose_answers(bool calls_too) {
  for (Call* call : calls_) {
    if (!call->is_carried_out && !calls_too) continue;
    call->is_lost = true;
    // Still on the wire: what has lost it comes before what it does now.
    schedule.change(call->actor, effective(call->if_lost | reading(object::wire)));
  }
}

void Stage::kill(Seat& seat) {
  const std::optional<std::size_t> killer = current_;
  seat.is_dead = true;
  for (std::size_t actor = 0; actor < actors_max; ++actor) {
    const bool dies = actor == seat.settler || is_of(actor, seat);
    if (dies && schedule.is_parked(actor)) release(actor);
  }
  current_ = killer;
}

// --- The seams ----------------------------------------------------------------------------------

Task<Result<std::optional<db::ImageRow>>> SteppedTable::find(std::string key, db::Read read) {
  const std::size_t actor = stage_.caller(seat_);
  bool lives = co_await stage_.pause(seat_, actor, "row find", reading(object::row));
  if (!lives) co_return dead();
  std::optional<Stage::Work> work(std::in_place, stage_);
  Task<Result<std::optional<db::ImageRow>>> finding = ImageTable::find(std::move(key), read);
  Result<std::optional<db::ImageRow>> row = co_await std::move(finding);
  work.reset();
  if (row && !*row) {
    lives = co_await stage_.pause(seat_, actor, "no row", writing(seat_.flights));
    if (!lives) co_return dead();
  }
  co_return row;
}

Task<Result<bool>> SteppedTable::insert_if_absent(db::ImageRow row) {
  Change made{stage_.caller(seat_), row.key, row.location, row.etag};
  return change("row insert", std::move(made), ImageTable::insert_if_absent(std::move(row)));
}

Task<Result<bool>> SteppedTable::replace_if(std::string key, std::string old_location,
                                            db::ImageRow row) {
  Change made{stage_.caller(seat_), key, row.location, row.etag};
  return change("row replace", std::move(made),
                ImageTable::replace_if(std::move(key), std::move(old_location), std::move(row)));
}

Task<Result<bool>> SteppedTable::remove_if(std::string key, std::string location) {
  Change made{stage_.caller(seat_), key, "", ""};
  return change("row remove", std::move(made),
                ImageTable::remove_if(std::move(key), std::move(location)));
}

Task<Result<bool>> SteppedTable::change(std::string name, Change change,
                                        Task<Result<bool>> statement) {
  const std::size_t actor = change.actor;
  if (!change.location.empty()) static_cast<void>(stage_.file(change.location));
  bool lives = co_await stage_.pause(seat_, actor, name, writing(object::row));
  if (!lives) co_return dead();
  std::optional<Stage::Work> work(std::in_place, stage_);
  Result<bool> changed = co_await std::move(statement);
  work.reset();
  if (!changed || !*changed) co_return changed;
  stage_.changes.push_back(std::move(change));
  lives = co_await stage_.pause(seat_, actor, name + " done", writing(seat_.flights));
  if (!lives) co_return dead();
  co_return changed;
}

Task<Result<Blob>> SteppedBlobs::read(std::string location) {
  if (!stage_.is_stepping) co_return co_await BlobStore::read(std::move(location));
  Seat& seat = stage_.seat_of_caller();
  const std::size_t actor = stage_.caller();
  bool lives = co_await stage_.pause(seat, actor, "file read", stage_.file(location));
  if (!lives) co_return dead();
  Task<Result<Blob>> reading = BlobStore::read(std::move(location));
  Result<Blob> blob = co_await std::move(reading);
  if (blob && stage_.leases[actor] == 0) {
    lives = co_await stage_.pause(seat, actor, "file read done", writing(seat.flights));
    if (!lives) co_return dead();
  }
  co_return blob;
}

Task<Result<void>> SteppedBlobs::remove(std::vector<std::string> locations) {
  if (!stage_.is_stepping) co_return co_await BlobStore::remove(std::move(locations));
  Seat& seat = stage_.seat_of_caller();
  Footprint files;
  for (const std::string& location : locations) files.writes |= stage_.file(location).reads;
  const bool lives = co_await stage_.pause(seat, stage_.caller(), "file remove", files);
  if (!lives) co_return dead();
  Task<Result<void>> removing = BlobStore::remove(std::move(locations));
  Result<void> removed = co_await std::move(removing);
  co_return removed;
}

Task<bool> SteppedCache::send(Call& call, std::string name) {
  stage_.add(call);
  Footprint footprint = writing(object::cache);
  if (stage_.loses_answers) footprint.reads |= object::wire;
  const bool lives = co_await stage_.pause(seat_, call.actor, std::move(name), footprint);
  call.is_carried_out = !call.is_lost;
  co_return lives && !call.is_lost;
}

Task<bool> SteppedCache::receive(Call& call, std::string name, Footprint footprint) {
  if (call.is_lost) footprint = footprint | call.if_lost;
  if (stage_.loses_answers) footprint.reads |= object::wire;
  bool lives = true;
  if (footprint != Footprint()) {
    lives = co_await stage_.pause(seat_, call.actor, std::move(name), footprint);
  }
  stage_.drop(call);
  co_return lives && !call.is_lost;
}

Task<Result<cache::Lookup>> SteppedCache::get(std::string_view key) {
  Call call{stage_.caller(seat_), writing(seat_.flights)};
  Result<cache::Lookup> found = lost();
  const bool arrives = co_await send(call, "cache get");
  if (arrives) {
    const Stage::Work work(stage_);
    found = co_await client_.get(key);
  }
  const bool hit = found && found->hit;
  const bool answered =
      co_await receive(call, hit ? "hit" : "miss", hit ? Footprint() : writing(seat_.flights));
  if (!answered) found = lost();
  if (found) stage_.leases[call.actor] = found->lease;
  co_return found;
}

Task<Result<cache::PutOutcome>> SteppedCache::put(std::string key, Blob blob, std::uint64_t lease) {
  Call call{stage_.caller(seat_), writing(seat_.flights)};
  Result<cache::PutOutcome> outcome = lost();
  const bool arrives = co_await send(call, "cache put");
  if (arrives) {
    const Stage::Work work(stage_);
    outcome = co_await client_.put(std::move(key), std::move(blob), lease);
  }
  const bool answered = co_await receive(call, "cache put done", writing(seat_.flights));
  if (!answered) outcome = lost();
  co_return outcome;
}

Task<Result<void>> SteppedCache::invalidate(std::string key) {
  Call call{stage_.caller(seat_), writing(seat_.unheard)};
  const bool settles = call.actor == seat_.settler;
  const Delivery delivery = settles ? Delivery::heard : stage_.deliveries[call.actor];
  Result<void> invalidated = lost();
  const bool arrives = co_await send(call, "cache invalidate");
  if (arrives && delivery != Delivery::unheard) {
    const Stage::Work work(stage_);
    invalidated = co_await client_.invalidate(std::move(key));
  }
  if (delivery == Delivery::unanswered) invalidated = lost();
  const bool remembers = settles || !invalidated;
  const bool answered = co_await receive(call, "cache invalidate done",
                                         remembers ? writing(seat_.unheard) : Footprint());
  if (!answered) invalidated = lost();
  co_return invalidated;
}

SteppedBackend::SteppedBackend(Stage& stage, db::test::DatabaseFixture& fixture,
                               SteppedBlobs& blobs, CacheHost& host, Seat where)
    : seat(where),
      table(stage, seat, fixture.pool),
      cache(stage, seat, host.client()),
      store(fixture.loop, blobs, table, cache, at_once()) {}

}  // namespace imgcached::images::test
