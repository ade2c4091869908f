// StoreIdentityTable: the table `store_identity`, whose single row names the
// image directory that the rows of `images` are about. Failures are those of
// Pool::execute().
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "db/pool.h"

namespace imgcached::db {

class StoreIdentityTable {
 public:
  explicit StoreIdentityTable(Pool& pool) : pool_(pool) {}

  // 32 hexadecimal digits; nothing before the first backend has started.
  Task<Result<std::optional<std::string>>> find();
  // Unless there is one; find() tells whose it is. Repeating it is harmless.
  Task<Result<void>> insert(std::string identity);

 private:
  Pool& pool_;
};

}  // namespace imgcached::db
