// Never stale, never torn, never lost: up to three operations on one key, in every
// interleaving of their steps, over both transports of the cache.
//
// The invariant: a read that starts after a write was acknowledged never returns an
// older image, or one that was removed. It is judged by what must be so, not by what
// happened to be: in each execution a read counts as started after every
// acknowledgement that does not come after its start in all equivalent ones (see
// interleaving.h for what is equivalent). And at the end: whatever the cache holds is
// the newest image, the next reads bring it, and of all files the row's is left.
//
// Each set has a read and a write. make test explores all pairs, and of the triples those
// with plain puts and removals of an image that is cached.
//   IMGCACHED_TEST_INTERLEAVINGS=all    explores all triples, in all initial states
//   IMGCACHED_TEST_RANDOM_OPERATIONS=100000 makes the random run longer
//   IMGCACHED_TEST_SEED=n               repeats one
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "tests/images/stepped_store.h"

namespace imgcached::images::test {
namespace {

using imgcached::test::Explorer;
using imgcached::test::run_task;
using imgcached::test::Step;

constexpr std::size_t operations_max = 8;  // at a time
// Actors beyond the operations. Backends that follow each other take turns.
constexpr std::size_t settlers[] = {operations_max, operations_max + 1};
constexpr std::size_t other_settler = operations_max + 2;
constexpr std::size_t preparer = operations_max + 3;
static_assert(preparer < actors_max);

constexpr const char* cat = "cat";  // the key of the exhaustive part
constexpr const char* none = "not_found";

enum class Operation {
  get,
  put,
  remove,
  put_unheard,     // a put whose invalidation does not reach the cache
  put_unanswered,  // one whose invalidation has no answer
  put_elsewhere,   // by another backend on the same tables, files and cache
  invalidate,      // at the cache, by hand, like the next five
  clear,
  off_and_on,  // capacity 0, and back
  change_policy,
  evict,    // another key's put takes the whole capacity
  restart,  // of the cache service: answers on their way are lost
  outage,   // the same, and so are the calls on their way
  kill,     // of the backend; another one takes its place and recovers
};

const char* name_of(Operation operation) {
  switch (operation) {
    case Operation::get: return "get";
    case Operation::put: return "put";
    case Operation::remove: return "remove";
    case Operation::put_unheard: return "put_unheard";
    case Operation::put_unanswered: return "put_unanswered";
    case Operation::put_elsewhere: return "put_elsewhere";
    case Operation::invalidate: return "invalidate";
    case Operation::clear: return "clear";
    case Operation::off_and_on: return "off_and_on";
    case Operation::change_policy: return "change_policy";
    case Operation::evict: return "evict";
    case Operation::restart: return "restart";
    case Operation::outage: return "outage";
    case Operation::kill: return "kill";
  }
  return "?";
}

// What there is before the operations begin.
enum class Initial {
  absent,
  stored,   // in a row and a file
  cached,   // and in the cache
  unheard,  // and replaced meanwhile, of which the cache has not heard
};

const char* name_of(Initial initial) {
  switch (initial) {
    case Initial::absent: return "absent";
    case Initial::stored: return "stored";
    case Initial::cached: return "cached";
    case Initial::unheard: return "unheard";
  }
  return "?";
}

using Operations = std::vector<Operation>;

bool contains(const Operations& operations, Operation wanted) {
  return std::find(operations.begin(), operations.end(), wanted) != operations.end();
}

// An operation, and what came of it. Times are numbers of steps, from 1.
struct Outcome {
  Operation operation = Operation::get;
  std::string key;
  std::string image;  // what a put stores
  std::optional<std::size_t> started;
  std::optional<std::size_t> ended;
  bool is_dead = false;  // its process was killed: nobody got an answer
  bool is_acknowledged = false;
  std::string text;  // of a read: what it brought; of others: an error or nothing
  // Of a read at random: what was acknowledged when it started.
  std::size_t floor = 0;
};

struct Silence {
  Silence() { log::set_level(log::Level::error); }
  ~Silence() { log::set_level(log::Level::info); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
};

// Everything there is, for one transport; executions follow each other in it.
class Theatre {
 public:
  explicit Theatre(Transport transport) : host_(fixture_, transport), blobs_(stage_, open()) {
    main_ = make_backend(settlers[0], 0);
    other_ = make_backend(other_settler, 2);
  }
  ~Theatre() {
    run_task(fixture_.loop, main_->store.close());
    run_task(fixture_.loop, other_->store.close());
    run_task(fixture_.loop, host_.close());
  }

