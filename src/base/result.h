// Result<T>: a value, or the reason there is none.
//
// Expected failure is a value in this program: a client that vanishes, a full
// disk, a database that is down. Such a failure travels upwards as an Error,
// which says of what kind it is (so that one place can map it to an HTTP
// status, see http/status.h) and what happened, in words meant for the person
// who has to act on it. Programmers' errors are asserts; exceptions are not
// used across function boundaries.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace imgcached {

enum class Errc {
  invalid_argument,     // the caller sent something that can never work
  not_found,            // there is nothing under that name
  too_large,            // over a stated limit
  unsupported_type,     // well-formed, but not of a kind we accept
  precondition_failed,  // things are not as the caller said they must be
  unavailable,          // something we depend on is down or overloaded: try again
  uncertain,            // the same, and what was asked for may have happened all the same
  storage_full,         // the disk or a quota is exhausted
  storage_failed,       // the file system refused for another reason
  data_lost,            // what was stored is damaged or gone, for good
  timed_out,            // the peer, or something we depend on, took too long
  closed,               // the peer went away, or we closed the resource ourselves
  protocol,             // the peer broke the protocol
  internal,             // should not happen; says where to look
};

// The stable lower-case name of a code, for logs and tests.
std::string_view to_string(Errc code);

struct Error {
  Errc code;
  std::string message;  // one sentence: what went wrong and what to do
};

// Holds exactly one of a T and an Error.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok()
  T& value() & { return assert(ok()), *std::get_if<0>(&state_); }
  const T& value() const& { return assert(ok()), *std::get_if<0>(&state_); }
  T&& value() && { return assert(ok()), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok()
  Error& error() & { return assert(!ok()), *std::get_if<1>(&state_); }
  const Error& error() const& { return assert(!ok()), *std::get_if<1>(&state_); }
  Error&& error() && { return assert(!ok()), std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }

  // REQUIRES: !ok()
  Error& error() & { return assert(!ok_), error_; }
  const Error& error() const& { return assert(!ok_), error_; }
  Error&& error() && { return assert(!ok_), std::move(error_); }

 private:
  Error error_{Errc::internal, {}};
  bool ok_ = true;
};

}  // namespace imgcached
