#include "net/listener.h"

#include <cassert>

namespace imgcached::net {
namespace {

uv_stream_t* as_stream(uv_tcp_t& tcp) { return reinterpret_cast<uv_stream_t*>(&tcp); }

}  // namespace

Result<Listener> Listener::open(Loop& loop, const SocketAddress& address) {
  Listener listener(loop);
  int status =
      listener.handle_.open(loop, [&](State& state) { return uv_tcp_init(loop.raw(), &state.uv); });
  if (status == 0) status = uv_tcp_bind(&listener.handle_->uv, address.raw(), 0);
  if (status == 0) {
    status =
        uv_listen(as_stream(listener.handle_->uv), backlog, [](uv_stream_t* stream, int error) {
          auto* state = static_cast<State*>(stream->data);
          if (error == 0) state->pending = true;
          if (!state->acceptor) return;
          Accept* acceptor = std::exchange(state->acceptor, nullptr);
          acceptor->status_ = error;
          acceptor->waiter_.resume();
        });
  }
  if (status != 0) return uv_error(status, "cannot listen on " + address.address().text());
  return listener;
}

std::coroutine_handle<> Listener::State::take_waiter() {
  if (!acceptor) return nullptr;
  acceptor->status_ = UV_ECANCELED;
  acceptor->state_ = nullptr;
  return std::exchange(acceptor, nullptr)->waiter_;
}

void Listener::Accept::await_suspend(std::coroutine_handle<> waiter) {
  assert(!state_->acceptor && "one acceptor at a time");
  waiter_ = waiter;
  state_->acceptor = this;
}

Result<Stream> Listener::Accept::await_resume() {
  if (!state_) return Error{Errc::closed, "the listener was closed"};
  if (status_ != 0) return uv_error(status_, "accept");
  state_->pending = false;
  Stream stream(loop_);
  const int status = uv_accept(as_stream(state_->uv), as_stream(stream.handle_->uv));
  if (status != 0) return uv_error(status, "accept");
  uv_tcp_nodelay(&stream.handle_->uv, 1);
  return stream;
}

Address Listener::address() const {
  SocketAddress name;
  int length = sizeof name.storage;
  uv_tcp_getsockname(&handle_->uv, reinterpret_cast<sockaddr*>(&name.storage), &length);
  return name.address();
}

}  // namespace imgcached::net
