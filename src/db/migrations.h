// The database's schema: created and brought up to date at start, in numbered
// steps that never drop a user's data.
//
// The table schema_migrations says which steps have been done. A step is done
// once, under a lock that the server keeps (GET_LOCK), so that any number of
// processes may start together; a crash in the middle of one is harmless,
// because every statement of a step may be repeated, or is not where it has been done.
#pragma once

#include "base/result.h"
#include "base/task.h"
#include "db/settings.h"
#include "net/loop.h"

namespace imgcached::db {

enum class Missing {
  create,  // a database that is not there is made
  refuse,  // ... is an error, invalid_argument
};

// Creates the database if need be, then brings its schema up to date. Errors: those of Connection;
// invalid_argument also when a newer version of the program has been there.
Task<Result<void>> migrate(net::Loop& loop, Settings settings, Missing missing = Missing::create);

}  // namespace imgcached::db
