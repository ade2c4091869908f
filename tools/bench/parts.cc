// What the parts of the program cost, each alone: the parser, multipart, the cache, base64 and
// the hop from one loop to another. Google Benchmark runs them and says how long each takes:
//
//   build/bench-parts --benchmark_filter=cache
//
// The figures compare two versions of a part on one machine, and tell how cost grows with what
// is stored. How fast the program is as a whole, beside its peers, is tools/bench/run's business.

#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/gate.h"
#include "base/random.h"
#include "cache/cache.h"
#include "cache/cache_service.h"
#include "db/pool.h"
#include "http/base64.h"
#include "http/multipart.h"
#include "http/parser.h"
#include "net/mailbox.h"
#include "tools/loadgen/process_usage.h"

namespace imgcached::bench {
namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

std::string random_bytes(std::size_t size) {
  Random random(1);
  std::string bytes;
  bytes.reserve(size);
  while (bytes.size() < size) bytes += static_cast<char>(random.below(256));
  return bytes;
}

// --- Parser --------------------------------------------------------------------------------------

void parse(benchmark::State& state, const std::string& request) {
  http::Parser parser(http::Parser::Kind::request);
  for (auto _ : state) {
    std::string_view input = request;
    http::Parser::Event event = http::Parser::Event::need_more;
    do {
      event = parser.advance(input);
    } while (event != http::Parser::Event::end && event != http::Parser::Event::error);
    if (event == http::Parser::Event::error) {
      state.SkipWithError(parser.error_message().c_str());
      break;
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(request.size()));
}

void parser_of_a_program(benchmark::State& state) {
  parse(state, "GET /images/cat HTTP/1.1\r\nHost: 127.0.0.1:5000\r\n\r\n");
}
BENCHMARK(parser_of_a_program);

void parser_of_a_browser(benchmark::State& state) {
  parse(state,
        "GET /images/pets/cat%20in%20a%20box HTTP/1.1\r\n"
        "Host: 127.0.0.1:5000\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36\r\n"
        "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n"
        "Accept-Encoding: gzip, deflate, br, zstd\r\n"
        "Accept-Language: en-GB,en;q=0.9\r\n"
        "Connection: keep-alive\r\n"
        "If-None-Match: \"c3498680657b7d5ef272e1e4e1d369ee\"\r\n"
        "Referer: http://127.0.0.1:5000/keys\r\n"
        "Sec-Fetch-Dest: image\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n\r\n");
}
BENCHMARK(parser_of_a_browser);

// --- Multipart -----------------------------------------------------------------------------------

// A form with a key and a file, as it comes from a socket: in pieces of 64 KiB.
void multipart(benchmark::State& state) {
  constexpr std::size_t piece_bytes = 64 * kib;
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\ncat\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\n"
      "Content-Type: image/png\r\n\r\n" +
      random_bytes(static_cast<std::size_t>(state.range(0))) + "\r\n--b--\r\n";
  for (auto _ : state) {
    http::MultipartParser parser("b");
    std::size_t data = 0;
    for (std::size_t at = 0; at < body.size(); at += piece_bytes) {
      std::string_view input = std::string_view(body).substr(at, piece_bytes);
      while (true) {
        const auto event = parser.next(input);
        if (event == http::MultipartParser::Event::data) data += parser.data().size();
        if (event == http::MultipartParser::Event::need_more) break;
        if (event == http::MultipartParser::Event::error) {
          state.SkipWithError(parser.error().message.c_str());
          return;
        }
      }
    }
    benchmark::DoNotOptimize(data);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(multipart)->Arg(15 * kib)->Arg(mib);

// --- Cache ---------------------------------------------------------------------------------------

constexpr std::size_t value_bytes = 100;

std::string key_of(std::uint64_t number) { return "key-" + std::to_string(number); }

// A cache that is full with so many entries.
struct FullCache {
  FullCache(std::size_t entries, cache::Replacement replacement)
      : blob(Blob::copy_of(std::string(value_bytes, 'x'))),
        cache(
            {entries * cache::Cache::charge_of(key_of(1'000'000).size(), value_bytes), replacement},
            Random(1)) {
    for (std::uint64_t i = 0; i < entries; ++i) cache.put(key_of(1'000'000 + i), blob);
  }

  const Blob blob;  // of all entries: it is the bookkeeping that is measured
  cache::Cache cache;
};

cache::Replacement replacement_of(benchmark::State& state) {
  return state.range(1) == 0 ? cache::Replacement::lru : cache::Replacement::random;
}

// Keys in an order that the processor's caches can't foresee, made beforehand.
std::vector<std::string> keys_of(std::size_t entries) {
  Random random(2);
  std::vector<std::string> keys(4096);
  for (std::string& key : keys) key = key_of(1'000'000 + random.below(entries));
  return keys;
}

void cache_get(benchmark::State& state) {
  const auto entries = static_cast<std::size_t>(state.range(0));
  FullCache full(entries, replacement_of(state));
  const std::vector<std::string> keys = keys_of(entries);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(full.cache.get(keys[i++ % keys.size()], 0).blob.size());
  }
}

void cache_replace(benchmark::State& state) {
  const auto entries = static_cast<std::size_t>(state.range(0));
  FullCache full(entries, replacement_of(state));
  const std::vector<std::string> keys = keys_of(entries);
  std::size_t i = 0;
  for (auto _ : state) full.cache.put(keys[i++ % keys.size()], full.blob);
}

// A put of a new key, which evicts another one.
void cache_put_and_evict(benchmark::State& state) {
  const auto entries = static_cast<std::size_t>(state.range(0));
  FullCache full(entries, replacement_of(state));
  std::uint64_t next = 2'000'000;
  for (auto _ : state) full.cache.put(key_of(next++), full.blob);
  if (full.cache.stats().evictions == 0) state.SkipWithError("nothing was evicted");
}

void cache_sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"entries", "policy"});
  for (const int policy : {0, 1}) {
    for (const int entries : {1'000, 10'000, 100'000, 1'000'000}) {
      benchmark->Args({entries, policy});
    }
  }
}
BENCHMARK(cache_get)->Apply(cache_sizes);
BENCHMARK(cache_replace)->Apply(cache_sizes);
BENCHMARK(cache_put_and_evict)->Apply(cache_sizes);

// The cache as backends on several threads have it: each get is a critical section.
struct SharedCache {
  Task<void> close() {
    co_await service.close();
    co_await database.close();
  }

