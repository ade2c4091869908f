// Listener: a listening TCP socket that hands out Streams.
//
//   Result<Listener> listener = Listener::open(loop, address);
//   while (...) { Result<Stream> stream = co_await listener->accept(); ... }
//
// While nobody accepts, connections wait in the kernel's backlog, and the loop
// does not look at the socket. That is why this does not use uv_listen(): when
// descriptors run out, libuv accepts and closes what waits by means of a spare
// one, and if another thread took that, tries again for ever within one turn of
// the loop. Here the acceptor gets the error, and decides when to try again.
#pragma once

#include <coroutine>
#include <utility>

#include "base/result.h"
#include "net/address.h"
#include "net/handle.h"
#include "net/stream.h"

namespace imgcached::net {

// Who may listen at a port beside a listener. Connections go to one or the other of those
// who share it, by a hash of their addresses (SO_REUSEPORT).
enum class PortUse {
  exclusive,
  shared,       // by those of this user who join later; fails if somebody listens there
  shared_join,  // beside one that shares it
};

class Listener {
 public:
  static constexpr int backlog = 4096;  // the kernel caps it at net.core.somaxconn
  // Of a crowd that connects at once, so many are accepted in one turn of the
  // loop: those who are connected have theirs in between.
  static constexpr int accepts_per_turn_max = 64;

  // Binds and listens; port 0 picks a free one. `address` must be numeric.
  // Errors name the address.
  static Result<Listener> open(Loop& loop, const SocketAddress& address,
                               PortUse use = PortUse::exclusive);

  class Accept;
  // Awaits the next connection. Errors: closed (by close()), or unavailable
  // when descriptors ran out; the listener stays usable then. One waiter.
  Accept accept();

  // A waiter gets Errc::closed. Idempotent.
  void close() {
    handle_.reset();
    socket_.reset();
  }

  // Where it listens in fact.
  Address address() const;

 private:
  // The owner of a descriptor.
  class Socket {
   public:
    explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
    Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
      std::swap(descriptor_, other.descriptor_);
      return *this;
    }
    ~Socket() { reset(); }
    void reset();

   private:
    int descriptor_;
  };

  struct State {
    uv_poll_t uv;  // active only while somebody accepts
    int descriptor = -1;
    int accepts_in_turn = 0;
    Accept* acceptor = nullptr;

    std::coroutine_handle<> take_waiter();
    static void on_readable(uv_poll_t* poll, int status, int events);
  };

  explicit Listener(Loop& loop) : loop_(&loop) {}

  Loop* loop_;
  // Not the State's, which lives on for a turn of the loop: nothing connects to a
  // listener that was closed. It outlives the handle, which must not poll what is
  // closed.
  Socket socket_;
  Handle<State> handle_;
};

class Listener::Accept {
 public:
  explicit Accept(Listener& listener) : loop_(*listener.loop_), state_(listener.handle_.get()) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiter);
  Result<Stream> await_resume();

 private:
  friend class Listener;
  bool try_now();

  Loop& loop_;
  State* state_;
  std::coroutine_handle<> waiter_;
  int result_ = 0;  // the descriptor of a connection, or an error of libuv
};

inline Listener::Accept Listener::accept() { return Accept(*this); }

}  // namespace imgcached::net
