// What the servers of both nodes have in common.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "config.h"
#include "http/server.h"
#include "net/address.h"

namespace imgcached {

// Of one of `servers` that share a port, and what they may hold.
http::Server::Options server_options(const Config& config, std::string name,
                                     std::size_t connections_max, std::size_t servers = 1);

// Warns of a server at an address that others than this machine can reach, if it asks for no
// token.
void warn_if_open(const Config& config, std::string_view name, const net::Address& address);

}  // namespace imgcached
