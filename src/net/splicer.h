// Splicer: sends memory over a socket without copying it.
//
// A write copies the bytes into the kernel, which for images of a hundred kilobytes is
// most of what an answer costs. vmsplice(2) puts references to the pages into a pipe
// instead, and splice(2) moves them on to the socket; the receiver's copy is then the
// only one on the loopback device, and a network card fetches them by itself. (sendfile
// does the same for files; MSG_ZEROCOPY copies on the loopback device.)
//
// The price is that the kernel still reads the pages after the call, until the peer has
// them. So they may never be written again, not even for other bytes: Blob::is_mapped().
//
// One of these belongs to each loop; its pipe is opened when it is first needed and is
// empty between two calls. Where the system does not allow any of it, which some
// containers do not, send() says so once and for all, and one writes as usual.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace imgcached::net {

class Splicer {
 public:
  Splicer() = default;
  Splicer(const Splicer&) = delete;
  Splicer& operator=(const Splicer&) = delete;
  ~Splicer();

  // How many of `bytes` the socket has taken, 0 when it takes none now or its connection
  // is broken; nothing: it can't be done this way. REQUIRES: `socket` does not block.
  std::optional<std::size_t> send(int socket, std::string_view bytes);

 private:
  bool open();
  void discard(std::size_t count);

  bool is_usable_ = true;
  std::size_t capacity_ = 0;  // of the pipe, in bytes
  int input_ = -1;            // its two ends
  int output_ = -1;
  int null_ = -1;  // where to goes what the socket did not take
};

}  // namespace imgcached::net
