#include "pages/raw_images.h"

#include "cache/key.h"
#include "http/conditional.h"
#include "http/json.h"
#include "http/url.h"
#include "pages/failure.h"

namespace imgcached::pages {
namespace {

// Of the path, or of the query string of /images itself.
Result<std::string> key_of(const http::Request& request) {
  if (request.path != "/images") return std::string(request.rest);
  Result<http::Form> query = http::parse_form(request.query);
  if (!query) return std::move(query).error();
  const auto key = query->find("key");
  if (!key) return Error{Errc::invalid_argument, "name the image: /images/KEY or /images?key=KEY"};
  return std::string(*key);
}

// The condition that a request makes on what it changes; null without one.
// Valid as long as the headers.
images::Precondition precondition_of(const http::Headers& headers) {
  if (!http::has_precondition(headers)) return nullptr;
  return [&headers](std::optional<std::string_view> digest) {
    if (!digest) return http::precondition_holds(headers, std::nullopt);
    return http::precondition_holds(headers, http::entity_tag(*digest));
  };
}

// The image, or the part of it that the headers ask for, or that it is known.
http::Response answer(const images::Image& image, const http::MessageHead& request) {
  const http::Headers& headers = request.headers;
  const std::string etag = http::entity_tag(image.bytes.digest());
  const std::size_t size = image.bytes.size();
  http::Response response;

  const auto wanted = headers.joined("If-Match");
  if (wanted && !http::if_match(*wanted, etag)) {
    return json_failure(Error{Errc::precondition_failed, "the image is another one by now"});
  }
  http::Range range;
  const auto asked = headers.joined("Range");
  const auto condition = headers.find("If-Range");
  if (asked && request.method == http::Method::get &&
      (!condition || http::if_range(*condition, etag))) {
    range = http::resolve_range(*asked, size);
  }
  const auto known = headers.joined("If-None-Match");
  if (known && http::if_none_match(*known, etag)) {
    response.status = 304;
  } else if (range.kind == http::Range::Kind::unsatisfiable) {
    response = json_failure(Failure{
        416, "the range lies outside of the image, which has " + std::to_string(size) + " bytes"});
    response.headers.add("Content-Range", "bytes */" + std::to_string(size));
    return response;
  } else {
    response = http::make_response(200, image.content_type(), image.bytes);
    if (range.kind == http::Range::Kind::partial) {
      response.status = 206;
      response.part = {range.first, range.length};
      response.headers.add("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                                std::to_string(range.first + range.length - 1) +
                                                "/" + std::to_string(size));
    }
  }
  response.headers.add("ETag", etag);
  response.headers.add("Accept-Ranges", "bytes");
  response.headers.add("Cache-Control", "no-cache");
  response.headers.add("X-Cache", image.cached ? "hit" : "miss");
  return response;
}

// Reads the whole body into `file`.
Task<Result<void>> receive_file(http::BodyReader& body, images::BlobWriter& file) {
  while (true) {
    Result<std::string_view> piece = co_await body.next();
    if (!piece) co_return std::move(piece).error();
    if (piece->empty()) co_return Result<void>();
    Result<void> written = co_await file.write(*piece);
    if (!written) co_return written;
    body.keep(file.buffered_bytes());
    body.hasten(file.pace_min());
  }
}

// Whether clients would take the key for a path that can be made shorter.
bool changes_as_a_path(std::string_view key) {
  while (true) {
    const std::size_t slash = key.find('/');
    const std::string_view segment = key.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") return true;
    if (slash == std::string_view::npos) return false;
    key.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string raw_image_url(std::string_view key) {
  if (changes_as_a_path(key)) return "/images?key=" + http::percent_encode(key);
  return "/images/" + http::percent_encode_path(key);
}

void RawImages::add_routes(http::Router& router) {
  for (const char* pattern : {"/images/*", "/images"}) {
    router.add({http::Method::get, pattern, [this](http::Request& r) { return get(r); }});
    router.add({http::Method::put, pattern, [this](http::Request& r) { return put(r); },
                upload_bytes_max_, http::Route::Body::required});
    router.add({http::Method::delete_, pattern, [this](http::Request& r) { return remove(r); }});
  }
}

Task<http::Response> RawImages::get(http::Request& request) {
  Result<std::string> key = key_of(request);
  if (!key) co_return json_failure(key.error());
  Result<images::Image> image = co_await store_.get(std::move(*key));
  if (!image) co_return json_failure(image.error());
  co_return answer(*image, request.head);
}

Task<http::Response> RawImages::put(http::Request& request) {
  Result<std::string> key = key_of(request);
  if (!key) co_return json_failure(key.error());
  Result<void> valid = cache::validate_key(*key);
  if (!valid) co_return json_failure(valid.error());
  // Who sends a part means to keep the rest (RFC 9110, section 14.5).
  if (request.head.headers.find("Content-Range")) {
    co_return json_failure(
        Error{Errc::invalid_argument, "an image is stored whole, not in parts: no Content-Range"});
  }
  const images::Precondition precondition = precondition_of(request.head.headers);
  if (precondition) {
    Result<void> allowed = co_await store_.check(*key, precondition);
    if (!allowed) co_return json_failure(allowed.error());
  }
  images::BlobWriter file = store_.begin_upload();
  Result<void> received = co_await receive_file(*request.body, file);
  if (!received) {
    co_await file.discard();
    co_return json_failure(received.error());
  }
  Result<images::Stored> stored = co_await store_.put(*key, file, precondition);
  if (!stored) co_return json_failure(stored.error());
  std::string json;
  http::JsonWriter(json)
      .begin_object()
      .key("success")
      .string("true")
      .key("key")
      .string(*key)
      .key("content_type")
      .string(stored->content_type)
      .key("byte_size")
      .integer(stored->byte_size)
      .end_object();
  http::Response response = json_response(stored->created ? 201 : 200, std::move(json));
  if (stored->created) response.headers.add("Location", raw_image_url(*key));
  response.headers.add("ETag", http::entity_tag(stored->digest));
  co_return response;
}

Task<http::Response> RawImages::remove(http::Request& request) {
  Result<std::string> key = key_of(request);
  if (!key) co_return json_failure(key.error());
  images::Precondition precondition = precondition_of(request.head.headers);
  Result<void> removed = co_await store_.remove(*key, std::move(precondition));
  if (!removed) co_return json_failure(removed.error());
  http::Response response;
  response.status = 204;
  co_return response;
}

}  // namespace imgcached::pages
