#include "net/stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>

#include "base/clock.h"
#include "net/readiness.h"

namespace imgcached::net {
namespace {

uv_stream_t* as_stream(uv_tcp_t& tcp) { return reinterpret_cast<uv_stream_t*>(&tcp); }

// The pieces that are not empty, as libuv wants them.
struct Buffers {
  std::array<uv_buf_t, std::tuple_size_v<Stream::Pieces>> items;
  unsigned count = 0;

  explicit Buffers(const Stream::Pieces& pieces) {
    for (const std::string_view piece : pieces) {
      if (piece.empty()) continue;
      items[count++] =
          uv_buf_init(const_cast<char*>(piece.data()), static_cast<unsigned>(piece.size()));
    }
  }
};

bool is_ready(uv_tcp_t& tcp, short events) {
  uv_os_fd_t fd;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(&tcp), &fd) != 0) return false;
  return net::is_ready(fd, events);
}

struct ConnectAwaiter {
  uv_tcp_t& tcp;
  const SocketAddress& target;
  uv_connect_t request;
  std::coroutine_handle<> waiter;
  int status = 0;

  ConnectAwaiter(uv_tcp_t& handle, const SocketAddress& address) : tcp(handle), target(address) {}
  bool await_ready() {
    request.data = this;
    status = uv_tcp_connect(&request, &tcp, target.raw(), [](uv_connect_t* done, int result) {
      auto* self = static_cast<ConnectAwaiter*>(done->data);
      self->status = result;
      self->waiter.resume();
    });
    return status != 0;
  }
  void await_suspend(std::coroutine_handle<> suspended) { waiter = suspended; }
  int await_resume() const { return status; }
};

}  // namespace

Stream::Stream(Loop& loop) : deadline_(loop) {
  const int status =
      handle_.open(loop, [&](State& state) { return uv_tcp_init(loop.raw(), &state.uv); });
  assert(status == 0);  // makes no socket yet, so it can't fail
  (void)status;
}

Task<Result<Stream>> Stream::connect(Loop& loop, Address address, std::uint64_t timeout_ms) {
  const std::uint64_t deadline_ms = monotonic_ms() + timeout_ms;
  Result<std::vector<SocketAddress>> targets = co_await resolve(loop, address, timeout_ms);
  if (!targets) co_return std::move(targets).error();
  const std::uint64_t left_ms = deadline_ms - std::min(deadline_ms, monotonic_ms());
  Task<Result<Stream>> connecting = connect(loop, std::move(*targets), left_ms);
  Result<Stream> stream = co_await std::move(connecting);
  co_return stream;
}

// Each gets its share of the time that is left: one that swallows what it is
// sent must not use up the time of those behind it.
Task<Result<Stream>> Stream::connect(Loop& loop, std::vector<SocketAddress> targets,
                                     std::uint64_t timeout_ms) {
  const std::uint64_t deadline_ms = monotonic_ms() + timeout_ms;
  std::size_t untried = targets.size();
  while (true) {
    const SocketAddress& target = targets[targets.size() - untried];
    const std::uint64_t left_ms = deadline_ms - std::min(deadline_ms, monotonic_ms());
    Result<Stream> stream = co_await connect_to(loop, target, left_ms / untried);
    if (stream || --untried == 0) co_return stream;
  }
}

Task<Result<Stream>> Stream::connect_to(Loop& loop, SocketAddress target,
                                        std::uint64_t timeout_ms) {
  const Address address = target.address();
  Stream stream(loop);
  struct Limit {
    Stream& stream;
    bool passed = false;
  } limit{stream};
  Timer timer(loop);
  timer.start(
      timeout_ms,
      [](void* argument) {
        auto* reached = static_cast<Limit*>(argument);
        if (is_ready(reached->stream.handle_->uv, POLLOUT)) return;
        reached->passed = true;
        reached->stream.close();
      },
      &limit);
  ConnectAwaiter connected(stream.handle_->uv, target);
  const int status = co_await connected;
  if (limit.passed) {
    co_return Error{Errc::timed_out, "connecting to " + address.text() + " took over " +
                                         std::to_string(timeout_ms) + " ms"};
  }
  if (status != 0) co_return uv_error(status, "connect to " + address.text());
  uv_tcp_nodelay(&stream.handle_->uv, 1);
  co_return std::move(stream);
}

std::coroutine_handle<> Stream::State::take_waiter() {
  // A writer needs no waking here: libuv has called its callback already.
  if (!reader) return nullptr;
  return std::exchange(reader, nullptr)->waiter_;
}

Stream::Read Stream::read(ReadBuffer& buffer) { return Read(handle_.get(), buffer); }

bool Stream::Read::await_suspend(std::coroutine_handle<> waiter) {
  assert(!state_->reader && "one reader at a time");
  if (state_->deadline_passed) {
    status_ = UV_ETIMEDOUT;
    return false;
  }
  if (!state_->reading) {
    const int status = uv_read_start(as_stream(state_->uv), &Stream::on_alloc, &Stream::on_read);
    if (status != 0) {
      status_ = status;
      return false;
    }
    state_->reading = true;
  }
  waiter_ = waiter;
  state_->reader = this;
  return true;
}

Result<std::size_t> Stream::Read::await_resume() const {
  if (status_ > 0) return static_cast<std::size_t>(status_);
  if (status_ == UV_EOF) return std::size_t{0};
  return uv_error(static_cast<int>(status_), "read");
}

void Stream::on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  auto* state = static_cast<State*>(handle->data);
  *buffer = uv_buf_init(nullptr, 0);  // libuv then reports ENOBUFS instead of reading
  if (!state->reader) return;
  const auto [room, size] = state->reader->buffer_.room();
  *buffer = uv_buf_init(room, static_cast<unsigned>(size));
}

