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

// What may come beyond the image that is due: room for one of another workload,
// which its stamp at either end then tells from a spoilt one.
constexpr std::size_t image_slack_bytes = Sizes::bytes_max;
// Around an image in JSON.
constexpr std::size_t json_slack_bytes = 64 * 1024;

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

  // `image_bytes`: what the image must have.
  Sink(Observation& seen, Content content, ImageCheck& check, std::size_t image_bytes,
       std::string& json)
      : seen_(seen), content_(content), check_(check), json_(json) {
    bytes_max_ = image_bytes + image_slack_bytes;
    if (content == Content::json) {
      bytes_max_ = http::base64::encoded_size(bytes_max_) + json_slack_bytes;
    }
  }

  bool head(const http::MessageHead& head) override {
    seen_.first_byte_ns = monotonic_ns();
    seen_.status = head.status;
    is_wanted_ = head.status == 200;
    const auto cache = head.headers.find("X-Cache");
    seen_.hit = cache && *cache == "hit";
    // At once as large as it will be, and as the parser wants it.
    if (is_wanted_ && content_ == Content::json && head.content_length.value_or(0) <= bytes_max_) {
      json_.reserve(head.content_length.value_or(0) + http::JsonObject::padding_bytes);
    }
    return true;
  }
  bool body(std::string_view piece) override {
    if (!is_wanted_ || content_ == Content::none) return true;
    is_too_long_ = piece.size() > bytes_max_ - received_bytes_;
    if (is_too_long_) return false;
    received_bytes_ += piece.size();
    if (content_ == Content::image) {
      check_.add(piece);
      seen_.image_bytes += piece.size();
    } else {
      json_ += piece;
    }
    return true;
  }
  // Whether it refused the rest of the body.
  bool is_too_long() const { return is_too_long_; }

 private:
  Observation& seen_;
  Content content_;
  ImageCheck& check_;
  std::string& json_;
  std::size_t bytes_max_;
  std::size_t received_bytes_ = 0;
  bool is_wanted_ = false;
  bool is_too_long_ = false;
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
  if (!workload_.token) return;
  fmt::format_to(std::back_inserter(head_), "Authorization: {}\r\n",
                 workload_.token->authorization());
}

Task<void> Session::exchange(net::Stream::Pieces request, Sink& sink, Observation& seen) {
  seen.sent_ns = monotonic_ns();
  Result<void> exchanged = co_await connection_.exchange(request, false, sink);
  seen.done_ns = monotonic_ns();
  seen.sent_twice = connection_.sent_twice();
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
  std::string json;
  Sink sink(seen, is_api ? Sink::Content::json : Sink::Content::image, check,
            images_.image_bytes(key), json);
  const net::Stream::Pieces request{head_, {}, {}};
  co_await exchange(request, sink, seen);
  // It is an answer, and more: a wrong image, no broken connection.
  if (sink.is_too_long()) seen.failure.reset();
  if (seen.failure || seen.status != 200) co_return seen;
  if (is_api && !sink.is_too_long()) check_content(key, std::move(json), seen, check);
  seen.verdict = check.finish();
  if (seen.verdict == ImageCheck::Verdict::intact) seen.version = check.version();
  co_return seen;
}

// {"success":"true","key":"...","content":"<base64>"}. What is not that, and came
// whole, is an image that was spoilt: nothing is added to the check, which then
// finds it corrupt. But a failure that is told with status 200 is not this API.
void Session::check_content(std::uint64_t key, std::string json, Observation& seen,
                            ImageCheck& check) {
  const Result<http::JsonObject> answer = http::JsonObject::parse(std::move(json));
  if (answer && answer->find("success") == "false") {
    seen.failure = Errc::protocol;
    return;
  }
  if (!answer || answer->find("success") != "true") return;
  if (answer->find("key") != key_name(workload_, key)) return;
  const Result<Blob> image = http::base64::decode(answer->find("content").value_or(""));
  if (!image) return;
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
  std::string no_json;
  Sink sink(seen, Sink::Content::none, unused, image_bytes, no_json);
  co_await exchange(request, sink, seen);
  if (!seen.failure && seen.status / 100 == 2) seen.image_bytes = image_bytes;
  co_return seen;
}

}  // namespace imgcached::loadgen
