// Stream: a TCP connection, read and written by coroutines.
//
// Model: one reader and one writer at a time. Reading is left switched on
// between reads, because switching it costs an epoll_ctl each way; if bytes
// arrive while nobody reads, it is switched off until somebody does, which is
// the back-pressure. A write first tries the socket directly, and only what
// does not fit is queued: the common response costs one system call.
//
// The deadline bounds whatever is waited for. What has come by then counts, even
// if the loop was too busy to look, since its timers run before its sockets. A
// read that meets it returns Errc::timed_out and the stream stays usable (to say
// so to the peer); a write can't be taken back, so one that meets it ends the
// connection.
#pragma once

#include <array>
#include <coroutine>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "net/address.h"
#include "net/buffer_pool.h"
#include "net/deadline.h"
#include "net/handle.h"

namespace imgcached::net {

class Stream {
 public:
  // What one write hands over: a head, a body and what ends it; any may be empty.
  using Pieces = std::array<std::string_view, 3>;

  // Connects; the timeout covers it all. A name may have several addresses: they
  // are tried in turn. Errors: unavailable, timed_out, invalid_argument.
  static Task<Result<Stream>> connect(Loop& loop, Address address, std::uint64_t timeout_ms);
  // The same with addresses that are known. REQUIRES: there is one.
  static Task<Result<Stream>> connect(Loop& loop, std::vector<SocketAddress> targets,
                                      std::uint64_t timeout_ms);

  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) noexcept = default;
  ~Stream() { close(); }

  class Read;
  // Awaits bytes and puts them into `buffer`, which must be empty and outlive
  // the await. Result: their number, 0 at the end of the stream. Errors:
  // closed, timed_out.
  Read read(ReadBuffer& buffer);

  class Write;
  // Awaits until the kernel has taken all pieces, which must outlive the await.
  // Errors: closed, timed_out.
  Write write(Pieces pieces);

  // Hands over at once what the kernel takes of `head` and, without copying them, of
  // `pages`, which lie in pages that nobody writes any more (net/splicer.h). How many
  // bytes; what is left, if only for a broken connection, is for write().
  // REQUIRES: nobody is writing.
  std::size_t send_pages(std::string_view head, std::string_view pages);

  class Shutdown;
  // Tells the peer that nothing more will come; reading goes on.
  Shutdown shutdown();

  // From now on, timeout_ms for what is or will be waited for; replaces the
  // former deadline. 0 removes it.
  void set_deadline(std::uint64_t timeout_ms);

  // Ends the connection; whoever waits gets Errc::closed. Idempotent.
  void close();
  bool is_open() const { return static_cast<bool>(handle_); }
  // Whether the peer may still read what is written: not after a close of ours,
  // nor after a reset. One that has only ended its own writing still reads.
  // Asks the system, for nobody hears of a reset while nobody reads.
  bool is_connected() const;
  // Whether a read would bring something at once: bytes, the end or an error.
  bool has_input() const;

  Address peer() const;
  Address local() const;  // our end

 private:
  friend class Listener;
  struct State {
    uv_tcp_t uv;
    bool reading = false;
    bool deadline_passed = false;
    Read* reader = nullptr;
    Write* writer = nullptr;

    std::coroutine_handle<> take_waiter();
  };

  explicit Stream(Loop& loop);
  static Task<Result<Stream>> connect_to(Loop& loop, SocketAddress target,
                                         std::uint64_t timeout_ms);
  static void expire(State* state);
  static void on_alloc(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buffer);
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer);

  Handle<State> handle_;
  Deadline deadline_;
};

class Stream::Read {
 public:
  Read(State* state, ReadBuffer& buffer) : state_(state), buffer_(buffer) {}
  bool await_ready() const noexcept { return state_ == nullptr; }
  bool await_suspend(std::coroutine_handle<> waiter);
  Result<std::size_t> await_resume() const;

 private:
  friend class Stream;
  State* state_;
  ReadBuffer& buffer_;
  std::coroutine_handle<> waiter_;
  ssize_t status_ = UV_ECANCELED;  // what a close leaves behind
};

class Stream::Write {
 public:
  Write(State* state, Pieces pieces) : state_(state), pieces_(pieces) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiter);
  Result<void> await_resume() const;

 private:
  friend class Stream;
  State* state_;
  Pieces pieces_;
  uv_write_t request_;
  std::coroutine_handle<> waiter_;
  int status_ = UV_ECANCELED;
  bool timed_out_ = false;
};

class Stream::Shutdown {
 public:
  explicit Shutdown(State* state) : state_(state) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiter) { waiter_ = waiter; }
  Result<void> await_resume() const;

 private:
  State* state_;
  uv_shutdown_t request_;
  std::coroutine_handle<> waiter_;
  int status_ = UV_ECANCELED;
};

}  // namespace imgcached::net
