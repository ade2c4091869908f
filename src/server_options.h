// What the servers of both nodes have in common.
#pragma once

#include <string>

#include "config.h"
#include "http/server.h"

namespace imgcached {

http::Server::Options server_options(const Config& config, std::string name,
                                     std::size_t connections_max);

// Warns of a server that others than this machine can reach, and that asks for no token.
void warn_if_open(const Config& config, const http::Server& server);

}  // namespace imgcached
