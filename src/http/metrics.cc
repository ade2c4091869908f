#include "http/metrics.h"

#include <fmt/core.h>

#include <iterator>

namespace imgcached::http {

void Metrics::describe(std::string_view name, std::string_view help, std::string_view type) {
  fmt::format_to(std::back_inserter(text_), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

void Metrics::sample(std::string_view name, std::string_view labels, std::uint64_t value) {
  fmt::format_to(std::back_inserter(text_), "{}{} {}\n", name, labels, value);
}

void Metrics::counter(std::string_view name, std::string_view help, std::uint64_t value) {
  describe(name, help, "counter");
  sample(name, "", value);
}

void Metrics::gauge(std::string_view name, std::string_view help, std::uint64_t value) {
  describe(name, help, "gauge");
  sample(name, "", value);
}

void Metrics::server(std::string_view name, const ServerFigures& figures) {
  const ServerStats& counted = figures.counted;
  const std::string labels = fmt::format("{{server=\"{}\"}}", name);
  const auto now = [&](std::string_view what, std::string_view help, std::uint64_t value) {
    describe(what, help, "gauge");
    sample(what, labels, value);
  };
  now("imgcached_http_connections", "Open connections.", figures.connections);
  now("imgcached_http_tasks", "Connections served or refused, and the acceptor.", figures.tasks);
  now("imgcached_http_body_bytes_in_flight", "Of requests that are being handled.",
      figures.body_bytes_in_flight);
  now("imgcached_http_answer_bytes_in_flight", "Of answers whose readers are waited for.",
      figures.answer_bytes_in_flight);
  now("imgcached_loop_handles", "Sockets, timers and the like of the event loop.",
      figures.loop_handles);
  now("imgcached_loop_jobs", "Jobs on the thread pool.", figures.loop_jobs);
  describe("imgcached_http_connections_accepted_total", "Connections accepted.", "counter");
  sample("imgcached_http_connections_accepted_total", labels, counted.connections_accepted);
  describe("imgcached_http_connections_refused_total", "Connections over the limit.", "counter");
  sample("imgcached_http_connections_refused_total", labels, counted.connections_refused);
  describe("imgcached_http_accepts_failed_total", "Attempts to accept, for want of descriptors.",
           "counter");
  sample("imgcached_http_accepts_failed_total", labels, counted.accepts_failed);
  describe("imgcached_http_readers_cut_total", "Slow readers of answers that held too much.",
           "counter");
  sample("imgcached_http_readers_cut_total", labels, figures.readers_cut);
  describe("imgcached_http_bytes_written_total", "Bytes of responses.", "counter");
  sample("imgcached_http_bytes_written_total", labels, counted.bytes_written);
  describe("imgcached_http_responses_total", "Responses by class of status.", "counter");
  for (int status_class = 2; status_class <= 5; ++status_class) {
    sample("imgcached_http_responses_total",
           fmt::format("{{server=\"{}\",status=\"{}xx\"}}", name, status_class),
           counted.responses_by_class[status_class]);
  }
}

Response Metrics::response() const {
  return make_response(200, "text/plain; version=0.0.4; charset=utf-8", text_);
}

}  // namespace imgcached::http
