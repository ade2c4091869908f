// Metrics: the text that Prometheus reads (exposition format 0.0.4).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/message.h"
#include "http/server.h"

namespace imgcached::http {

class Metrics {
 public:
  // `help` says in a sentence what is counted.
  void counter(std::string_view name, std::string_view help, std::uint64_t value);
  void gauge(std::string_view name, std::string_view help, std::uint64_t value);
  // Those of a Server and its loop, labelled with its name.
  void server(std::string_view name, const ServerFigures& figures);

  Response response() const;

 private:
  void describe(std::string_view name, std::string_view help, std::string_view type);
  void sample(std::string_view name, std::string_view labels, std::uint64_t value);

  std::string text_;
};

}  // namespace imgcached::http