void Stream::on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
  auto* state = static_cast<State*>(stream->data);
  if (count == 0) return;  // EAGAIN
  if (count < 0) {
    uv_read_stop(stream);
    state->reading = false;
  }
  if (!state->reader) return;
  Read* reader = std::exchange(state->reader, nullptr);
  reader->status_ = count;
  if (count > 0) reader->buffer_.filled(static_cast<std::size_t>(count));
  reader->waiter_.resume();
}

Stream::Write Stream::write(Pieces pieces) { return Write(handle_.get(), pieces); }

bool Stream::Write::await_ready() {
  if (!state_) return true;
  Buffers buffers(pieces_);
  if (buffers.count == 0) {
    status_ = 0;
    return true;
  }
  const int written = uv_try_write(as_stream(state_->uv), buffers.items.data(), buffers.count);
  if (written < 0) {
    status_ = written;
    return written != UV_EAGAIN;
  }
  auto taken = static_cast<std::size_t>(written);
  for (std::string_view& piece : pieces_) {
    const std::size_t part = std::min(taken, piece.size());
    piece.remove_prefix(part);
    taken -= part;
  }
  status_ = 0;
  return std::all_of(pieces_.begin(), pieces_.end(),
                     [](std::string_view piece) { return piece.empty(); });
}

void Stream::Write::await_suspend(std::coroutine_handle<> waiter) {
  assert(!state_->writer && "one writer at a time");
  waiter_ = waiter;
  state_->writer = this;
  request_.data = this;
  Buffers buffers(pieces_);
  // Can't fail: the stream is open and has not been shut down by its writer.
  uv_write(&request_, as_stream(state_->uv), buffers.items.data(), buffers.count,
           [](uv_write_t* done, int status) {
             auto* self = static_cast<Write*>(done->data);
             self->state_->writer = nullptr;
             self->status_ = status;
             self->waiter_.resume();
           });
  if (state_->deadline_passed) expire(state_);
}

Result<void> Stream::Write::await_resume() const {
  if (timed_out_) return Error{Errc::timed_out, "the peer did not take what was written in time"};
  if (status_ != 0) return uv_error(status_, "write");
  return {};
}

std::size_t Stream::send_pages(std::string_view head, std::string_view pages) {
  if (!handle_) return 0;
  assert(!handle_->writer);
  uv_os_fd_t fd;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(&handle_->uv), &fd) != 0) return 0;
  std::size_t sent = 0;
  if (!head.empty()) {
    const ssize_t taken = ::send(fd, head.data(), head.size(), MSG_MORE | MSG_DONTWAIT);
    sent = static_cast<std::size_t>(std::max<ssize_t>(taken, 0));
    if (sent < head.size()) return sent;
  }
  auto& loop = *static_cast<Loop*>(handle_->uv.loop->data);
  if (const auto spliced = loop.splicer().send(fd, pages)) return sent + *spliced;
  const ssize_t taken = ::send(fd, pages.data(), pages.size(), MSG_DONTWAIT);
  return sent + static_cast<std::size_t>(std::max<ssize_t>(taken, 0));
}

Stream::Shutdown Stream::shutdown() { return Shutdown(handle_.get()); }

bool Stream::Shutdown::await_ready() {
  if (!state_) return true;
  request_.data = this;
  status_ = uv_shutdown(&request_, as_stream(state_->uv), [](uv_shutdown_t* done, int status) {
    auto* self = static_cast<Shutdown*>(done->data);
    self->status_ = status;
    self->waiter_.resume();
  });
  return status_ != 0;
}

Result<void> Stream::Shutdown::await_resume() const {
  if (status_ != 0) return uv_error(status_, "shutdown");
  return {};
}

void Stream::set_deadline(std::uint64_t timeout_ms) {
  if (!handle_) return;
  handle_->deadline_passed = false;
  if (timeout_ms == 0) {
    deadline_.clear();
    return;
  }
  deadline_.set(
      timeout_ms,
      [](void* argument) {
        auto* state = static_cast<State*>(argument);
        state->deadline_passed = true;
        expire(state);
      },
      handle_.get());
}

void Stream::expire(State* state) {
  if (state->writer) {
    state->writer->timed_out_ = true;
    // Makes the queued write fail, which is how its coroutine gets to know.
    uv_os_fd_t fd;
    if (uv_fileno(reinterpret_cast<uv_handle_t*>(&state->uv), &fd) == 0) ::shutdown(fd, SHUT_RDWR);
  } else if (state->reader && !is_ready(state->uv, POLLIN)) {
    Read* reader = std::exchange(state->reader, nullptr);
    reader->status_ = UV_ETIMEDOUT;
    reader->waiter_.resume();
  }
}

void Stream::close() {
  deadline_.close();
  handle_.reset();
}

bool Stream::is_connected() const { return handle_ && !is_ready(handle_->uv, 0); }

bool Stream::has_input() const { return handle_ && is_ready(handle_->uv, POLLIN); }

Address Stream::peer() const {
  SocketAddress name;
  int length = sizeof name.storage;
  if (handle_)
    uv_tcp_getpeername(&handle_->uv, reinterpret_cast<sockaddr*>(&name.storage), &length);
  return name.address();
}

Address Stream::local() const {
  SocketAddress name;
  int length = sizeof name.storage;
  if (handle_)
    uv_tcp_getsockname(&handle_->uv, reinterpret_cast<sockaddr*>(&name.storage), &length);
  return name.address();
}

}  // namespace imgcached::net
