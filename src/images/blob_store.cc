#include "images/blob_store.h"

#include <unistd.h>

#include <cassert>
#include <cstdio>
#include <utility>

#include "base/log.h"
#include "net/offload.h"

namespace imgcached::images {
namespace {

constexpr std::string_view lock_name = "lock";
constexpr std::string_view unfinished_directory = "tmp";
constexpr std::string_view identity_name = "identity";
constexpr std::size_t identity_bytes_max = 64;
constexpr int fan_out = 256;
constexpr std::size_t probe_bytes = 4096;  // a block: none is left on a full disk

std::string fan_out_name(int index) {
  static constexpr char digits[] = "0123456789abcdef";
  return {digits[index >> 4], digits[index & 15]};
}

std::string unfinished_location(const std::string& name) {
  return std::string(unfinished_directory) + "/" + name;
}

// What the system said about a file is for the log; the client learns that and
// what to do.
Error for_client(const Error& error) {
  if (error.code == Errc::unavailable) return error;  // too many jobs: not the disk's fault
  log::error("storage_failed code={} reason=\"{}\"", to_string(error.code), error.message);
  if (error.code == Errc::storage_full) {
    return Error{Errc::storage_full, "the disk is full; nothing was changed"};
  }
  return Error{Errc::storage_failed,
               "the image directory could not be used; nothing was changed, try again later"};
}

}  // namespace

// --- BlobWriter ---------------------------------------------------------------------------------

BlobWriter::BlobWriter(BlobStore& store, net::Loop& loop)
    : store_(&store), loop_(&loop), name_(store.new_name()) {}

BlobWriter::BlobWriter(BlobWriter&& other) noexcept
    : store_(other.store_),
      loop_(other.loop_),
      name_(std::move(other.name_)),
      buffer_(std::move(other.buffer_)),
      file_(std::move(other.file_)),
      is_counted_(std::exchange(other.is_counted_, false)),
      content_type_(other.content_type_),
      byte_size_(other.byte_size_),
      digest_(std::move(other.digest_)),
      settled_(std::exchange(other.settled_, true)) {}

BlobWriter::~BlobWriter() { assert((settled_ || !file_) && "neither finished nor discarded"); }

Task<Result<void>> BlobWriter::write(std::string_view piece) {
  byte_size_ += piece.size();
  if (byte_size_ > store_->options_.image_bytes_max) {
    co_return Error{Errc::too_large, "the image is over the limit of " +
                                         std::to_string(store_->options_.image_bytes_max) +
                                         " bytes"};
  }
  digest_.update(piece);
  buffer_ += piece;
  if (!content_type_ && buffer_.size() >= sniffed_bytes) {
    Result<void> judged = judge_type();
    if (!judged) co_return judged;
  }
  if (buffer_.size() < buffer_bytes) co_return Result<void>();
  Result<void> flushed = co_await flush();
  co_return flushed;
}

std::uint64_t BlobWriter::pace_min() const {
  const std::uint64_t files_max = store_->options_.upload_files_max;
  const std::uint64_t files_free = files_max / 2;  // of charge
  if (!is_counted_) return 0;
  const std::uint64_t files = store_->upload_files();
  return files <= files_free ? 0 : pace_max * (files - files_free) / (files_max - files_free);
}

Result<void> BlobWriter::judge_type() {
  content_type_ = sniff_image_type(std::string_view(buffer_).substr(0, sniffed_bytes));
  if (content_type_) return {};
  return Error{Errc::unsupported_type,
               "this is no image of an accepted type; send " + std::string(accepted_types)};
}

// A small upload never comes here: its file is open for one job of the thread pool.
Task<Result<void>> BlobWriter::flush() {
  is_counted_ = is_counted_ || store_->enter_upload_file();
  if (!is_counted_) {
    co_return Error{Errc::unavailable, "too many large images are being sent; try again"};
  }
  auto job = [this] { return write_buffer(); };
  Result<void> written = co_await net::offload(*loop_, job);
  if (!written) co_return for_client(written.error());
  co_return Result<void>();
}

// Runs on the thread pool, as do the jobs below.
Result<void> BlobWriter::write_buffer() {
  if (!file_) {
    Result<net::File> created = net::File::create(unfinished_path());
    if (!created) return std::move(created).error();
    file_.emplace(std::move(*created));
  }
  Result<void> written = file_->write(buffer_);
  buffer_.clear();
  return written;
}

Result<void> BlobWriter::put_in_place(const std::string& location, bool syncs) {
  Result<void> done = write_buffer();
  if (done && syncs) done = file_->sync();
  if (done) done = file_->close();
  const std::string final_path = store_->path(location);
  if (done) done = net::rename_file(unfinished_path(), final_path);
  if (done && syncs) done = net::sync_directory(final_path.substr(0, final_path.rfind('/')));
  return done;
}

// A file that has been begun goes by itself. A sync that others made meanwhile may have been
// the one that was told of its failed write; and a large one would hold up all the small ones.
Task<Result<void>> BlobWriter::make_durable(std::string location) {
  if (store_->committer_ && !file_) {
    auto place = [this, &location] { return put_in_place(location, false); };
    Task<Result<void>> committing = store_->committer_->commit(place);
    Result<void> committed = co_await std::move(committing);
    co_return committed;
  }
  const bool syncs = store_->options_.durability == Durability::strict;
  auto job = [&] { return put_in_place(location, syncs); };
  Result<void> done = co_await net::offload(*loop_, job);
  co_return done;
}

Task<Result<BlobWriter::Finished>> BlobWriter::finish() {
  assert(loop_ == store_->loop_);
  if (byte_size_ == 0) {
    co_await discard();
    co_return Error{Errc::invalid_argument, "the file is empty; send an image"};
  }
  if (!content_type_) {
    Result<void> judged = judge_type();
    if (!judged) {
      co_await discard();
      co_return std::move(judged).error();
    }
  }
  const std::string location = name_.substr(0, 2) + "/" + name_;
  Result<void> durable = co_await make_durable(location);
  if (!durable) {
    co_await discard();
    // It may have got its name all the same, one that may not survive a power cut.
    Result<void> removed = co_await store_->remove_one(location);
    if (!removed) log::warning("file_left_behind reason=\"{}\"", removed.error().message);
    co_return for_client(durable.error());
  }
  settle();
  co_return Finished{location, *content_type_, byte_size_, digest_.finish()};
}

// The file is closed, or about to be.
void BlobWriter::settle() {
  settled_ = true;
  if (std::exchange(is_counted_, false)) store_->leave_upload_file();
}

void BlobWriter::move_to_store() { loop_ = store_->loop_; }

Task<void> BlobWriter::discard() {
  if (settled_) co_return;
  settle();
  if (!file_) co_return;
  auto job = [this] {
    static_cast<void>(file_->close());
    return net::remove_file(unfinished_path());
  };
  Result<void> removed = co_await net::offload(*loop_, job);
  if (removed) co_return;
  log::warning("unfinished_upload_left reason=\"{}\"", removed.error().message);
  store_->leave_behind(unfinished_location(name_));
}

std::string BlobWriter::unfinished_path() const { return store_->path(unfinished_location(name_)); }

// --- BlobStore ----------------------------------------------------------------------------------

NewPaths::~NewPaths() {
  while (!paths_.empty()) {
    ::remove(paths_.back().c_str());  // a directory that has got something in it stays
    paths_.pop_back();
  }
}

Result<void> NewPaths::make_directory(const std::string& path) {
  const bool is_new = ::access(path.c_str(), F_OK) != 0;
  Result<void> made = net::make_directory(path);
  if (made && is_new) add(path);
  return made;
}

Result<void> NewPaths::sync() const {
  for (const std::string& path : paths_) {
    const std::size_t slash = path.rfind('/');
    std::string parent = path.substr(0, slash == std::string::npos ? 0 : slash + 1);
    if (parent.empty()) parent = ".";
    Result<void> synced = net::sync_directory(parent);
    if (!synced) return synced;
  }
  return {};
}

BlobStore::BlobStore(net::Loop& loop, BlobStoreOptions options, NewPaths made, net::File lock)
    : loop_(&loop), options_(std::move(options)), lock_(std::move(lock)), made_(std::move(made)) {}

Result<BlobStore> BlobStore::open(net::Loop& loop, BlobStoreOptions options) {
  const std::string& root = options.root;
  NewPaths made;
  // The root's own parents are made too: `--images var/images` on a first start.
  for (std::size_t slash = root.find('/', 1); slash != std::string::npos;
       slash = root.find('/', slash + 1)) {
    Result<void> parent = made.make_directory(root.substr(0, slash));
    if (!parent) return std::move(parent).error();
  }
  Result<void> directory = made.make_directory(root);
  if (!directory) return std::move(directory).error();
  const std::string lock_path = root + "/" + std::string(lock_name);
  const bool is_lock_new = ::access(lock_path.c_str(), F_OK) != 0;
  Result<net::File> lock = net::File::lock(lock_path);
  if (!lock) {
    if (lock.error().code != Errc::unavailable) return std::move(lock).error();
    return Error{Errc::unavailable, root + " is in use by another imgcached"};
  }
  if (is_lock_new) made.add(lock_path);
  return BlobStore(loop, std::move(options), std::move(made), std::move(*lock));
}

Result<void> BlobStore::prepare() {
  // A store whose own directory a power cut takes is lost, however durable what
  // is in it.
  Result<void> made = made_.sync();
  made_.keep();
  const std::string unfinished = path(unfinished_directory);
  if (made) made = net::make_directory(unfinished);
  for (int i = 0; made && i < fan_out; ++i) made = net::make_directory(path(fan_out_name(i)));
  if (made) made = net::sync_directory(options_.root);
  if (!made) return made;

  Result<std::vector<std::string>> left = net::list_directory(unfinished);
  if (!left) return std::move(left).error();
  for (const std::string& name : *left) {
    Result<void> removed = net::remove_file(unfinished + "/" + name);
    if (!removed) return std::move(removed).error();
  }
  if (!left->empty()) log::info("unfinished_uploads_removed count={}", left->size());

  if (options_.durability == Durability::strict) {
    std::optional<net::FileSystem> file_system = net::FileSystem::open_if_reliable(options_.root);
    log::info("uploads_synced by={}", file_system ? "file_system" : "file");
    if (file_system) committer_ = std::make_unique<BlobCommitter>(*loop_, std::move(*file_system));
  }
  return {};
}

std::string BlobStore::path(std::string_view location) const {
  return options_.root + "/" + std::string(location);
}

std::string BlobStore::new_name() {
  const std::lock_guard lock(shared_->mutex);
  return Digest{shared_->names.next(), shared_->names.next()}.hex();
}

bool BlobStore::enter_upload_file() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->upload_files >= options_.upload_files_max) return false;
  ++shared_->upload_files;
  return true;
}