  // Executes the operations in all interleavings, until something is wrong, which
  // is then told.
  void explore(Initial initial, const Operations& operations);
  // A reader comes back with a lease from before a restart, when another one holds a
  // lease of the new service.
  void return_late();
  // Executes `count` operations on three keys, several at a time, in an order that
  // the seed decides.
  void wander(std::uint64_t seed, std::size_t count);

  // Takes every step to conflict with every other: no two executions are equivalent.
  void distrust_footprints(bool distrusts) { stage_.is_distrustful = distrusts; }
  // How executions have ended since they were last asked for: what each operation
  // brought, and what was left in the cache.
  std::set<std::string> take_endings() { return std::exchange(endings_, {}); }

  std::uint64_t completed() const { return completed_; }
  std::uint64_t redundant() const { return redundant_; }
  std::uint64_t steps() const { return steps_; }

 private:
  BlobStore open() {
    Result<BlobStore> opened =
        BlobStore::open(fixture_.loop, {scratch_.path() + "/images", Durability::none});
    REQUIRE(opened.ok());
    REQUIRE(opened->prepare().ok());
    return std::move(*opened);
  }
  std::unique_ptr<SteppedBackend> make_backend(std::size_t settler, unsigned shift) {
    const Seat seat{settler, object::flights << shift, object::unheard << shift, false};
    return std::make_unique<SteppedBackend>(stage_, fixture_, blobs_, host_, seat);
  }

  void reset();
  void prepare(Initial initial, const Operations& operations);
  void start(std::size_t actor, Operation operation, std::string key);
  void take_step(std::size_t actor);
  void advance(std::size_t actor, std::string_view step);
  void turn();
  void foresee_reads();
  void execute(Explorer& explorer, const Operations& operations);

  std::string ending(std::size_t count);
  std::string judge(Explorer& explorer, std::size_t count);
  std::string judge_read(const Outcome& read) const;
  std::string judge_end(const std::string& key);
  std::vector<std::string> versions(const std::string& key) const;
  std::size_t version_by(std::size_t actor) const;

  Task<void> get(std::size_t actor);
  Task<void> put(std::size_t actor, SteppedBackend& backend);
  Task<void> remove(std::size_t actor);
  Task<void> at_the_cache(std::size_t actor);
  Task<void> act_on_cache(const Outcome& what, int part);
  Task<void> evict();
  Task<void> kill(std::size_t actor);
  void finish(std::size_t actor, std::string text, bool is_acknowledged);