  net::Loop loop;
  db::Pool database{loop, db::Settings()};  // never asked
  cache::CacheService service{loop, database};
};
std::unique_ptr<SharedCache> shared_cache;
constexpr std::size_t shared_entries = 10'000;

void set_up_shared_cache(const benchmark::State&) {
  shared_cache = std::make_unique<SharedCache>();
  const Blob blob = Blob::copy_of(std::string(value_bytes, 'x'));
  for (std::uint64_t i = 0; i < shared_entries; ++i)
    shared_cache->service.put(key_of(1'000'000 + i), blob);
}
void tear_down_shared_cache(const benchmark::State&) {
  Gate gate;
  gate.spawn(shared_cache->close());
  shared_cache->loop.run();
  shared_cache.reset();
}

void cache_get_shared(benchmark::State& state) {
  const std::vector<std::string> keys = keys_of(shared_entries);
  std::size_t i = 0;
  for (auto _ : state) {
    const cache::Lookup found = shared_cache->service.get(keys[i++ % keys.size()]);
    if (found.blob.empty()) state.SkipWithError("a key is not there");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(cache_get_shared)
    ->Setup(set_up_shared_cache)
    ->Teardown(tear_down_shared_cache)
    ->ThreadRange(1, 4)
    ->UseRealTime();

// Memory after 100 times the capacity has passed through, in images of 1 KiB to 1 MiB, as many
// of each order of magnitude: what the allocator makes of it. It runs once; the figure is
// `resident`, as a share of the capacity and in bytes beyond it.
void cache_churn(benchmark::State& state) {
  const auto capacity = static_cast<std::uint64_t>(state.range(0)) * mib;
  for (auto _ : state) {
    cache::Cache cache({capacity, cache::Replacement::lru}, Random(1));
    Random random(2);
    std::uint64_t passed = 0;
    for (std::uint64_t i = 0; passed < 100 * capacity; ++i) {
      const std::size_t octave = kib << random.below(10);
      BlobBuffer image(octave + random.below(octave));
      std::memset(image.data(), 'x', image.size());
      passed += image.size();
      cache.put(key_of(i), std::move(image).seal());
    }
    const auto resident = static_cast<double>(loadgen::resident_bytes());
    state.counters["resident_over_capacity"] = resident / static_cast<double>(capacity);
    state.counters["resident_mib"] = resident / mib;
  }
}
BENCHMARK(cache_churn)->ArgName("mib")->Arg(64)->Arg(256)->Iterations(1)->Unit(benchmark::kSecond);

// --- Base64 --------------------------------------------------------------------------------------

using Base64 = http::base64::internal::Implementation;

void base64_encode(benchmark::State& state, const Base64& base64) {
  const std::string bytes = random_bytes(static_cast<std::size_t>(state.range(0)));
  std::string text(http::base64::encoded_size(bytes.size()), '\0');
  for (auto _ : state) {
    base64.encode(bytes, text.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void base64_decode(benchmark::State& state, const Base64& base64) {
  const std::string text =
      http::base64::encode(random_bytes(static_cast<std::size_t>(state.range(0))));
  std::string bytes(http::base64::decoded_size(text), '\0');
  for (auto _ : state) {
    if (base64.decode(text, bytes.data())) state.SkipWithError("valid text was refused");
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void add_base64(const Base64& base64) {
  const std::string name = base64.name;
  benchmark::RegisterBenchmark(("base64_encode/" + name).c_str(), base64_encode, base64)
      ->Arg(15 * kib)
      ->Arg(mib);
  benchmark::RegisterBenchmark(("base64_decode/" + name).c_str(), base64_decode, base64)
      ->Arg(15 * kib)
      ->Arg(mib);
}

// --- Mailbox -------------------------------------------------------------------------------------

// A loop with a mailbox, on a thread of its own.
class OtherLoop {
 public:
  OtherLoop() : mailbox_(loop_), thread_([this] { loop_.run(); }) {}

  // One call there and back.
  Task<void> hop(net::Mailbox& here) {
    auto one = []() -> Result<int> { return 1; };
    Result<int> answer = co_await net::call(mailbox_, here, one);
    benchmark::DoNotOptimize(answer.ok());
  }
  // Nothing may be under way.
  Task<void> close(net::Mailbox& here) {
    auto close_there = [this]() -> Result<void> {
      mailbox_.close();
      return {};
    };
    Result<void> closed = co_await net::call(mailbox_, here, close_there);
    benchmark::DoNotOptimize(closed.ok());
  }
  void join() { thread_.join(); }

 private:
  net::Loop loop_;
  net::Mailbox mailbox_;
  std::thread thread_;
};

// So many calls at once, until all are back.
void mailbox_hop(benchmark::State& state) {
  net::Loop loop;
  net::Mailbox here(loop);
  OtherLoop there;
  Gate gate;
  const auto until_back = [&] {
    while (gate.running() > 0) uv_run(loop.raw(), UV_RUN_ONCE);
  };
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i) gate.spawn(there.hop(here));
    until_back();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  gate.spawn(there.close(here));
  until_back();
  there.join();
  here.close();
  loop.run();
}
BENCHMARK(mailbox_hop)->Arg(1)->Arg(32)->Arg(1'000)->UseRealTime();

}  // namespace
}  // namespace imgcached::bench

int main(int argument_count, char** arguments) {
  using namespace imgcached;
  benchmark::Initialize(&argument_count, arguments);
  if (benchmark::ReportUnrecognizedArguments(argument_count, arguments)) return 2;
  for (const auto& one : http::base64::internal::implementations()) bench::add_base64(one);
  benchmark::RunSpecifiedBenchmarks();
}