void BlobStore::leave_upload_file() {
  const std::lock_guard lock(shared_->mutex);
  --shared_->upload_files;
}

std::size_t BlobStore::upload_files() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->upload_files;
}

Task<Result<Blob>> BlobStore::read(std::string location) {
  const std::string file = path(location);
  auto job = [&file] {
    Result<Blob> blob = net::read_file(file, read_bytes_max);
    if (blob) blob->digest();  // the blob remembers it: the loop need not hash megabytes
    return blob;
  };
  Result<Blob> blob = co_await net::offload(*loop_, job);
  if (blob) co_return blob;
  const Errc code = blob.error().code;
  if (code == Errc::too_large) blob.error().code = Errc::data_lost;  // than any image: not ours
  else if (code != Errc::not_found && code != Errc::data_lost) co_return for_client(blob.error());
  co_return blob;
}

Task<Result<void>> BlobStore::remove(std::vector<std::string> locations) {
  for (std::string& location : take_left_behind()) locations.push_back(std::move(location));
  auto job = [this, &locations] {
    Result<void> result;
    std::erase_if(locations, [&](const std::string& location) {
      Result<void> removed = net::remove_file(path(location));
      if (!removed) result = removed;
      return removed.ok();
    });
    return result;
  };
  Result<void> removed = co_await net::offload(*loop_, job);
  for (std::string& location : locations) leave_behind(std::move(location));
  co_return removed;
}

