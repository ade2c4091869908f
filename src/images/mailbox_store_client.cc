#include "images/mailbox_store_client.h"

#include "cache/key.h"

namespace imgcached::images {
namespace {

Task<Result<bool>> answer_to(const GoesOn& goes_on) {
  const bool answer = co_await goes_on();
  co_return answer;
}

}  // namespace

Task<Result<Image>> MailboxStoreClient::get(std::string key) {
  Result<void> valid = cache::validate_key(key);
  if (!valid) co_return std::move(valid).error();
  bool is_bypassed = false;
  if (store_.has_open_writes()) {
    auto bypasses = [&]() -> Result<bool> { return store_.bypasses_cache(key); };
    Result<bool> answer = co_await net::call(there_.mailbox, here_.mailbox, bypasses);
    if (!answer) co_return std::move(answer).error();
    is_bypassed = *answer;
  }
  std::uint64_t lease = 0;  // 0: the cache takes no part
  if (!is_bypassed) {
    Result<cache::Lookup> lookup = co_await cache_.get(key);
    std::optional<Image> hit = store_.take_hit(lookup);
    if (hit) co_return std::move(*hit);
    if (lookup) lease = lookup->lease;
  }
  auto get_missed = [&] { return store_.get_missed(std::move(key), lease); };
  Result<Image> image = co_await on_store(get_missed);
  co_return image;
}

Task<Result<Stored>> MailboxStoreClient::put(std::string key, BlobWriter& upload,
                                             Precondition precondition) {
  auto put = [&] { return store_.put(std::move(key), upload, std::move(precondition)); };
  Result<Stored> stored = co_await on_store(put);
  co_await upload.discard();  // for the case that it never got there
  co_return stored;
}

Task<Result<void>> MailboxStoreClient::check(std::string key, Precondition precondition) {
  auto check = [&] { return store_.check(std::move(key), std::move(precondition)); };
  Result<void> allowed = co_await on_store(check);
  co_return allowed;
}

Task<Result<void>> MailboxStoreClient::remove(std::string key, Precondition precondition) {
  auto remove = [&] { return store_.remove(std::move(key), std::move(precondition)); };
  Result<void> removed = co_await on_store(remove);
  co_return removed;
}

Task<Result<void>> MailboxStoreClient::remove_all(GoesOn goes_on) {
  const GoesOn asked_there = [&] { return ask(goes_on); };
  auto remove_all = [&] { return store_.remove_all(asked_there); };
  Result<void> removed = co_await on_store(remove_all);
  co_return removed;
}

Task<bool> MailboxStoreClient::ask(const GoesOn& goes_on) {
  auto asked_here = [&] { return answer_to(goes_on); };
  Result<bool> answer =
      co_await net::call_task(here_.mailbox, here_.gate, there_.mailbox, asked_here);
  co_return !answer || *answer;
}

Task<Result<Listing>> MailboxStoreClient::list(std::string prefix, std::string after,
                                               std::size_t limit) {
  auto list = [&] { return store_.list(std::move(prefix), std::move(after), limit); };
  Result<Listing> listing = co_await on_store(list);
  co_return listing;
}

Task<Result<Listing>> MailboxStoreClient::list_before(std::string prefix, std::string before,
                                                      std::size_t limit) {
  auto list = [&] { return store_.list_before(std::move(prefix), std::move(before), limit); };
  Result<Listing> listing = co_await on_store(list);
  co_return listing;
}

Task<Result<std::vector<db::ImageSummary>>> MailboxStoreClient::recent(std::size_t limit) {
  auto recent = [&] { return store_.recent(limit); };
  Result<std::vector<db::ImageSummary>> images = co_await on_store(recent);
  co_return images;
}

Task<Result<std::optional<db::ImageRow>>> MailboxStoreClient::describe(std::string key) {
  auto describe = [&] { return store_.describe(std::move(key)); };
  Result<std::optional<db::ImageRow>> row = co_await on_store(describe);
  co_return row;
}

Task<Result<StoreFigures>> MailboxStoreClient::figures() {
  auto figures = [&] { return store_.figures(); };
  Result<StoreFigures> read = co_await on_store(figures);
  co_return read;
}

Task<Result<void>> MailboxStoreClient::probe() {
  auto probe = [&] { return store_.probe(); };
  Result<void> probed = co_await on_store(probe);
  co_return probed;
}

}  // namespace imgcached::images
