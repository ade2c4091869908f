#include "db/store_identity_table.h"

#include <utility>

namespace imgcached::db {

Task<Result<std::optional<std::string>>> StoreIdentityTable::find() {
  Task<Result<QueryResult>> asking =
      pool_.execute("SELECT identity FROM store_identity", {}, Kind::repeatable);
  Result<QueryResult> found = co_await std::move(asking);
  if (!found) co_return std::move(found).error();
  if (found->rows.empty()) co_return std::optional<std::string>();
  co_return std::optional<std::string>(text_of(found->rows[0][0]));
}

Task<Result<void>> StoreIdentityTable::insert(std::string identity) {
  std::vector<Value> parameters;
  parameters.emplace_back(std::move(identity));
  Task<Result<QueryResult>> inserting = pool_.execute(
      "INSERT INTO store_identity (id, identity) VALUES (1, ?)"
      " ON DUPLICATE KEY UPDATE id = id",
      std::move(parameters), Kind::repeatable);
  Result<QueryResult> inserted = co_await std::move(inserting);
  if (!inserted) co_return std::move(inserted).error();
  co_return Result<void>();
}

}  // namespace imgcached::db
