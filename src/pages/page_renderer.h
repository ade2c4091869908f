// PageRenderer: makes a response of a template and its values.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"
#include "pages/failure.h"
#include "pages/templates.h"

namespace imgcached::pages {

class PageRenderer {
 public:
  explicit PageRenderer(const Templates& templates) : templates_(templates) {}

  // The page `name` (of a template), which the navigation marks as the current
  // one. `title` is in the words of the reader.
  http::Response page(int status, std::string_view name, std::string title, View view) const;

  // A page that says what went wrong and what to do next.
  http::Response failure(const Failure& failure) const;
  http::Response failure(const Error& error) const { return failure(failure_of(error)); }

 private:
  const Templates& templates_;
};

}  // namespace imgcached::pages
