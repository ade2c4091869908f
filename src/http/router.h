// Router: which handler answers a method and a path.
//
// A pattern is a literal path, or a prefix that ends in `/*`: what follows the
// prefix, slashes included, is then the request's `rest`. Literal patterns win,
// then the longest prefix. Paths are matched percent-decoded, HEAD as a
// GET that is safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "http/answer_budget.h"
#include "http/body_reader.h"
#include "http/message.h"
#include "net/stream.h"

namespace imgcached::http {

// What a handler gets. Lives until its response has been written.
struct Request {
  explicit Request(const MessageHead& parsed) : head(parsed) {}

  const MessageHead& head;
  std::string path;        // percent-decoded, slashes at the start folded into one
  std::string_view rest;   // what the `*` of the pattern stands for
  std::string_view query;  // still encoded, without the question mark
  // The host and port that the client asked for: of the target, if that names
  // them, else of the Host field; empty without either (HTTP/1.0).
  std::string_view authority;
  BodyReader* body = nullptr;
  const net::Stream* stream = nullptr;  // to whoever asked
  // For the bytes of an answer that may become large, while it is made.
  AnswerBudget::Share* answer = nullptr;

  // Nobody can read the response any more: the client's connection was reset, or
  // cut off at the end of a drain. A handler that works step after step asks
  // between two of them.
  bool is_abandoned() const { return stream && !stream->is_connected(); }
};

using Handler = std::function<Task<Response>(Request& request)>;

struct Route {
  enum class Body {
    optional,
    required,  // a request that announces none, not even an empty one, is 411
  };
  // Whether a request may change something. If so it asks for the server's token, if
  // there is one; and a GET that may has no HEAD.
  enum class Effect {
    by_method,  // only a GET reads
    reading,    // whatever the method
    mutating,
  };

  Method method;
  std::string pattern;
  Handler handler;
  std::uint64_t body_bytes_max = 0;  // beyond: 413
  Body body = Body::optional;
  Effect effect = Effect::by_method;

  bool is_mutating() const {
    return effect == Effect::mutating || (effect == Effect::by_method && method != Method::get);
  }
  // Only a GET that reads is for other sites' pages: they have no reason to read by POST.
  bool is_for_other_sites() const { return method == Method::get && !is_mutating(); }
};

class Router {
 public:
  void add(Route route);

  struct Match {
    const Route* route = nullptr;  // null: nothing there for this method
    std::string_view rest;         // into the path
    std::vector<Method> allowed;   // with a null route: what there is, for 405; empty: 404
  };
  // The result is valid as long as the router and `path`.
  Match match(Method method, std::string_view path) const;
  // What some path takes: the answer to `OPTIONS *`.
  std::vector<Method> methods() const;

 private:
  struct Prefix {
    std::string path;  // the pattern without the star
    std::vector<Route> routes;
  };

  // Among the routes of one pattern.
  static Match match_method(const std::vector<Route>& routes, Method method);

  std::map<std::string, std::vector<Route>, std::less<>> literals_;
  std::vector<Prefix> prefixes_;  // the longest first
};

}  // namespace imgcached::http
