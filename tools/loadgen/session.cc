#include "tools/loadgen/session.h"

#include <fmt/format.h>

#include <cassert>

#include "base/clock.h"
#include "http/base64.h"
#include "http/json.h"
#include "http/url.h"

namespace imgcached::loadgen {
namespace {

// A line that no image contains: nobody makes images of this text.
constexpr std::string_view boundary = "loadgen-93d0c1f5ab7e4c62";

// What is put together with the head of an upload instead of being a piece of
// its own.
constexpr std::size_t joined_bytes_max = 4096;

http::ClientConnection::Limits connection_limits(std::uint64_t timeout_ms) {
  http::ClientConnection::Limits limits;
  limits.connect_timeout_ms = timeout_ms;
  limits.response_timeout_ms = timeout_ms;
  limits.exchange_timeout_ms = timeout_ms;
  return limits;
}

}  // namespace

std::string key_name(const Workload& workload, std::uint64_t key) {
  return fmt::format("{}{:09}", workload.key_prefix, key);
}

// Takes the answer to one operation: the time of its head, and its body as far
// as it matters.
class Session::Sink : public http::ResponseSink {
 public:
  // What the body of a 200 is.
  enum class Content { none, image, json };

  Sink(Observation& seen, Content content, ImageCheck& check, std::string& json)
      : seen_(seen), content_(content), check_(check), json_(json) {}

  bool head(const http::MessageHead& head) override {
    seen_.first_byte_ns = monotonic_ns();
    seen_.status = head.status;
    is_wanted_ = head.status == 200;
    const auto cache = head.headers.find("X-Cache");
    seen_.hit = cache && *cache == "hit";
    return true;
  }
  bool body(std::string_view piece) override {
    if (!is_wanted_ || content_ == Content::none) return true;
    if (content_ == Content::image) {
      check_.add(piece);
      seen_.image_bytes += piece.size();
      return true;
    }
    if (json_.size() + piece.size() > json_bytes_max) return false;
    json_ += piece;
    return true;
  }

 private:
  // The largest image in base64, and what is around it.
  static constexpr std::size_t json_bytes_max =
      http::base64::encoded_size(Sizes::bytes_max) + 64 * 1024;

  Observation& seen_;
  Content content_;
  ImageCheck& check_;
  std::string& json_;
  bool is_wanted_ = false;
};

Session::Session(net::Loop& loop, const net::Address& server, const Workload& workload,
                 const ImageSet& images, std::uint64_t timeout_ms)
    : workload_(workload),
      images_(images),
      host_(server.text()),
      connection_(loop, server, connection_limits(timeout_ms)) {}

void Session::begin_head(std::string_view method, std::string_view path, std::uint64_t key) {
  head_.clear();
  fmt::format_to(std::back_inserter(head_), "{} {}", method, path);
  if (path.ends_with('/')) head_ += http::percent_encode(key_name(workload_, key));
  fmt::format_to(std::back_inserter(head_), " HTTP/1.1\r\nHost: {}\r\n", host_);
}

Task<void> Session::exchange(net::Stream::Pieces request, Sink& sink, Observation& seen) {
  seen.sent_ns = monotonic_ns();
  Result<void> exchanged = co_await connection_.exchange(request, false, sink);
  seen.done_ns = monotonic_ns();
  if (!exchanged) seen.failure = exchanged.error().code;
}

Task<Observation> Session::read(std::uint64_t key) {
  Observation seen;
  ImageCheck check(images_, key);
  const bool is_api = workload_.dialect == Dialect::api;
  if (is_api) {
    begin_head("POST", "/api/key/", key);
    head_ += "Content-Length: 0\r\n";
  } else {
    begin_head("GET", "/images/", key);
  }
  head_ += "\r\n";
  json_.clear();
  Sink sink(seen, is_api ? Sink::Content::json : Sink::Content::image, check, json_);
  const net::Stream::Pieces request{head_, {}, {}};
  co_await exchange(request, sink, seen);
  if (seen.failure || seen.status != 200) co_return seen;
  if (is_api) check_content(seen, check);
  seen.verdict = check.finish();
  if (seen.verdict == ImageCheck::Verdict::intact) seen.version = check.version();
  co_return seen;
}

// {"success":"true","key":"...","content":"<base64>"}
void Session::check_content(Observation& seen, ImageCheck& check) {
  const Result<http::JsonObject> answer = http::JsonObject::parse(std::move(json_));
  const auto content = answer ? answer->find("content") : std::nullopt;
  if (!content || answer->find("success") != "true") {
    seen.failure = Errc::protocol;
    return;
  }
  const Result<Blob> image = http::base64::decode(*content);
  if (!image) {
    seen.failure = Errc::protocol;
    return;
  }
  check.add(image->view());
  seen.image_bytes = image->size();
}

Task<Observation> Session::write(std::uint64_t key, Version version) {
  const ImageSet::Pieces image = images_.image(key, version);
  const std::size_t image_bytes = image.front.size() + image.stamp.size() + image.back.size();
  tail_.clear();
  if (workload_.dialect == Dialect::api) {
    const std::string fields = fmt::format(
        "--{0}\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n{1}\r\n"
        "--{0}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"image\"\r\n\r\n",
        boundary, key_name(workload_, key));
    tail_ = fmt::format("\r\n--{}--\r\n", boundary);
    begin_head("POST", "/api/upload", key);
    fmt::format_to(std::back_inserter(head_),
                   "Content-Type: multipart/form-data; boundary={}\r\nContent-Length: {}\r\n\r\n",
                   boundary, fields.size() + image_bytes + tail_.size());
    head_ += fields;
  } else {
    begin_head("PUT", "/images/", key);
    fmt::format_to(std::back_inserter(head_), "Content-Length: {}\r\n\r\n", image_bytes);
  }
  net::Stream::Pieces request;
  if (image.front.size() <= joined_bytes_max) {
    head_ += image.front;
    head_ += image.stamp;
    request = {head_, image.back, tail_};
  } else {  // the stamp stands behind a whole file
    assert(image.back.empty());
    tail_.insert(0, image.stamp);
    request = {head_, image.front, tail_};
  }
  Observation seen;
  ImageCheck unused(images_, key);
  Sink sink(seen, Sink::Content::none, unused, json_);
  co_await exchange(request, sink, seen);
  if (!seen.failure && seen.status / 100 == 2) seen.image_bytes = image_bytes;
  co_return seen;
}

}  // namespace imgcached::loadgen
