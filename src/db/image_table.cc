#include "db/image_table.h"

#include <bit>
#include <cassert>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

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

// What a SELECT of SQL_SUMMARY finds.
Task<Result<std::vector<ImageSummary>>> summaries(Pool& pool, std::string sql,
                                                  std::vector<Value> parameters) {
  Task<Result<QueryResult>> asking =
      pool.execute(std::move(sql), std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  std::vector<ImageSummary> images;
  images.reserve(result->rows.size());
  for (Row& row : result->rows) {
    images.push_back({text_of(row[0]), text_of(row[1]), unsigned_of(row[2]), integer_of(row[3])});
  }
  co_return images;
}

// A read that takes a lock waits for whoever is about to commit something else.
// (MariaDB does not know the newer FOR SHARE.)
std::string reading(std::string sql, Read read) {
  if (read == Read::settled) sql += " LOCK IN SHARE MODE";
  return sql;
}

// Of a batch. MariaDB's alone (10.3 and later), a comment to others: there a batch waits
// for locks as long as the session says.
#define SQL_NO_WAIT \
  "/*M!100300 SET STATEMENT innodb_lock_wait_timeout = 0, lock_wait_timeout = 0 FOR */ "

// A batch that took longer to fail leaves no time for a statement that waits for a lock.
constexpr std::uint64_t alone_within_ms = 500;

#define SQL_IMAGE_COLUMNS \
  "`key`, location, content_type, byte_size, etag, " SQL_CREATED_AT_MS ", " SQL_UPDATED_AT_MS

ImageRow image_of(Row& row) {
  return {text_of(row[0]), text_of(row[1]),    text_of(row[2]),   unsigned_of(row[3]),
          text_of(row[4]), integer_of(row[5]), integer_of(row[6])};
}

// So that there are few different statements to prepare, the last of a batch is repeated
// up to the next power of two: which finds or changes nothing more.
template <class Item>
std::vector<Item*> padded(std::vector<Item*> batch) {
  batch.resize(std::bit_ceil(batch.size()), batch.back());
  return batch;
}

Error too_many_waiting() {
  return Error{Errc::unavailable, "too many requests wait for the database; try again"};
}

Error unknown_outcome() {
  return Error{Errc::uncertain, "somebody else changed this image meanwhile; look, and try again"};
}

// `part` as often as `count` says, with `separator` between.
std::string repeated(std::string_view part, std::size_t count, std::string_view separator) {
  std::string sql(part);
  for (std::size_t i = 1; i < count; ++i) sql.append(separator).append(part);
  return sql;
}

constexpr const char* insert_sql =
    "INSERT INTO images (`key`, location, content_type, byte_size, etag, created_at, updated_at)"
    " VALUES ";
constexpr const char* inserted_values = "(?, ?, ?, ?, ?, " SQL_TIME ", " SQL_TIME ")";

void add_inserted(std::vector<Value>& parameters, const ImageRow& row) {
  parameters.insert(parameters.end(), {row.key, row.location, row.content_type, row.byte_size,
                                       row.etag, row.created_at_ms, row.updated_at_ms});
}

}  // namespace

ImageTable::ImageTable(Pool& pool)
    : pool_(pool),
      finds_(pool.loop(), [this](Finds batch) { return find_all(std::move(batch)); }),
      inserts_(pool.loop(),
               [this](Changes batch) { return change(std::move(batch), &ImageTable::insert_all); }),
      replacements_(pool.loop(), [this](Changes batch) {
        return change(std::move(batch), &ImageTable::replace_all);
      }) {}

net::BatchStats ImageTable::change_batches() const {
  const net::BatchStats &inserts = inserts_.stats(), &replacements = replacements_.stats();
  return {inserts.batches + replacements.batches, inserts.items + replacements.items,
          inserts.busy_ns + replacements.busy_ns};
}

Task<Result<std::optional<ImageRow>>> ImageTable::find(std::string key, Read read) {
  QueuedFind item{std::move(key), std::optional<ImageRow>()};
  if (read == Read::settled) {
    // It may wait for a lock, so it goes alone.
    std::vector<Value> parameters{item.key};
    Task<Result<QueryResult>> asking =
        pool_.execute(reading("SELECT " SQL_IMAGE_COLUMNS " FROM images WHERE `key` = ?", read),
                      std::move(parameters), Kind::repeatable);
    Result<QueryResult> result = co_await std::move(asking);
    if (!result) co_return std::move(result).error();
    std::optional<ImageRow> found;
    if (!result->rows.empty()) found = image_of(result->rows[0]);
    co_return found;
  }
  const net::BatchStart start =
      read == Read::together ? net::BatchStart::end_of_turn : net::BatchStart::at_once;
  const bool accepted = co_await finds_.carry_out(item, start);
  if (!accepted) co_return too_many_waiting();
  co_return std::move(item.result);
}

