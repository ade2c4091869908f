#include "images/store_identity.h"

#include <optional>
#include <string>

namespace imgcached::images {
namespace {

Error mismatch(const std::string& why) {
  return Error{Errc::invalid_argument, "--images and --db-name do not belong together: " + why +
                                           "; check both, no image was touched"};
}

Error unusable(const Error& error) {
  return Error{Errc::invalid_argument, "--images: " + error.message};
}

// As the last step before the store is used.
Result<void> prepare(BlobStore& blobs) {
  Result<void> prepared = blobs.prepare();
  if (!prepared) return unusable(prepared.error());
  return {};
}

}  // namespace

Task<Result<void>> match_identities(BlobStore& blobs, db::StoreIdentityTable& identities,
                                    db::ImageTable& images) {
  Result<std::optional<std::string>> of_directory = co_await blobs.identity();
  if (!of_directory) co_return unusable(of_directory.error());
  Result<std::optional<std::string>> of_database = co_await identities.find();
  if (!of_database) co_return std::move(of_database).error();

  if (*of_directory && *of_database) {
    if (**of_directory != **of_database) {
      co_return mismatch("they are of two stores; a new database goes with an empty directory");
    }
    co_return prepare(blobs);
  }
  if (!*of_database) {
    Result<std::vector<std::string>> files = co_await blobs.locations();
    if (!files) co_return unusable(files.error());
    if (!files->empty()) co_return mismatch("the directory holds images, the database is new");
  }
  if (!*of_directory) {
    Result<std::uint64_t> rows = co_await images.count();
    if (!rows) co_return std::move(rows).error();
    if (*rows > 0) co_return mismatch("the database names images, the directory is new");
    // Though it names none yet: whose it is may be about to store one.
    if (*of_database) co_return mismatch("the database is another directory's, this one is new");
  }
  Result<void> prepared = prepare(blobs);
  if (!prepared) co_return prepared;

  // The directory first: after a crash in between, it is one without images.
  const std::string identity = blobs.new_name();
  Result<void> written = co_await blobs.set_identity(identity);
  if (!written) co_return unusable(written.error());
  Result<void> inserted = co_await identities.insert(identity);
  if (!inserted) co_return inserted;
  // Of several who find a database new at the same time, one is the first.
  of_database = co_await identities.find();
  if (!of_database) co_return std::move(of_database).error();
  if (*of_database != identity) co_return mismatch("another directory has taken the database");
  co_return Result<void>();
}

}  // namespace imgcached::images