Task<Result<void>> BlobStore::remove_one(std::string location) {
  std::vector<std::string> locations;
  locations.push_back(std::move(location));
  return remove(std::move(locations));
}

void BlobStore::leave_behind(std::string location) {
  const std::lock_guard lock(shared_->mutex);
  std::vector<std::string>& left_behind = shared_->left_behind;
  if (left_behind.size() < left_behind_max) left_behind.push_back(std::move(location));
}

std::vector<std::string> BlobStore::take_left_behind() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->left_behind, {});
}

Task<Result<std::vector<std::string>>> BlobStore::locations() {
  auto job = [this]() -> Result<std::vector<std::string>> {
    std::vector<std::string> found;
    for (int i = 0; i < fan_out; ++i) {
      Result<std::vector<std::string>> shard = list_shard(i);
      if (!shard) return shard;
      found.insert(found.end(), shard->begin(), shard->end());
    }
    return found;
  };
  Result<std::vector<std::string>> found = co_await net::offload(*loop_, job);
  co_return found;
}

Result<bool> BlobStore::has_images() const {
  for (int i = 0; i < fan_out; ++i) {
    const Result<std::vector<std::string>> shard = list_shard(i);
    if (!shard) return shard.error();
    if (!shard->empty()) return true;
  }
  return false;
}

