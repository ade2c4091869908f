#include "net/splicer.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace imgcached::net {
namespace {

// The most that anybody may ask for, where the administrator has not said otherwise.
constexpr int pipe_bytes_wanted = 1 << 20;

}  // namespace

Splicer::~Splicer() {
  for (const int descriptor : {input_, output_, null_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

bool Splicer::open() {
  if (null_ >= 0) return true;
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return false;
  output_ = ends[0];
  input_ = ends[1];
  ::fcntl(input_, F_SETPIPE_SZ, pipe_bytes_wanted);  // else it stays at 64 KiB
  const int capacity = ::fcntl(input_, F_GETPIPE_SZ);
  null_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  capacity_ = static_cast<std::size_t>(std::max(capacity, 0));
  return null_ >= 0 && capacity > 0;
}

std::optional<std::size_t> Splicer::send(int socket, std::string_view bytes) {
  if (is_usable_) is_usable_ = open();
  std::size_t sent = 0;
  bool takes_more = true;
  while (is_usable_ && takes_more && sent < bytes.size()) {
    const std::string_view rest = bytes.substr(sent, capacity_);
    const iovec memory{const_cast<char*>(rest.data()), rest.size()};
    const ssize_t queued = ::vmsplice(input_, &memory, 1, SPLICE_F_NONBLOCK);
    is_usable_ = queued > 0;
    std::size_t left = is_usable_ ? static_cast<std::size_t>(queued) : 0;
    while (left > 0 && takes_more) {
      const unsigned more = sent + left < bytes.size() ? SPLICE_F_MORE : 0;
      const ssize_t moved =
          ::splice(output_, nullptr, socket, nullptr, left, SPLICE_F_NONBLOCK | more);
      takes_more = moved > 0;
      if (!takes_more) is_usable_ = errno != EINVAL && errno != ENOSYS && errno != EPERM;
      const std::size_t taken = takes_more ? static_cast<std::size_t>(moved) : 0;
      sent += taken;
      left -= taken;
    }
    discard(left);
  }
  if (!is_usable_ && sent == 0) return std::nullopt;
  return sent;
}

void Splicer::discard(std::size_t count) {
  while (count > 0) {
    const ssize_t moved = ::splice(output_, nullptr, null_, nullptr, count, 0);
    if (moved <= 0) {
      is_usable_ = false;  // or its next user would send what is left of this
      return;
    }
    count -= static_cast<std::size_t>(moved);
  }
}

}  // namespace imgcached::net
