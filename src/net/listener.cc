#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>

namespace imgcached::net {
namespace {

// What the kernel holds of a connection that its peer has no room for yet. Without
// a bound it is up to net.ipv4.tcp_wmem, 4 MiB, for each of any number of slow readers.
constexpr int unsent_bytes_max = 128 << 10;

// Who shares a port from the beginning has it for himself before he says so: else he would
// join whoever listens there and shares it, too, another imgcached say.
int bind_and_listen(int descriptor, const SocketAddress& address, PortUse use, int backlog) {
  const bool is_v6 = address.storage.ss_family == AF_INET6;
  const socklen_t size = is_v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  const int on = 1;
  const auto share = [&] {
    return ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  };
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (use == PortUse::shared_join && share() != 0) return -errno;
  if (::bind(descriptor, address.raw(), size) != 0) return -errno;
  if (::listen(descriptor, backlog) != 0) return -errno;
  return use == PortUse::shared && share() != 0 ? -errno : 0;
}

}  // namespace

void Listener::Socket::reset() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

Result<Listener> Listener::open(Loop& loop, const SocketAddress& address, PortUse use) {
  Listener listener(loop);
  constexpr int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const int descriptor = ::socket(address.storage.ss_family, type, 0);
  int status = descriptor < 0 ? -errno : 0;
  listener.socket_ = Socket(descriptor);
  if (status == 0) status = bind_and_listen(descriptor, address, use, backlog);
  if (status == 0) {
    status = listener.handle_.open(loop, [&](State& state) {
      state.descriptor = descriptor;
      return uv_poll_init(loop.raw(), &state.uv, descriptor);
    });
  }
  if (status != 0) return uv_error(status, "cannot listen on " + address.address().text());
  return listener;
}

std::coroutine_handle<> Listener::State::take_waiter() {
  if (!acceptor) return nullptr;
  acceptor->state_ = nullptr;
  return std::exchange(acceptor, nullptr)->waiter_;
}

void Listener::State::on_readable(uv_poll_t* poll, int status, int) {
  auto* state = static_cast<State*>(poll->data);
  state->accepts_in_turn = 0;
  if (state->acceptor && (status != 0 || state->acceptor->try_now())) {
    if (status != 0) state->acceptor->result_ = status;
    std::exchange(state->acceptor, nullptr)->waiter_.resume();
  }
  // The next connection is left to the backlog, unless somebody wants it already.
  if (!state->acceptor && !uv_is_closing(reinterpret_cast<uv_handle_t*>(poll))) uv_poll_stop(poll);
}

bool Listener::Accept::await_ready() {
  if (!state_) return true;
  return state_->accepts_in_turn < accepts_per_turn_max && try_now();
}

// False when there is no connection to take.
bool Listener::Accept::try_now() {
  ++state_->accepts_in_turn;
  do {
    result_ = ::accept4(state_->descriptor, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (result_ < 0) result_ = -errno;
  } while (result_ == -EINTR || result_ == -ECONNABORTED);
  return result_ != -EAGAIN;
}

void Listener::Accept::await_suspend(std::coroutine_handle<> waiter) {
  assert(!state_->acceptor && "one acceptor at a time");
  waiter_ = waiter;
  state_->acceptor = this;
  if (!uv_is_active(reinterpret_cast<uv_handle_t*>(&state_->uv))) {
    uv_poll_start(&state_->uv, UV_READABLE, &State::on_readable);
  }
}

Result<Stream> Listener::Accept::await_resume() {
  if (!state_) return Error{Errc::closed, "the listener was closed"};
  if (result_ < 0) return uv_error(result_, "accept");
  Stream stream(loop_);
  const int status = uv_tcp_open(&stream.handle_->uv, result_);
  if (status != 0) {
    ::close(result_);
    return uv_error(status, "accept");
  }
  uv_tcp_nodelay(&stream.handle_->uv, 1);
  ::setsockopt(result_, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes_max, sizeof unsent_bytes_max);
  return stream;
}

Address Listener::address() const {
  SocketAddress name;
  socklen_t length = sizeof name.storage;
  ::getsockname(handle_->descriptor, reinterpret_cast<sockaddr*>(&name.storage), &length);
  return name.address();
}

}  // namespace imgcached::net
