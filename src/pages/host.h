// Where the reader of a page found us, for the addresses and commands that pages
// offer to copy.
#pragma once

#include <string>

#include "http/router.h"

namespace imgcached::pages {

// `images.example:5000`, as the request says it if that is nothing but a host and a
// port, and nothing that a shell would make more of; else where we listen.
std::string host_of(const http::Request& request);

}  // namespace imgcached::pages
