// Where the database is and who we are to it.
#pragma once

#include <cstdint>
#include <string>

namespace imgcached::db {

struct Settings {
  std::string socket;  // path of a unix socket; empty: host and port count
  std::string host;    // a name or a numeric address
  std::uint16_t port = 3306;
  std::string user;  // empty: the operating system's name for us
  std::string password;
  std::string name;  // of the database

  // The flag that says where the server is.
  const char* flag() const { return socket.empty() ? "--db-host" : "--db-socket"; }
  // The server in words, for messages.
  std::string where() const { return socket.empty() ? host + ":" + std::to_string(port) : socket; }
};

}  // namespace imgcached::db
