// Listener: a listening TCP socket that hands out Streams.
//
//   Result<Listener> listener = Listener::open(loop, address);
//   while (...) { Result<Stream> stream = co_await listener->accept(); ... }
//
// While nobody accepts, connections wait in the kernel's backlog.
#pragma once

#include <coroutine>

#include "base/result.h"
#include "net/address.h"
#include "net/handle.h"
#include "net/stream.h"

namespace imgcached::net {

class Listener {
 public:
  static constexpr int backlog = 4096;  // the kernel caps it at net.core.somaxconn

  // Binds and listens; port 0 picks a free one. `address` must be numeric.
  // Errors name the address.
  static Result<Listener> open(Loop& loop, const SocketAddress& address);

  class Accept;
  // Awaits the next connection. Errors: closed (by close()), or unavailable
  // when descriptors ran out; the listener stays usable then. One waiter.
  Accept accept();

  // A waiter gets Errc::closed. Idempotent.
  void close() { handle_.reset(); }

  // Where it listens in fact.
  Address address() const;

 private:
  struct State {
    uv_tcp_t uv;
    bool pending = false;  // libuv holds a connection back until it is accepted
    Accept* acceptor = nullptr;

    std::coroutine_handle<> take_waiter();
  };

  explicit Listener(Loop& loop) : loop_(&loop) {}

  Loop* loop_;
  Handle<State> handle_;
};

class Listener::Accept {
 public:
  explicit Accept(Listener& listener) : loop_(*listener.loop_), state_(listener.handle_.get()) {}
  bool await_ready() const noexcept { return !state_ || state_->pending; }
  void await_suspend(std::coroutine_handle<> waiter);
  Result<Stream> await_resume();

 private:
  friend class Listener;
  Loop& loop_;
  State* state_;
  std::coroutine_handle<> waiter_;
  int status_ = 0;
};

inline Listener::Accept Listener::accept() { return Accept(*this); }

}  // namespace imgcached::net
