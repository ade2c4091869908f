#include "net/mailbox.h"

#include <cassert>

namespace imgcached::net {

Mailbox::Mailbox(Loop& loop) {
  const int status = handle_.open(loop, [&](State& state) {
    return uv_async_init(loop.raw(), &state.uv, [](uv_async_t* async) {
      static_cast<State*>(async->data)->mailbox->deliver_all();
    });
  });
  assert(status == 0);
  (void)status;
  handle_->mailbox = this;
}

void Mailbox::post(Letter& letter) {
  letter.next = nullptr;
  const std::lock_guard lock(mutex_);
  const bool was_empty = first_ == nullptr;
  *end_ = &letter;
  end_ = &letter.next;
  // A batch that is not empty has its wake-up under way already. Sent under the
  // lock: once the letter is delivered, its mailbox may be closed.
  if (was_empty) uv_async_send(&handle_->uv);
}

void Mailbox::deliver_all() {
  Letter* letter = nullptr;
  {
    const std::lock_guard lock(mutex_);
    letter = std::exchange(first_, nullptr);
    end_ = &first_;
  }
  while (letter) {
    Letter* next = letter->next;  // delivering ends the letter's life
    letter->deliver(letter);
    letter = next;
  }
}

}  // namespace imgcached::net
