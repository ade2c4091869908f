#include "http/content_coding.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <string>

namespace imgcached::http {
namespace {

std::string gunzip(std::string coded, std::size_t size) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
  std::string bytes(size + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(coded.data());
  stream.avail_in = static_cast<uInt>(coded.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  bytes.resize(stream.total_out);
  inflateEnd(&stream);
  return bytes;
}

TEST_CASE("gzip is accepted when the client names it or takes anything, and does not refuse it") {
  for (const char* accepted :
       {"gzip", "GZIP", "x-gzip", "br, gzip", "gzip, deflate, br, zstd", " gzip ;q=0.5", "gzip;q=1",
        "*", "br;q=1.0, *;q=0.1", "gzip;q=0.001", "*;q=0, gzip", ",,gzip", "identity;q=0, gzip"}) {
    CAPTURE(accepted);
    CHECK(accepts_gzip(accepted));
  }
  for (const char* refused :
       {"", "br", "identity", "gzip;q=0", "gzip; q=0.000", "gzip;Q=0", "*;q=0", "*, gzip;q=0",
        "gzip;q=0, *", "notgzip", "gzipped", "br;q=1.0, identity", ",", ";"}) {
    CAPTURE(refused);
    CHECK_FALSE(accepts_gzip(refused));
  }
}

TEST_CASE("a media type is accepted where it is named, whatever its weight but 0") {
  constexpr const char* type = "application/octet-stream";
  for (const char* accepted :
       {"application/octet-stream", "Application/Octet-Stream",
        "text/plain, application/octet-stream", "application/octet-stream;q=0.5",
        "application/octet-stream ; q=0.001, */*;q=0", "application/octet-stream;version=1;q=1"}) {
    CAPTURE(accepted);
    CHECK(accepts_type(accepted, type));
  }
  for (const char* refused :
       {"", "*/*", "application/*", "text/plain", "application/octet-stream;q=0",
        "application/octet-stream;version=1; Q=0.0", "application/octet-streams"}) {
    CAPTURE(refused);
    CHECK_FALSE(accepts_type(refused, type));
  }
}

TEST_CASE("what is put into gzip comes out of it, smaller where it repeats itself") {
  std::string noise;
  for (unsigned i = 0; i < 70'000; ++i) noise += static_cast<char>((i * 2654435761u) >> 13);
  const std::string lines(100'000, 'a');
  for (const std::string& bytes : {std::string(), std::string("a"), noise, lines}) {
    CHECK(gunzip(gzip(bytes), bytes.size()) == bytes);
  }
  CHECK(gzip(lines).size() < 1000);
}

}  // namespace
}  // namespace imgcached::http
