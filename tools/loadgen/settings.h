// Settings: what the generator is to do, read and validated once by options.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http/access_token.h"
#include "net/address.h"
#include "tools/loadgen/image_set.h"
#include "tools/loadgen/key_chooser.h"
#include "tools/loadgen/schedule.h"

namespace imgcached::loadgen {

// Which of the server's two ways to its images is used.
enum class Dialect {
  api,  // POST /api/key/KEY and multipart POST /api/upload: base64 in JSON
  raw,  // GET and PUT /images/KEY: the bytes themselves
};

// What is done to which images.
struct Workload {
  double reads_percent = 80;    // of all operations; the rest are writes
  double absent_percent = 0;    // of the reads: keys that nobody ever wrote
  double new_keys_percent = 0;  // of the writes: keys that did not exist; the rest overwrite
  std::uint64_t keys = 1'000;   // at the beginning
  Distribution distribution;
  Sizes sizes;
  std::string images_directory;  // of real files; empty: generated images
  Dialect dialect = Dialect::raw;
  std::string key_prefix = "loadgen-";
  std::optional<http::AccessToken> token;  // that the server asks for
  std::uint64_t seed = 1;

  // "20 % reads : 80 % writes"
  std::string ratio_text() const;
};

enum class Model {
  closed,  // each connection sends its next request when it has its answer
  open,    // requests are due by a schedule, whether or not answers come
};

struct Load {
  Model model = Model::closed;
  unsigned connections = 32;  // open loop: at most
  Rate rate;                  // open loop
  Arrivals arrivals = Arrivals::poisson;
  std::uint64_t warm_up_ms = 2'000;  // not measured
  std::uint64_t duration_ms = 10'000;
  std::uint64_t timeout_ms = 5'000;  // of one operation
  unsigned repeat = 1;
};

// `read.p99<20ms`: a condition on a run, see slo.h.
struct Slo {
  enum class Operation { read, write, all };
  enum class Quantity { percentile, mean, max, throughput, hit_ratio };
  Operation operation = Operation::read;
  Quantity quantity = Quantity::percentile;
  double percent = 99;    // of Quantity::percentile
  bool at_most = true;    // `<` and `<=`; false: `>` and `>=`
  bool or_equal = false;  // `<=` and `>=`
  double bound = 0;       // ns, operations a second, or a share of 1
  std::string text;       // as it was given
};

struct Settings {
  enum class Command { run, sweep, preload, plot, compare };
  Command command = Command::run;

  net::Address server{"127.0.0.1", 5000};
  std::optional<net::Address> cache;  // whose /metrics tell evictions; nothing: not asked
  Workload workload;
  Load load;
  bool preload = true;  // run and sweep: write every key once before

  bool find_max = false;  // search the highest rate that meets all slos, from load.rate.from on
  std::vector<Slo> slos;
  std::optional<double> max_error_percent;

  // sweep: every combination is one run.
  std::vector<double> sweep_reads{20, 50, 80};
  std::vector<unsigned> sweep_connections{1, 2, 4, 8, 16, 32, 64};
  std::string label;  // names the line in the graphs, such as the policy

  std::string out;                  // directory (sweep, plot) for results; run: files' base name
  std::vector<std::string> inputs;  // plot: a directory; compare: two files
  bool quiet = false;
};

}  // namespace imgcached::loadgen