Task<void> ImageTable::find_all(Finds batch) {
  std::vector<Value> parameters;
  for (const QueuedFind* item : padded(batch)) parameters.emplace_back(item->key);
  std::string sql = "SELECT " SQL_IMAGE_COLUMNS " FROM images WHERE `key` IN (" +
                    repeated("?", parameters.size(), ", ") + ")";
  Task<Result<QueryResult>> asking =
      pool_.execute(std::move(sql), std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) {
    for (QueuedFind* item : batch) item->result = result.error();
    co_return;
  }
  std::unordered_map<std::string, ImageRow> rows;
  for (Row& row : result->rows) {
    ImageRow image = image_of(row);
    std::string key = image.key;
    rows.emplace(std::move(key), std::move(image));
  }
  for (QueuedFind* item : batch) {
    const auto row = rows.find(item->key);
    item->result =
        row == rows.end() ? std::optional<ImageRow>() : std::optional<ImageRow>(row->second);
  }
}

Task<Result<std::uint64_t>> ImageTable::count() {
  Task<Result<QueryResult>> asking =
      pool_.execute("SELECT COUNT(*) FROM images", {}, Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  co_return unsigned_of(result->rows[0][0]);
}

Task<Result<bool>> ImageTable::insert_if_absent(ImageRow row) {
  QueuedChange item{std::move(row), {}, false, false};
  Result<bool> inserted = co_await submit(inserts_, item);
  if (!item.goes_alone) co_return inserted;
  std::vector<Value> parameters;
  add_inserted(parameters, item.row);
  Task<Result<QueryResult>> inserting = pool_.execute(std::string(insert_sql) + inserted_values,
                                                      std::move(parameters), Kind::insert_new);
  Result<QueryResult> result = co_await std::move(inserting);
  if (!result) co_return std::move(result).error();
  co_return result->affected_rows == 1;
}

Task<Result<bool>> ImageTable::replace_if(std::string key, std::string old_location, ImageRow row) {
  row.key = std::move(key);
  QueuedChange item{std::move(row), std::move(old_location), false, false};
  Result<bool> replaced = co_await submit(replacements_, item);
  if (!item.goes_alone) co_return replaced;
  const ImageRow& next = item.row;
  std::vector<Value> parameters{next.location,      next.content_type, next.byte_size,   next.etag,
                                next.updated_at_ms, next.key,          item.old_location};
  Task<Result<QueryResult>> updating = pool_.execute(
      "UPDATE images SET location = ?, content_type = ?, byte_size = ?, etag = ?, updated_at "
      "= " SQL_TIME " WHERE `key` = ? AND location = ?",
      std::move(parameters));
  Result<QueryResult> result = co_await std::move(updating);
  if (!result) co_return std::move(result).error();
  co_return result->affected_rows == 1;
}

Task<Result<bool>> ImageTable::submit(net::BatchQueue<QueuedChange>& queue, QueuedChange& item) {
  const bool accepted = co_await queue.carry_out(item);
  if (!accepted) co_return too_many_waiting();
  co_return std::move(item.result);
}

// Of those that want the same, the first is sent. That settles what comes of the others, where a
// statement that did less than all of it would leave it to be asked for.
Task<void> ImageTable::change(Changes batch, Task<void> (ImageTable::*all_of)(Changes)) {
  std::map<std::pair<std::string_view, std::string_view>, QueuedChange*> firsts;
  Changes sent;
  for (QueuedChange* item : batch) {
    const bool is_first = firsts.try_emplace({item->row.key, item->old_location}, item).second;
    if (is_first) sent.push_back(item);
  }
  Task<void> changing = (this->*all_of)(std::move(sent));
  co_await std::move(changing);
  for (QueuedChange* item : batch) {
    const QueuedChange& first = *firsts.at({item->row.key, item->old_location});
    if (&first == item) continue;
    item->goes_alone = first.goes_alone;
    item->result = first.result;
    if (item->result) item->result = false;
  }
}

// A key that exists is left as it is. With one row the error says it better, as it tells a key from
// a location that exists.
Task<void> ImageTable::insert_all(Changes batch) {
  const std::uint64_t began_ms = pool_.loop().now_ms();
  std::vector<Value> parameters;
  const Changes all = padded(batch);
  for (const QueuedChange* item : all) add_inserted(parameters, item->row);
  std::string sql = std::string(SQL_NO_WAIT) + insert_sql;
  sql += repeated(inserted_values, all.size(), ", ");
  if (all.size() > 1) sql += " ON DUPLICATE KEY UPDATE `key` = images.`key`";
  const Kind kind = all.size() > 1 ? Kind::write : Kind::insert_new;
  Task<Result<QueryResult>> inserting = pool_.execute(std::move(sql), std::move(parameters), kind);
  Result<QueryResult> result = co_await std::move(inserting);
  Task<void> telling = tell_outcomes(batch, std::move(result), began_ms);
  co_await std::move(telling);
}

// The location is assigned last, as the assignments before must still see the old one. FORCE INDEX:
// a scan would lock the rows of others.
Task<void> ImageTable::replace_all(Changes batch) {
  const std::uint64_t began_ms = pool_.loop().now_ms();
  const Changes all = padded(batch);
  std::vector<Value> parameters;
  std::string sql = SQL_NO_WAIT "UPDATE images FORCE INDEX (PRIMARY) SET ";
  const auto assign = [&](const char* column, std::string_view value, auto value_of) {
    sql.append(column).append(" = CASE");
    const std::string branch = " WHEN `key` = ? AND location = ? THEN " + std::string(value);
    sql += repeated(branch, all.size(), "");
    sql += " END";
    for (const QueuedChange* item : all) {
      parameters.emplace_back(item->row.key);
      parameters.emplace_back(item->old_location);
      parameters.emplace_back(value_of(item->row));
    }
  };
  assign("content_type", "?", [](const ImageRow& row) { return row.content_type; });
  assign(", byte_size", "?", [](const ImageRow& row) { return row.byte_size; });
  assign(", etag", "?", [](const ImageRow& row) { return row.etag; });
  assign(", updated_at", SQL_TIME, [](const ImageRow& row) { return row.updated_at_ms; });
  assign(", location", "?", [](const ImageRow& row) { return row.location; });
  sql += " WHERE " + repeated("(`key` = ? AND location = ?)", all.size(), " OR ");
  for (const QueuedChange* item : all) {
    parameters.emplace_back(item->row.key);
    parameters.emplace_back(item->old_location);
  }
  Task<Result<QueryResult>> updating = pool_.execute(std::move(sql), std::move(parameters));
  Result<QueryResult> result = co_await std::move(updating);
  Task<void> telling = tell_outcomes(batch, std::move(result), began_ms);
  co_await std::move(telling);
}

// What the statement that was to make all the changes has come to.
Task<void> ImageTable::tell_outcomes(Changes& batch, Result<QueryResult> result,
                                     std::uint64_t began_ms) {
  if (result) {
    const std::uint64_t changed = result->affected_rows;
    for (QueuedChange* item : batch) item->result = changed == batch.size();
    if (batch.size() > 1 && changed != batch.size()) co_await tell_which(batch, changed);
    co_return;
  }
  const bool is_certain = result.error().code != Errc::uncertain;
  const bool has_time = pool_.loop().now_ms() - began_ms <= alone_within_ms;
  for (QueuedChange* item : batch) {
    item->result = result.error();
    item->goes_alone = is_certain && has_time;
  }
}

Task<void> ImageTable::tell_which(Changes& batch, std::uint64_t changed) {
  std::vector<Value> parameters;
  for (const QueuedChange* item : padded(batch)) parameters.emplace_back(item->row.key);
  std::string sql =
      "SELECT location FROM images WHERE `key` IN (" + repeated("?", parameters.size(), ", ") + ")";
  Task<Result<QueryResult>> asking =
      pool_.execute(std::move(sql), std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  std::unordered_set<std::string> locations;
  if (result) {
    for (Row& row : result->rows) locations.insert(text_of(row[0]));
  }
  std::uint64_t found = 0;
  for (QueuedChange* item : batch) {
    const bool is_there = locations.contains(item->row.location);
    item->result = is_there;
    if (is_there) ++found;
  }
  if (found == changed) co_return;
  for (QueuedChange* item : batch) {
    if (item->result && !*item->result) item->result = unknown_outcome();
  }
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
  return summaries(pool_, std::move(sql), std::move(parameters));
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
  return summaries(pool_, std::move(sql), std::move(parameters));
}

Task<Result<std::vector<ImageSummary>>> ImageTable::recent(std::uint64_t limit) {
  // Both descending, as the index can be read backwards. MariaDB takes it by itself
  // for large tables only, and reads and sorts the whole of one of some thousand rows.
  return summaries(pool_,
                   "SELECT " SQL_SUMMARY
                   " FROM images FORCE INDEX (updated_at)"
                   " ORDER BY updated_at DESC, `key` DESC LIMIT ?",
                   {limit});
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

Task<Result<ImageSum>> ImageTable::sum(std::string after, std::uint64_t limit) {
  std::vector<Value> parameters{std::move(after), limit};
  Task<Result<QueryResult>> asking = pool_.execute(
      "SELECT COUNT(*), CAST(COALESCE(SUM(byte_size), 0) AS UNSIGNED), "
      "COALESCE(MAX(`key`), '') FROM "
      "(SELECT `key`, byte_size FROM images WHERE `key` > ? ORDER BY `key` LIMIT ?) AS page",
      std::move(parameters), Kind::repeatable);
  Result<QueryResult> result = co_await std::move(asking);
  if (!result) co_return std::move(result).error();
  Row& row = result->rows[0];
  co_return ImageSum{unsigned_of(row[0]), unsigned_of(row[1]), text_of(row[2])};
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
