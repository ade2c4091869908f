// Which directory and which database belong together.
//
// The rows of a database name files of one image directory. Opened with another
// one (a mistyped --db-name, an older dump), every file would look like an
// orphan and be swept at start. So both carry the same random identity, the
// directory in a file and the database in a row, and a start with two that do
// not match is refused.
#pragma once

#include "base/result.h"
#include "base/task.h"
#include "db/image_table.h"
#include "db/store_identity_table.h"
#include "images/blob_store.h"

namespace imgcached::images {

// Prepares the directory and gives a new pair its identity; a new database is taken in
// by a directory that holds no image, which is no other database's from then on: or a name
// that was mistyped once, and later once more, would sweep what the right one has. A new directory
// is not taken in by a database that has had one, empty or not: another backend may be running with
// that, and two that share a database but no directory would each serve what the other has
// replaced. Error invalid_argument: they do not belong together; no image was touched, and nothing
// made in the directory. Or the directory can't be used.
Task<Result<void>> match_identities(BlobStore& blobs, db::StoreIdentityTable& identities,
                                    db::ImageTable& images);

}  // namespace imgcached::images
