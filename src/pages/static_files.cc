#include "pages/static_files.h"

#include <optional>

#include "http/conditional.h"
#include "http/content_coding.h"
#include "net/file.h"

namespace imgcached::pages {
namespace {

constexpr std::size_t file_bytes_max = 4 << 20;

std::optional<std::string_view> content_type_of(std::string_view name) {
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return std::nullopt;
}

}  // namespace

Result<StaticFiles> StaticFiles::load(const std::string& directory,
                                      const std::string& dygraphs_directory) {
  Result<std::vector<std::string>> names = net::list_directory(directory);
  if (!names) return std::move(names).error();
  StaticFiles files;
  for (const std::string& name : *names) {
    if (!content_type_of(name)) continue;
    Result<void> added = files.add(directory, name);
    if (!added) return std::move(added).error();
  }
  for (const char* name : {"dygraph.min.js", "dygraph.min.css"}) {
    Result<void> added = files.add(dygraphs_directory, name);
    if (!added) return std::move(added).error();
  }
  return files;
}

Result<void> StaticFiles::add(const std::string& directory, const std::string& name) {
  Result<Blob> bytes = net::read_file(directory + "/" + name, file_bytes_max);
  if (!bytes) return std::move(bytes).error();
  const std::string digest = bytes->digest().hex();
  Blob gzipped = Blob::copy_of(http::gzip(bytes->view()));
  files_.insert_or_assign(name, File{*content_type_of(name),
                                     {'"' + digest + '"', std::move(*bytes)},
                                     {'"' + digest + "-gzip\"", std::move(gzipped)}});
  return {};
}

void StaticFiles::add_routes(http::Router& router) {
  router.add({http::Method::get, "/static/*", [this](http::Request& r) { return get(r); }});
}

Task<http::Response> StaticFiles::get(http::Request& request) const {
  const auto found = files_.find(request.rest);
  if (found == files_.end()) {
    co_return http::make_response(404, "text/plain; charset=utf-8", "There is no such file.\n");
  }
  const File& file = found->second;
  const auto accepted = request.head.headers.joined("Accept-Encoding");
  const bool in_gzip = accepted && http::accepts_gzip(*accepted);
  const Representation& chosen = in_gzip ? file.gzipped : file.plain;
  http::Response response;
  const auto known = request.head.headers.joined("If-None-Match");
  if (known && http::if_none_match(*known, chosen.etag)) {
    response.status = 304;
  } else {
    response = http::make_response(200, std::string(file.content_type), chosen.bytes);
    if (in_gzip) response.headers.add("Content-Encoding", "gzip");
  }
  response.headers.add("ETag", chosen.etag);
  response.headers.add("Cache-Control", "no-cache");
  response.headers.add("Vary", "Accept-Encoding");
  co_return response;
}

}  // namespace imgcached::pages