// The locations in one of the directories; none before prepare() made it.
Result<std::vector<std::string>> BlobStore::list_shard(int index) const {
  const std::string directory = fan_out_name(index);
  Result<std::vector<std::string>> names = net::list_directory(path(directory));
  if (!names && names.error().code == Errc::not_found) return std::vector<std::string>();
  if (!names) return names;
  for (std::string& name : *names) name = directory + "/" + name;
  return names;
}

Task<Result<std::optional<std::string>>> BlobStore::identity() {
  const std::string file = path(identity_name);
  auto job = [&file] { return net::read_file(file, identity_bytes_max); };
  Result<Blob> content = co_await net::offload(*loop_, job);
  if (content) co_return std::optional<std::string>(content->view());
  if (content.error().code == Errc::not_found) co_return std::optional<std::string>();
  co_return std::move(content).error();
}

Task<Result<void>> BlobStore::set_identity(std::string identity) {
  const std::string unfinished = path(unfinished_location(new_name()));
  auto job = [&]() -> Result<void> {
    Result<net::File> file = net::File::create(unfinished);
    if (!file) return std::move(file).error();
    Result<void> done = file->write(identity);
    if (done) done = file->sync();
    if (done) done = file->close();
    if (done) done = net::rename_file(unfinished, path(identity_name));
    if (done) done = net::sync_directory(options_.root);
    return done;
  };
  Result<void> written = co_await net::offload(*loop_, job);
  co_return written;
}

Task<Result<void>> BlobStore::probe() {
  const std::string location = unfinished_location(new_name());
  const std::string file = path(location);
  auto job = [this, &file]() -> Result<void> {
    Result<net::File> created = net::File::create(file);
    if (!created) return std::move(created).error();
    Result<void> done = created->write(std::string(probe_bytes, '\0'));
    if (done && options_.durability == Durability::strict) done = created->sync();
    Result<void> removed = net::remove_file(file);
    return done ? removed : done;
  };
  Result<void> probed = co_await net::offload(*loop_, job);
  if (!probed) leave_behind(location);
  co_return probed;
}

}  // namespace imgcached::images
