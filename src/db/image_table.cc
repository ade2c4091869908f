#include "db/image_table.h"

#include <cassert>

#include "db/sql_time.h"

namespace imgcached::db {
namespace {

// The smallest string greater than all that begin with `prefix`: the prefix
// without trailing 0xff bytes, its last byte plus one. Empty: there is none.
std::string successor(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

#define SQL_SUMMARY "`key`, content_type, byte_size, " SQL_UPDATED_AT_MS

std::vector<ImageSummary> summaries_of(QueryResult result) {
  std::vector<ImageSummary> images;
  images.reserve(result.rows.size());
  for (Row& row : result.rows) {
    images.push_back({text_of(row[0]), text_of(row[1]), unsigned_of(row[2]), integer_of(row[3])});
  }
  return images;
}

// A read that takes a lock waits for whoever is about to commit something else.
// (MariaDB does not know the newer FOR SHARE.)
std::string reading(std::string sql, Read read) {
  if (read == Read::settled) sql += " LOCK IN SHARE MODE";
  return sql;
}

}  // namespace

Task<Result<std::optional<ImageRow>>> ImageTable::find(std::string key, Read read) {
  std::vector<Value> parameters{key};
  std::string sql = "SELECT location, content_type, byte_size, etag, " SQL_CREATED_AT_MS
                    ", " SQL_UPDATED_AT_MS " FROM images WHERE `key` = ?";
  sql = reading(std::move(sql), read);
  Task<Result<QueryResult>> asking =
      pool_.execute(std::move(sql), std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  std::optional<ImageRow> found;
  if (!result->rows.empty()) {
    Row& row = result->rows[0];
    found = ImageRow{std::move(key),  text_of(row[0]),    text_of(row[1]),   unsigned_of(row[2]),
                     text_of(row[3]), integer_of(row[4]), integer_of(row[5])};
  }
  co_return found;
}

Task<Result<std::uint64_t>> ImageTable::count() {
  Task<Result<QueryResult>> asking =
      pool_.execute("SELECT COUNT(*) FROM images", {}, Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  co_return unsigned_of(result->rows[0][0]);
}

Task<Result<bool>> ImageTable::insert_if_absent(ImageRow row) {
  std::vector<Value> parameters{
      std::move(row.key), std::move(row.location), std::move(row.content_type),
      row.byte_size,      std::move(row.etag),     row.created_at_ms,
      row.updated_at_ms};
  Task<Result<QueryResult>> inserting = pool_.execute(
      "INSERT INTO images (`key`, location, content_type, byte_size, etag, created_at, updated_at)"
      " VALUES (?, ?, ?, ?, ?, " SQL_TIME ", " SQL_TIME ")",
      std::move(parameters), Kind::insert_new);
  Result<QueryResult> result = co_await std::move(inserting);
  if (!result) co_return std::move(result).error();
  co_return result->affected_rows == 1;
}

Task<Result<bool>> ImageTable::replace_if(std::string key, std::string old_location, ImageRow row) {
  std::vector<Value> parameters{std::move(row.location), std::move(row.content_type),
                                row.byte_size,           std::move(row.etag),
                                row.updated_at_ms,       std::move(key),
                                std::move(old_location)};
  Task<Result<QueryResult>> updating = pool_.execute(
      "UPDATE images SET location = ?, content_type = ?, byte_size = ?, etag = ?, updated_at "
      "= " SQL_TIME " WHERE `key` = ? AND location = ?",
      std::move(parameters));
  Result<QueryResult> result = co_await std::move(updating);
  if (!result) co_return std::move(result).error();
  co_return result->affected_rows == 1;
}

Task<Result<bool>> ImageTable::remove_if(std::string key, std::string location) {
  std::vector<ImageLocation> one;
  one.push_back({std::move(key), std::move(location)});
  Task<Result<std::uint64_t>> removing = remove_batch(std::move(one));
  Result<std::uint64_t> removed = co_await std::move(removing);
  if (!removed) co_return std::move(removed).error();
  co_return *removed == 1;
}

Task<Result<std::vector<ImageSummary>>> ImageTable::list(std::string prefix, std::string after,
                                                         std::uint64_t limit) {
  const std::string end = successor(prefix);
  std::string sql = "SELECT " SQL_SUMMARY " FROM images WHERE `key` > ? AND `key` >= ?";
  std::vector<Value> parameters{std::move(after), std::move(prefix)};
  if (!end.empty()) {
    sql += " AND `key` < ?";
    parameters.emplace_back(end);
  }
  sql += " ORDER BY `key` LIMIT ?";
  parameters.emplace_back(limit);
  Task<Result<QueryResult>> asking =
      pool_.execute(std::move(sql), std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  co_return summaries_of(std::move(*result));
}

Task<Result<std::vector<ImageSummary>>> ImageTable::list_before(std::string prefix,
                                                                std::string before,
                                                                std::uint64_t limit) {
  const std::string end = successor(prefix);
  std::string sql = "SELECT " SQL_SUMMARY " FROM images WHERE `key` >= ?";
  std::vector<Value> parameters{std::move(prefix)};
  for (const std::string& bound : {before, end}) {
    if (bound.empty()) continue;
    sql += " AND `key` < ?";
    parameters.emplace_back(bound);
  }
  sql += " ORDER BY `key` DESC LIMIT ?";
  parameters.emplace_back(limit);
  Task<Result<QueryResult>> asking =
      pool_.execute(std::move(sql), std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  co_return summaries_of(std::move(*result));
}

Task<Result<std::vector<ImageSummary>>> ImageTable::recent(std::uint64_t limit) {
  // Both descending, as the index can be read backwards. MariaDB takes it by itself
  // for large tables only, and reads and sorts the whole of one of some thousand rows.
  std::vector<Value> parameters{limit};
  Task<Result<QueryResult>> asking = pool_.execute("SELECT " SQL_SUMMARY
                                                   " FROM images FORCE INDEX (updated_at)"
                                                   " ORDER BY updated_at DESC, `key` DESC LIMIT ?",
                                                   std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  co_return summaries_of(std::move(*result));
}

Task<Result<std::vector<ImageLocation>>> ImageTable::locations(std::string after,
                                                               std::uint64_t limit, Read read) {
  std::vector<Value> parameters{std::move(after), limit};
  std::string sql = reading(
      "SELECT `key`, location, byte_size FROM images WHERE `key` > ? ORDER BY `key` LIMIT ?", read);
  Task<Result<QueryResult>> asking =
      pool_.execute(std::move(sql), std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  std::vector<ImageLocation> images;
  images.reserve(result->rows.size());
  for (Row& row : result->rows)
    images.push_back({text_of(row[0]), text_of(row[1]), unsigned_of(row[2])});
  co_return images;
}

Task<Result<std::uint64_t>> ImageTable::remove_batch(std::vector<ImageLocation> images) {
  assert(images.size() <= batch_max);
  if (images.empty()) co_return std::uint64_t{0};
  std::string sql = "DELETE FROM images WHERE ";
  std::vector<Value> parameters;
  for (ImageLocation& image : images) {
    if (!parameters.empty()) sql += " OR ";
    sql += "(`key` = ? AND location = ?)";
    parameters.emplace_back(std::move(image.key));
    parameters.emplace_back(std::move(image.location));
  }
  Task<Result<QueryResult>> removing = pool_.execute(std::move(sql), std::move(parameters));
  Result<QueryResult> result = co_await std::move(removing);
  if (!result) co_return std::move(result).error();
  co_return result->affected_rows;
}

}  // namespace imgcached::db
