// Request origin: which page is behind a request, as far as browsers tell.
//
// A browser sends what any page asks it to send, to us as well, and a form or an
// <img> of another site's page may name a call that changes something. Which page
// it was stands in `Sec-Fetch-Site` (sent to https and to loopback addresses), or
// in `Origin` (with whatever is no GET). Programs like curl send neither, and
// nobody can make them.
//
// What that leaves open: a GET by another site's page to a server that is reached
// by plain http and not by loopback carries neither.
#pragma once

#include <string_view>

#include "http/message.h"
#include "net/address.h"

namespace imgcached::http {

// Whether a page of another origin than `authority` (where the request went)
// asked for this. Another port is another origin.
bool is_cross_origin(const Headers& headers, std::string_view authority);

// Whether `authority` looks like a name that somebody made point to `local`, our
// end of the connection, to have his pages pass for ours (DNS rebinding): a name
// with a dot, other than those under localhost, for this very port of a loopback
// address. What a proxy on this machine passes on names the proxy's port.
bool is_rebound(std::string_view authority, const net::Address& local);

}  // namespace imgcached::http