  db::test::DatabaseFixture fixture_;
  e2e::ScratchDirectory scratch_;
  Stage stage_{fixture_.loop};
  CacheHost host_;
  SteppedBlobs blobs_;
  std::unique_ptr<SteppedBackend> main_;
  std::unique_ptr<SteppedBackend> other_;
  std::vector<std::unique_ptr<SteppedBackend>> dead_;
  Gate gate_;
  Seat outside_;  // what is no part of a backend
  std::vector<Outcome> outcomes_{preparer + 1};
  std::map<std::string, std::string> images_;  // by etag
  std::map<std::string, std::size_t> floors_;  // by key: the newest acknowledged version
  std::set<std::string> endings_;
  std::size_t images_made_ = 0;
  std::size_t step_ = 0;  // the number of the one that is being taken
  std::uint64_t completed_ = 0;
  std::uint64_t redundant_ = 0;
  std::uint64_t steps_ = 0;
};

// --- The operations -----------------------------------------------------------------------------

std::string text_of(const Result<Image>& image) {
  return image ? std::string(image->bytes.view()) : std::string(to_string(image.error().code));
}

void Theatre::finish(std::size_t actor, std::string text, bool is_acknowledged) {
  Outcome& outcome = outcomes_[actor];
  outcome.ended = step_;
  outcome.text = std::move(text);
  outcome.is_acknowledged = is_acknowledged && !outcome.is_dead;
  stage_.leave(actor);
  if (!outcome.is_acknowledged) return;
  std::size_t& floor = floors_[outcome.key];
  floor = std::max(floor, version_by(actor));
}

// Until it starts, it is nobody's: a client that is about to ask.
Task<void> Theatre::get(std::size_t actor) {
  co_await stage_.pause(outside_, actor, "start", reading(object::unheard));
  SteppedBackend& backend = *main_;
  stage_.enter(actor, backend.seat);
  outcomes_[actor].started = step_;
  outcomes_[actor].floor = floors_[outcomes_[actor].key];
  Result<Image> image = co_await backend.store.get(outcomes_[actor].key);
  finish(actor, text_of(image), true);
}

Task<void> Theatre::put(std::size_t actor, SteppedBackend& backend) {
  BlobWriter upload = backend.store.begin_upload();
  const std::string image = outcomes_[actor].image;
  Result<void> written = co_await upload.write(image);
  CHECK(written.ok());
  Result<Stored> stored = co_await backend.store.put(outcomes_[actor].key, upload);
  finish(actor, stored ? "" : stored.error().message, stored.ok());
}

Task<void> Theatre::remove(std::size_t actor) {
  Result<void> removed = co_await main_->store.remove(outcomes_[actor].key);
  const bool is_absent = !removed && removed.error().code == Errc::not_found;
  finish(actor, removed || is_absent ? "" : removed.error().message, removed.ok());
}

Task<void> Theatre::at_the_cache(std::size_t actor) {
  const Outcome what = outcomes_[actor];
  const bool is_loss = what.operation == Operation::restart || what.operation == Operation::outage;
  const Footprint footprint = writing(object::cache | (is_loss ? object::wire : 0));
  const int parts = what.operation == Operation::off_and_on ? 2 : 1;
  for (int part = 0; part < parts; ++part) {
    co_await stage_.pause(outside_, actor, part == 0 ? "begin" : "end", footprint);
    const Stage::Work work(stage_);
    co_await act_on_cache(what, part);
    if (is_loss) stage_.lose_answers(what.operation == Operation::outage);
  }
  finish(actor, "", true);
}

Task<void> Theatre::act_on_cache(const Outcome& what, int part) {
  using cache::Replacement;
  Result<void> done;
  switch (what.operation) {
    case Operation::invalidate: done = co_await host_.client().invalidate(what.key); break;
    case Operation::clear: done = co_await host_.client().clear(); break;
    case Operation::off_and_on:
      co_await host_.configure(static_cast<std::uint64_t>(part), Replacement::lru);
      break;
    case Operation::change_policy: co_await host_.configure(1, Replacement::random); break;
    case Operation::evict: co_await evict(); break;
    default: co_await host_.restart(); break;
  }
  CHECK(done.ok());
}

// By an image that leaves no room for any other.
Task<void> Theatre::evict() {
  const std::string filler = "filler";
  constexpr std::size_t bytes = CacheHost::capacity_bytes - cache::Cache::charge_of(6, 0);
  static const Blob image = Blob::copy_of(std::string(bytes, 'f'));
  Result<cache::Lookup> found = co_await host_.client().get(filler);
  CHECK(found.ok());
  if (!found || found->hit) co_return;
  Result<cache::PutOutcome> put = co_await host_.client().put(filler, image, found->lease);
  CHECK(put.ok());
}

// The process dies between two of its steps, and so does a cache service in it. The
// next one knows nothing of it but what is on disk and in the tables.
Task<void> Theatre::kill(std::size_t actor) {
  co_await stage_.pause(outside_, actor, "die", writing(object::process));
  const Stage::Work work(stage_);
  for (std::size_t i = 0; i < operations_max; ++i) {
    outcomes_[i].is_dead = outcomes_[i].is_dead || stage_.is_of(i, main_->seat);
  }
  stage_.kill(main_->seat);
  stage_.is_stepping = false;
  co_await main_->store.close();
  const std::size_t settler = main_->seat.settler == settlers[0] ? settlers[1] : settlers[0];
  dead_.push_back(std::move(main_));
  main_ = make_backend(settler, 0);
  stage_.titles[settler] = "settler";
  const bool is_cache_elsewhere = host_.transport() == Transport::http;
  if (!is_cache_elsewhere) {
    co_await host_.restart();
    stage_.lose_answers(true);
  }
  Result<void> recovered = co_await main_->store.recover(is_cache_elsewhere);
  CHECK(recovered.ok());
  stage_.is_stepping = true;
  finish(actor, "", true);
}

void Theatre::start(std::size_t actor, Operation operation, std::string key) {
  Outcome& outcome = outcomes_[actor];
  outcome = Outcome();
  outcome.operation = operation;
  outcome.key = std::move(key);
  outcome.image = "GIF89a " + std::to_string(++images_made_);
  images_[digest_of(outcome.image).hex()] = outcome.image;
  stage_.titles[actor] = std::to_string(actor) + " " + name_of(operation);
  stage_.deliveries[actor] = Delivery::heard;
  if (operation == Operation::put_unheard) stage_.deliveries[actor] = Delivery::unheard;
  if (operation == Operation::put_unanswered) stage_.deliveries[actor] = Delivery::unanswered;
  stage_.enter(actor, outside_);
  switch (operation) {
    case Operation::get: gate_.spawn(get(actor)); break;
    case Operation::put:
    case Operation::put_unheard:
    case Operation::put_unanswered:
      stage_.enter(actor, main_->seat);
      gate_.spawn(put(actor, *main_));
      break;
    case Operation::put_elsewhere:
      stage_.enter(actor, other_->seat);
      gate_.spawn(put(actor, *other_));
      break;
    case Operation::remove:
      stage_.enter(actor, main_->seat);
      gate_.spawn(remove(actor));
      break;
    case Operation::kill: gate_.spawn(kill(actor)); break;
    default: gate_.spawn(at_the_cache(actor)); break;
  }
  turn();
}

// Lets the world move until only a choice can move it. A turn that begins with a
// timer of the background would wait for what comes after it.
void Theatre::turn() {
  while (true) {
    const bool works = stage_.is_moving();
    if (!works && !main_->is_moving(stage_) && !other_->is_moving(stage_)) return;
    uv_run(fixture_.loop.raw(), works ? UV_RUN_ONCE : UV_RUN_NOWAIT);
  }
}

void Theatre::take_step(std::size_t actor) {
  ++step_;
  ++steps_;
  stage_.release(actor);
  turn();
}

// --- One execution ------------------------------------------------------------------------------

void Theatre::reset() {
  stage_.is_stepping = false;
  stage_.loses_answers = stage_.is_mortal = false;
  stage_.reset();
  dead_.clear();
  floors_.clear();
  images_.clear();
  images_made_ = 0;
  step_ = 0;
  outcomes_.assign(preparer + 1, Outcome());
  main_->seat.settler = settlers[0];  // whatever was killed before
  stage_.titles[main_->seat.settler] = "settler";
  stage_.titles[other_->seat.settler] = "other settler";
  const cache::Configuration usual{CacheHost::capacity_bytes, cache::Replacement::lru};
  if (host_.service().configuration() != usual) {
    fixture_.run(host_.configure(1, cache::Replacement::lru));
  }
}

void Theatre::prepare(Initial initial, const Operations& operations) {
  reset();
  static_cast<void>(fixture_.run(main_->store.remove(cat)));
  host_.service().clear();
  reset();
  stage_.loses_answers =
      contains(operations, Operation::restart) || contains(operations, Operation::outage);
  stage_.is_mortal = contains(operations, Operation::kill);
  if (initial == Initial::absent) return;
  start(preparer, Operation::put, cat);
  if (initial == Initial::stored) return;
  REQUIRE(fixture_.run(main_->store.get(cat)).ok());
  if (initial == Initial::cached) return;
  stage_.is_stepping = true;
  start(preparer, Operation::put_unheard, cat);
  while (stage_.schedule.is_parked(preparer)) take_step(preparer);
  step_ = 0;
}

// A read that will find that it has to bypass the cache goes on to the flights at once.
void Theatre::foresee_reads() {
  for (std::size_t i = 0; i < operations_max; ++i) {
    if (!stage_.schedule.is_parked(i)) continue;
    if (outcomes_[i].operation != Operation::get || outcomes_[i].started) continue;
    Footprint footprint = reading(object::unheard);
    if (main_->store.has_open_writes()) footprint.writes = object::flights;
    stage_.schedule.change(i, stage_.effective(footprint));
  }
}

void Theatre::execute(Explorer& explorer, const Operations& operations) {
  stage_.is_stepping = true;
  for (std::size_t i = 0; i < operations.size(); ++i) start(i, operations[i], cat);
  bool is_new = true;
  while (true) {
    foresee_reads();
    const std::vector<Step> parked = stage_.schedule.parked();
    if (parked.empty()) break;
    const std::optional<std::size_t> chosen = explorer.choose(parked);
    is_new = chosen.has_value();
    take_step(chosen.value_or(parked.front().actor));
  }
  stage_.is_stepping = false;
  ++(is_new ? completed_ : redundant_);
  if (is_new) endings_.insert(ending(operations.size()));
  std::string problem = is_new ? judge(explorer, operations.size()) : "";
  if (problem.empty()) return;
  for (const Step& step : explorer.execution()) problem += "\n    " + step.name;
  FAIL(problem);
}

std::string Theatre::ending(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += outcomes_[i].text + ", ";
  const cache::Lookup cached = host_.service().get(cat);
  return text + (cached.hit ? std::string(cached.blob.view()) : "not cached");
}

void Theatre::explore(Initial initial, const Operations& operations) {
  std::string case_name = name_of(initial);
  for (const Operation operation : operations) case_name += std::string(" ") + name_of(operation);
  CAPTURE(case_name);
  Explorer explorer;
  while (explorer.next()) {
    prepare(initial, operations);
    execute(explorer, operations);
  }
}

// What the key's row has said, one after the other.
std::vector<std::string> Theatre::versions(const std::string& key) const {
  std::vector<std::string> found{none};
  for (const Change& change : stage_.changes) {
    if (change.key == key) found.push_back(change.etag.empty() ? none : images_.at(change.etag));
  }
  return found;
}

// Which of its key's versions an actor has made; 0: none.
std::size_t Theatre::version_by(std::size_t actor) const {
  const Outcome& outcome = outcomes_[actor];
  std::size_t version = 0;
  std::size_t found = 0;
  for (const Change& change : stage_.changes) {
    if (change.key != outcome.key) continue;
    ++version;
    const bool is_its = change.actor == actor && outcome.operation != Operation::get &&
                        (change.etag.empty() || images_.at(change.etag) == outcome.image);
    if (is_its) found = version;
  }
  return found;
}

// What is wrong with the execution; nothing if it is right.
std::string Theatre::judge(Explorer& explorer, std::size_t count) {
  const std::vector<std::string> all = versions(cat);
  for (std::size_t i = 0; i < count; ++i) {
    const Outcome& outcome = outcomes_[i];
    if (!outcome.ended) return std::string(name_of(outcome.operation)) + " never ends";
    if (outcome.is_dead) continue;
    if (outcome.operation != Operation::get) {
      if (!outcome.text.empty()) return outcome.text;
      continue;
    }
    const std::string problem = judge_read(outcome);
    if (!problem.empty()) return problem;
    const auto newest = std::find(all.rbegin(), all.rend(), outcome.text);
    const auto version = static_cast<std::size_t>(all.rend() - newest) - 1;
    for (std::size_t j = 0; j < count; ++j) {
      const Outcome& write = outcomes_[j];
      if (!write.is_acknowledged || version_by(j) <= version) continue;
      if (!explorer.happens_before(*outcome.started - 1, *write.ended - 1)) {
        return "stale: read " + std::to_string(i) + " brought \"" + outcome.text +
               "\" though it may start after write " + std::to_string(j);
      }
    }
  }
  return judge_end(cat);
}

// By the order in which things happened.
std::string Theatre::judge_read(const Outcome& read) const {
  const std::vector<std::string> all = versions(read.key);
  const auto newest = std::find(all.rbegin(), all.rend(), read.text);
  if (newest == all.rend()) return "a read brought \"" + read.text + "\"";
  const auto version = static_cast<std::size_t>(all.rend() - newest) - 1;
  if (version >= read.floor) return "";
  return "stale: a read brought \"" + read.text + "\", version " + std::to_string(version) +
         ", after version " + std::to_string(read.floor) + " was acknowledged";
}

std::string Theatre::judge_end(const std::string& key) {
  const std::string newest = versions(key).back();
  const cache::Lookup cached = host_.service().get(key);
  if (cached.hit && cached.blob.view() != newest) {
    return "left in the cache: \"" + std::string(cached.blob.view()) + "\"";
  }
  for (int i = 0; i < 2; ++i) {
    const std::string read = text_of(fixture_.run(main_->store.get(key)));
    if (read != newest) return "in the end, a read brought \"" + read + "\", not " + newest;
  }
  std::string location;
  for (const Change& change : stage_.changes) {
    if (change.key == key) location = change.location;
  }
  const Result<std::optional<db::ImageRow>> row =
      fixture_.run(main_->table.find(key, db::Read::committed));
  if ((row.value() ? (**row).location : "") != location) return "the row is another one's";
  for (const Change& change : stage_.changes) {
    if (change.key != key || change.location.empty()) continue;
    const bool exists = std::filesystem::exists(scratch_.path() + "/images/" + change.location);
    if (exists != (change.location == location)) return exists ? "an orphan" : "a file is lost";
  }
  return "";
}

// Until the actor is about to take that step, or has ended.
void Theatre::advance(std::size_t actor, std::string_view step) {
  while (true) {
    const std::vector<Step> parked = stage_.schedule.parked();
    const auto next = std::find_if(parked.begin(), parked.end(),
                                   [&](const Step& each) { return each.actor == actor; });
    if (next == parked.end() || next->name.ends_with(step)) return;
    take_step(actor);
  }
}

void Theatre::return_late() {
  prepare(Initial::stored, {Operation::restart});
  stage_.is_stepping = true;
  start(0, Operation::get, cat);
  advance(0, "cache put");  // it has read the old file
  start(1, Operation::restart, cat);
  advance(1, "the end");
  start(2, Operation::put, cat);
  advance(2, "the end");
  start(3, Operation::get, cat);
  advance(3, "row find");
  for (const std::size_t reader : {0, 3}) advance(reader, "the end");
  stage_.is_stepping = false;
  CHECK(outcomes_[3].text == outcomes_[2].image);
  CHECK(judge_end(cat) == "");
}

// --- At random ----------------------------------------------------------------------------------

void Theatre::wander(std::uint64_t seed, std::size_t count) {
  CAPTURE(seed);
  Random random(seed);
  const std::vector<std::string> keys{"cat", "dog", "cow"};
  reset();
  for (const std::string& key : keys) { static_cast<void>(fixture_.run(main_->store.remove(key))); }
  host_.service().clear();
  reset();
  stage_.loses_answers = true;
  stage_.is_stepping = true;
  // A second backend's files would be swept when the first recovers: one or the other.
  const Operation rarest = random.below(2) == 0 ? Operation::kill : Operation::put_elsewhere;
  const std::vector<Operation> dice{Operation::get,
                                    Operation::get,
                                    Operation::get,
                                    Operation::get,
                                    Operation::get,
                                    Operation::get,
                                    Operation::get,
                                    Operation::put,
                                    Operation::put,
                                    Operation::put_unheard,
                                    Operation::put_unanswered,
                                    Operation::remove,
                                    Operation::evict,
                                    Operation::invalidate,
                                    Operation::clear,
                                    Operation::off_and_on,
                                    Operation::outage,
                                    Operation::restart,
                                    Operation::change_policy,
                                    rarest};
  std::vector<bool> is_busy(operations_max);
  std::size_t begun = 0;
  while (true) {
    for (std::size_t i = 0; i < operations_max; ++i) {
      if (!is_busy[i] || !outcomes_[i].ended) continue;
      is_busy[i] = false;
      const Outcome& outcome = outcomes_[i];
      if (outcome.is_dead) continue;
      const std::string problem =
          outcome.operation == Operation::get ? judge_read(outcome) : outcome.text;
      if (!problem.empty()) FAIL(problem);
    }
    const std::vector<Step> parked = stage_.schedule.parked();
    const auto free = std::find(is_busy.begin(), is_busy.end(), false);
    const bool starts =
        begun < count && free != is_busy.end() && (parked.empty() || random.below(6) == 0);
    if (!starts && parked.empty()) break;
    if (starts) {
      const auto actor = static_cast<std::size_t>(free - is_busy.begin());
      is_busy[actor] = true;
      ++begun;
      start(actor, dice[random.below(dice.size())], keys[random.below(keys.size())]);
    } else {
      take_step(parked[random.below(parked.size())].actor);
    }
  }
  stage_.is_stepping = false;
  for (const std::string& key : keys) {
    const std::string problem = judge_end(key);
    if (!problem.empty()) FAIL(problem);
  }
}

// --- All of them --------------------------------------------------------------------------------

const Operations writes{Operation::put, Operation::remove, Operation::put_unheard,
                        Operation::put_unanswered, Operation::put_elsewhere};
const Operations at_cache{Operation::invalidate,    Operation::clear, Operation::off_and_on,
                          Operation::change_policy, Operation::evict, Operation::restart,
                          Operation::outage,        Operation::kill};
const std::vector<Initial> initials{Initial::absent, Initial::stored, Initial::cached,
                                    Initial::unheard};

std::vector<Operations> pairs() {
  std::vector<Operations> found;
  for (const Operation write : writes) found.push_back({Operation::get, write});
  return found;
}

// A read, a write, and whatever else there is. Shorter ones are part of these.
std::vector<Operations> triples() {
  std::vector<Operations> found;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    found.push_back({Operation::get, Operation::get, writes[i]});
    for (std::size_t j = i; j < writes.size(); ++j) {
      found.push_back({Operation::get, writes[i], writes[j]});
    }
    for (const Operation third : at_cache) {
      // A backend that recovers sweeps away another one's unfinished files; so there
      // is but one in this case.
      if (writes[i] == Operation::put_elsewhere && third == Operation::kill) continue;
      found.push_back({Operation::get, writes[i], third});
    }
  }
  return found;
}

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

bool explores_all() {
  const char* text = std::getenv("IMGCACHED_TEST_INTERLEAVINGS");
  return text && std::string_view(text) == "all";
}

// What make test has the time for: the other writes have many more steps.
bool is_plain(const Operations& operations) {
  return !contains(operations, Operation::put_unheard) &&
         !contains(operations, Operation::put_unanswered) &&
         !contains(operations, Operation::put_elsewhere);
}

void tell(const std::string& what, const Theatre& theatre) {
  MESSAGE(what, ": ", theatre.completed(), " executions, ", theatre.redundant(), " redundant, ",
          theatre.steps(), " steps");
}

// While its cache can't be reached a backend lets readers share a fetch by what it knows
// itself, and of another backend's write it knows nothing. That one backend at a time has
// a directory is what the lock on it is for; elsewhere leases keep even two of them right.
bool is_known_to_be_stale(Initial initial, const Operations& operations) {
  return initial == Initial::unheard && contains(operations, Operation::put_elsewhere) &&
         std::count(operations.begin(), operations.end(), Operation::get) > 1;
}

void explore_everything(Transport transport, const std::string& name) {
  const Silence silence;
  Theatre theatre(transport);
  for (const Operations& operations : pairs()) {
    for (const Initial initial : initials) theatre.explore(initial, operations);
  }
  for (const Operations& operations : triples()) {
    for (const Initial initial : initials) {
      const bool is_quick = initial == Initial::cached && is_plain(operations);
      if (is_known_to_be_stale(initial, operations)) continue;
      if (explores_all() || is_quick) theatre.explore(initial, operations);
    }
  }
  tell(name, theatre);
}

TEST_CASE("never stale, in every interleaving of up to three operations, in process") {
  explore_everything(Transport::in_process, "in process");
}

TEST_CASE("never stale, in every interleaving of up to three operations, over HTTP") {
  explore_everything(Transport::http, "over HTTP");
}

// What shares a fetch: these need a key that is not cached.
TEST_CASE("never stale, in every interleaving of two reads and a write") {
  const Silence silence;
  Theatre theatre(Transport::in_process);
  for (const Operation write : {Operation::remove, Operation::put_elsewhere}) {
    theatre.explore(Initial::stored, {Operation::get, Operation::get, write});
  }
  theatre.explore(Initial::unheard, {Operation::get, Operation::get, Operation::remove});
  tell("two reads", theatre);
}

// Four operations; a lease table that began to count at 1 would let the old image in.
TEST_CASE("a lease from before a restart of the cache service is no good after it") {
  const Silence silence;
  for (const Transport transport : {Transport::in_process, Transport::http}) {
    Theatre theatre(transport);
    theatre.return_late();
  }
}

// The footprints are written by hand: what is found with them must be all that is
// found without.
TEST_CASE("steps that are said not to conflict do not: without footprints, nothing else happens") {
  const Silence silence;
  Theatre theatre(Transport::in_process);
  for (const Operations& operations :
       {Operations{Operation::get, Operation::put}, Operations{Operation::get, Operation::remove},
        Operations{Operation::get, Operation::put_elsewhere}}) {
    theatre.explore(Initial::stored, operations);
    const std::set<std::string> reduced = theatre.take_endings();
    const std::uint64_t before = theatre.completed();
    theatre.distrust_footprints(true);
    theatre.explore(Initial::stored, operations);
    theatre.distrust_footprints(false);
    MESSAGE(std::string(name_of(operations[1])), ": all ", theatre.completed() - before,
            " interleavings, ", reduced.size(), " endings");
    CHECK(theatre.take_endings() == reduced);
  }
}

TEST_CASE("never stale, in a long run of random operations, failures and restarts") {
  const Silence silence;
  constexpr std::size_t operations_a_round = 60;
  const std::uint64_t count = number_from_environment("IMGCACHED_TEST_RANDOM_OPERATIONS", 1'200);
  const std::uint64_t first =
      number_from_environment("IMGCACHED_TEST_SEED", Random::from_os().next());
  Theatre in_process(Transport::in_process);
  Theatre over_http(Transport::http);
  for (std::uint64_t done = 0, seed = first; done < count; done += operations_a_round, ++seed) {
    Theatre& theatre = seed % 2 == 0 ? in_process : over_http;
    theatre.wander(seed, operations_a_round);
  }
  MESSAGE("seed ", first, ": ", count, " operations, ", in_process.steps() + over_http.steps(),
          " steps");
}

}  // namespace
}  // namespace imgcached::images::test
