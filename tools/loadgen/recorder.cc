#include "tools/loadgen/recorder.h"

#include <algorithm>

namespace imgcached::loadgen {

bool Recorder::is_measured(std::uint64_t due_ns, std::uint64_t done_ns) const {
  const std::uint64_t counted_ns = model_ == Model::open ? due_ns : done_ns;
  return begin_ns_ <= counted_ns && counted_ns < end_ns_;
}

void Recorder::change_in_flight(std::uint64_t now_ns, int change) {
  const std::uint64_t until_ns = std::clamp(now_ns, changed_ns_, std::max(changed_ns_, end_ns_));
  in_flight_sum_ += static_cast<double>(in_flight_) * static_cast<double>(until_ns - changed_ns_);
  changed_ns_ = until_ns;
  in_flight_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(in_flight_) + change);
  if (begin_ns_ <= now_ns) result_.in_flight_max = std::max(result_.in_flight_max, in_flight_);
}

void Recorder::lag(std::uint64_t due_ns, std::uint64_t free_ns, std::uint64_t sent_ns) {
  if (!is_measured(due_ns, sent_ns)) return;
  result_.send_lag.record(sent_ns - due_ns);
  result_.dispatch_lag.record(sent_ns - std::max(due_ns, free_ns));
}

void Recorder::done(const Operation& operation, const Observation& seen, std::uint64_t due_ns,
                    Ledger& ledger) {
  change_in_flight(seen.done_ns, -1);
  const Outcome outcome = judge(operation, seen, ledger);
  if (operation.kind == Operation::Kind::write) {
    // A 4xx is a refusal, of the copy that it answers. Whether anything else was
    // carried out nobody knows.
    if (outcome == Outcome::write) {
      ledger.acknowledged(operation.write, seen.sent_twice);
    } else if (!seen.failure && seen.status / 100 == 4 && !seen.sent_twice) {
      ledger.refused(operation.write);
    } else {
      ledger.unknown(operation.write);
    }
  }
  if (!is_measured(due_ns, seen.done_ns)) return;

  const std::uint64_t response_ns = seen.done_ns - due_ns;
  Timings& timings = result_.of(outcome);
  timings.response.record(response_ns);
  timings.service.record(seen.done_ns - seen.sent_ns);
  if (seen.first_byte_ns != 0) timings.first_byte.record(seen.first_byte_ns - seen.sent_ns);
  timings.bytes += seen.image_bytes;
  switch (outcome) {
    case Outcome::read_hit: ++second_.hits; [[fallthrough]];
    case Outcome::read_miss:
    case Outcome::read_absent: second_.reads.record(response_ns); break;
    case Outcome::write: second_.writes.record(response_ns); break;
    case Outcome::error:
      ++second_.errors;
      count_error(seen);
      break;
  }
}

Outcome Recorder::judge(const Operation& operation, const Observation& seen, const Ledger& ledger) {
  if (seen.failure) return Outcome::error;
  if (operation.kind != Operation::Kind::write) return judge_read(operation, seen, ledger);
  return seen.status == 200 || seen.status == 201 ? Outcome::write : Outcome::error;
}

Outcome Recorder::judge_read(const Operation& operation, const Observation& seen,
                             const Ledger& ledger) {
  const bool is_found = seen.status == 200;
  if (!is_found && seen.status != 404) return Outcome::error;
  Checks& checks = result_.checks;
  ++checks.checked;
  if (operation.kind == Operation::Kind::read_absent) {
    if (!is_found) return Outcome::read_absent;
    ++checks.corrupt;  // an image that nobody wrote
    return Outcome::error;
  }
  if (is_found && seen.verdict == ImageCheck::Verdict::corrupt) ++checks.corrupt;
  if (is_found && seen.verdict == ImageCheck::Verdict::foreign) ++checks.foreign;
  if (!is_found || seen.verdict == ImageCheck::Verdict::intact) {
    const auto version = is_found ? std::optional(seen.version) : std::nullopt;
    switch (ledger.judge(operation.key, operation.expected, version)) {
      case Ledger::Verdict::right: break;
      case Ledger::Verdict::stale: ++checks.stale; break;
      case Ledger::Verdict::lost: ++checks.lost; break;
      case Ledger::Verdict::impossible: ++checks.corrupt; break;
    }
  }
  if (!is_found) return Outcome::error;
  return seen.hit ? Outcome::read_hit : Outcome::read_miss;
}

void Recorder::count_error(const Observation& seen) {
  if (!seen.failure) {
    ++errors_by_status_[seen.status];
    return;
  }
  switch (*seen.failure) {
    case Errc::timed_out: ++result_.errors.timed_out; break;
    case Errc::closed: ++result_.errors.closed; break;
    case Errc::protocol:
    case Errc::too_large: ++result_.errors.protocol; break;
    default: ++result_.errors.connect; break;
  }
}

SecondSample Recorder::end_second(std::uint64_t second, std::uint64_t resident_bytes) {
  SecondSample sample;
  sample.second = second;
  sample.reads = second_.reads.count();
  sample.hits = second_.hits;
  sample.writes = second_.writes.count();
  sample.errors = second_.errors;
  sample.read_p50_ns = second_.reads.percentile(50);
  sample.read_p99_ns = second_.reads.percentile(99);
  sample.write_p50_ns = second_.writes.percentile(50);
  sample.write_p99_ns = second_.writes.percentile(99);
  sample.in_flight = in_flight_;
  sample.resident_bytes = resident_bytes;
  second_.hits = second_.errors = 0;
  second_.reads.clear();
  second_.writes.clear();
  result_.seconds.push_back(sample);
  return sample;
}

RunResult Recorder::finish() {
  change_in_flight(end_ns_, 0);
  if (end_ns_ > begin_ns_) {
    result_.in_flight_mean = in_flight_sum_ / static_cast<double>(end_ns_ - begin_ns_);
  }
  result_.errors.by_status.assign(errors_by_status_.begin(), errors_by_status_.end());
  return std::move(result_);
}

}  // namespace imgcached::loadgen
