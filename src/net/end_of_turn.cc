#include "net/end_of_turn.h"

#include <cassert>

namespace imgcached::net {

EndOfTurn::EndOfTurn(Loop& loop) {
  const int idle_status =
      idle_.open(loop, [&](Idle& idle) { return uv_idle_init(loop.raw(), &idle.uv); });
  const int check_status =
      check_.open(loop, [&](Check& check) { return uv_check_init(loop.raw(), &check.uv); });
  assert(idle_status == 0 && check_status == 0);
  (void)idle_status;
  (void)check_status;
  check_->idle = &idle_->uv;
}

void EndOfTurn::Wait::await_suspend(std::coroutine_handle<> waiter) {
  assert(!check_.waiter);
  check_.waiter = waiter;
  uv_idle_start(check_.idle, [](uv_idle_t*) {});
  uv_check_start(&check_.uv, [](uv_check_t* started) {
    auto* check = static_cast<Check*>(started->data);
    uv_check_stop(&check->uv);
    uv_idle_stop(check->idle);
    check->take_waiter().resume();
  });
}

}  // namespace imgcached::net
