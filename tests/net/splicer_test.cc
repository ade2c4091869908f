#include "net/splicer.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "base/blob.h"
#include "base/random.h"
#include "net/stream.h"
#include "tests/net/no_descriptors.h"
#include "tests/net/stream_pair.h"

namespace imgcached::net {
namespace {

using test::run_task;
using test::StreamPair;

Blob random_blob(std::size_t size) {
  Random random(size);
  BlobBuffer buffer(size);
  for (std::size_t i = 0; i < size; ++i) buffer.data()[i] = static_cast<char>(random.next());
  return std::move(buffer).seal();
}

// Sends all of `bytes`, in as many steps as it takes, while the other side reads.
std::string sent_through(Loop& loop, std::string_view head, std::string_view bytes) {
  StreamPair pair(loop);
  std::string received;
  std::size_t sent = 0;
  while (received.size() < head.size() + bytes.size()) {
    const std::size_t of_head = std::min(sent, head.size());
    sent += pair.near->send_pages(head.substr(of_head), bytes.substr(sent - of_head));
    Result<std::string> some = run_task(loop, test::read_some(loop, *pair.far));
    REQUIRE(some.ok());
    received += *some;
  }
  CHECK(sent == received.size());
  pair.close();
  return received;
}

TEST_CASE("what is spliced arrives whole and in order, whatever its size") {
  Loop loop;
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{4095}, Blob::mapped_bytes_min, std::size_t{100'001},
        std::size_t{1} << 20, std::size_t{20'000'003}}) {
    CAPTURE(size);
    const Blob blob = random_blob(size);
    const std::string head = "head of " + std::to_string(size) + "\r\n\r\n";
    CHECK((sent_through(loop, head, blob.view()) == head + std::string(blob.view())));
  }
  loop.run();
}

TEST_CASE("a part of a blob is spliced from wherever it begins") {
  Loop loop;
  const Blob blob = random_blob(300'000);
  for (const std::size_t offset :
       {std::size_t{1}, std::size_t{4064}, std::size_t{4096}, std::size_t{77'777}}) {
    CAPTURE(offset);
    const std::string_view part = blob.view().substr(offset, 200'000);
    CHECK((sent_through(loop, {}, part) == part));
  }
  loop.run();
}

TEST_CASE("a socket that takes no more gets nothing more, and nothing of it goes to another one") {
  Loop loop;
  const Blob first = random_blob(32 << 20);
  StreamPair stuck(loop);
  std::size_t sent = 0;
  while (const std::size_t taken = stuck.near->send_pages({}, first.view().substr(sent)))
    sent += taken;
  CHECK(sent > 0);
  CHECK(sent < first.size());

  const Blob second = random_blob(200'000);
  CHECK((sent_through(loop, "x", second.view()) == "x" + std::string(second.view())));

  std::string received;
  while (received.size() < sent) received += *run_task(loop, test::read_some(loop, *stuck.far));
  CHECK((received == first.view().substr(0, sent)));
  stuck.close();
  loop.run();
}

TEST_CASE("what is under way stays what it was when its blob has gone and others have come") {
  Loop loop;
  StreamPair pair(loop);
  constexpr std::size_t size = 300'000;
  std::string expected;
  // A heap gives a freed block of this size to the next one who asks, once it has seen some.
  for (int i = 0; i < 3; ++i) random_blob(size);
  {
    const Blob blob = random_blob(size);
    REQUIRE(blob.is_mapped());
    expected = std::string(blob.view());
    REQUIRE(pair.near->send_pages({}, blob.view()) == size);
  }
  // Whoever gets memory now must not get that of what has not been read yet.
  std::vector<Blob> others;
  for (int i = 0; i < 50; ++i) others.push_back(Blob::copy_of(std::string(size, 'x')));
  std::string received;
  while (received.size() < size) received += *run_task(loop, test::read_some(loop, *pair.far));
  CHECK((received == expected));
  pair.close();
  loop.run();
}

TEST_CASE("a connection that is broken takes nothing, and the splicer goes on") {
  Loop loop;
  const Blob blob = random_blob(200'000);
  StreamPair pair(loop);
  pair.near->close();
  CHECK(pair.near->send_pages("head", blob.view()) == 0);
  pair.close();
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
  ::close(ends[1]);
  CHECK(loop.splicer().send(ends[0], blob.view()) == 0);
  ::close(ends[0]);
  CHECK((sent_through(loop, "x", blob.view()) == "x" + std::string(blob.view())));
  loop.run();
}

TEST_CASE("without descriptors for the pipe it is sent by copying") {
  Loop loop;
  const Blob blob = random_blob(200'000);
  StreamPair pair(loop);
  std::size_t sent = 0;
  {
    const test::NoDescriptors none;
    sent = pair.near->send_pages("x", blob.view());
    CHECK(loop.splicer().send(0, blob.view()) == std::nullopt);
  }
  REQUIRE(sent > 1);
  std::string received;
  while (received.size() < sent) received += *run_task(loop, test::read_some(loop, *pair.far));
  CHECK((received == ("x" + std::string(blob.view())).substr(0, sent)));
  pair.close();
  loop.run();
}

}  // namespace
}  // namespace imgcached::net
