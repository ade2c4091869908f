#include "tests/images/interleaving.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace imgcached::test {
namespace {

constexpr std::uint32_t bit(std::size_t actor) { return std::uint32_t{1} << actor; }

template <class Clock>
void join(Clock& clock, const Clock& other) {
  for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

}  // namespace

// --- Schedule -----------------------------------------------------------------------------------

void Schedule::Park::await_suspend(std::coroutine_handle<> waiter) {
  const auto place = std::lower_bound(
      schedule_.parked_.begin(), schedule_.parked_.end(), step_.actor,
      [](const Parked& parked, std::size_t actor) { return parked.step.actor < actor; });
  assert(place == schedule_.parked_.end() || place->step.actor != step_.actor);
  schedule_.parked_.insert(place, {std::move(step_), waiter});
}

bool Schedule::is_parked(std::size_t actor) const {
  return std::any_of(parked_.begin(), parked_.end(),
                     [&](const Parked& parked) { return parked.step.actor == actor; });
}

std::vector<Step> Schedule::parked() const {
  std::vector<Step> steps;
  for (const Parked& parked : parked_) steps.push_back(parked.step);
  return steps;
}

void Schedule::change(std::size_t actor, Footprint footprint) {
  for (Parked& parked : parked_) {
    if (parked.step.actor == actor) parked.step.footprint = footprint;
  }
}

void Schedule::release(std::size_t actor) {
  const auto found = std::find_if(parked_.begin(), parked_.end(),
                                  [&](const Parked& parked) { return parked.step.actor == actor; });
  assert(found != parked_.end());
  const std::coroutine_handle<> waiter = found->waiter;
  parked_.erase(found);
  waiter.resume();
}

// --- Explorer -----------------------------------------------------------------------------------

bool Explorer::next() {
  if (begun_) {
    ++(is_redundant_ ? redundant_ : completed_);
    order_steps();
    plan_reversals();
    if (!backtrack()) return false;
  }
  begun_ = true;
  is_redundant_ = false;
  depth_ = 0;
  clocks_.clear();
  left_.clear();
  return true;
}

std::optional<std::size_t> Explorer::choose(const std::vector<Step>& enabled) {
  if (is_redundant_) return std::nullopt;
  if (depth_ < nodes_.size()) {
    const Node& node = nodes_[depth_++];
    if (node.enabled == enabled) return node.chosen;
    std::fputs("explorer: the same choices have made other steps\n", stderr);
    for (const Step& step : execution()) std::fprintf(stderr, "  %s\n", step.name.c_str());
    for (const Step& step : enabled) std::fprintf(stderr, "  now: %s\n", step.name.c_str());
    std::abort();
  }
  const Actors sleeping = nodes_.empty() ? 0 : asleep_after(nodes_.back());
  const auto awake = std::find_if(enabled.begin(), enabled.end(), [&](const Step& step) {
    return (sleeping & bit(step.actor)) == 0;
  });
  if (awake == enabled.end()) {
    is_redundant_ = true;
    left_ = enabled;
    return std::nullopt;
  }
  nodes_.push_back({enabled, awake->actor, bit(awake->actor), sleeping});
  ++depth_;
  return awake->actor;
}

std::vector<Step> Explorer::execution() const {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < depth_; ++i) steps.push_back(taken(i));
  return steps;
}

bool Explorer::happens_before(std::size_t before, std::size_t after) {
  if (clocks_.size() != nodes_.size()) order_steps();
  return clocks_[after][nodes_[before].chosen] > before;
}

const Step* Explorer::find(const std::vector<Step>& steps, std::size_t actor) {
  const auto found = std::find_if(steps.begin(), steps.end(),
                                  [&](const Step& step) { return step.actor == actor; });
  return found == steps.end() ? nullptr : &*found;
}

// Those whose step still is what it was: the one taken does not conflict with it.
Explorer::Actors Explorer::asleep_after(const Node& node) const {
  const Footprint& footprint = find(node.enabled, node.chosen)->footprint;
  Actors sleeping = 0;
  for (const Step& step : node.enabled) {
    const bool sleeps = (node.sleeping & bit(step.actor)) != 0 && step.actor != node.chosen;
    if (sleeps && !step.footprint.conflicts(footprint)) sleeping |= bit(step.actor);
  }
  return sleeping;
}

// The first node from which on the actor of the node's step was parked before it.
std::size_t Explorer::parked_since(std::size_t node) const {
  const std::size_t actor = nodes_[node].chosen;
  std::size_t since = node;
  while (since > 0 && nodes_[since - 1].chosen != actor &&
         find(nodes_[since - 1].enabled, actor) != nullptr) {
    --since;
  }
  return since;
}

// Vector clocks: a step comes after the earlier ones of its actor, after the one
// that made its actor park before it, and after those it conflicts with.
void Explorer::order_steps() {
  before_.assign(nodes_.size(), Clock{});
  clocks_.assign(nodes_.size(), Clock{});
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Clock& before = before_[i];
    if (const std::size_t since = parked_since(i); since > 0) join(before, clocks_[since - 1]);
    for (std::size_t j = 0; j < i; ++j) {
      if (nodes_[j].chosen == nodes_[i].chosen) join(before, clocks_[j]);
    }
    Clock clock = before;
    for (std::size_t j = 0; j < i; ++j) {
      if (taken(j).footprint.conflicts(taken(i).footprint)) join(clock, clocks_[j]);
    }
    clock[nodes_[i].chosen] = static_cast<std::uint32_t>(i) + 1;
    clocks_[i] = clock;
  }
}

// Whether the two conflict, and nothing else orders them.
bool Explorer::is_race(std::size_t first, std::size_t second) const {
  const std::size_t actor = nodes_[first].chosen;
  if (!taken(first).footprint.conflicts(taken(second).footprint)) return false;
  if (before_[second][actor] > first) return false;
  for (std::size_t between = first + 1; between < second; ++between) {
    const bool is_chain =
        clocks_[between][actor] > first && clocks_[second][nodes_[between].chosen] > between;
    if (is_chain) return false;
  }
  return true;
}

// Has the second of the racing steps tried before the first: what does not come
// after the first, then the second. Any actor that may begin this sequence will do.
void Explorer::reverse(std::size_t first, std::size_t second) {
  std::vector<std::size_t> sequence;
  for (std::size_t i = first + 1; i < second; ++i) {
    if (clocks_[i][nodes_[first].chosen] <= first) sequence.push_back(i);
  }
  sequence.push_back(second);
  // The second step without its tie to the first: nothing that is left in the
  // sequence and precedes it has one either.
  Actors seen = 0;
  Actors initials = 0;
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    const Actors actor = bit(nodes_[sequence[i]].chosen);
    if ((seen & actor) != 0) continue;
    seen |= actor;
    const bool is_first =
        std::none_of(sequence.begin(), sequence.begin() + static_cast<std::ptrdiff_t>(i),
                     [&](std::size_t j) { return clocks_[sequence[i]][nodes_[j].chosen] > j; });
    if (is_first) initials |= actor;
  }
  Node& node = nodes_[first];
  if ((initials & node.backtrack) != 0) return;
  const Actors wanted = initials & bit(nodes_[second].chosen);
  node.backtrack |=
      wanted != 0 ? wanted : bit(static_cast<std::size_t>(std::countr_zero(initials)));
}

void Explorer::plan_reversals() {
  for (std::size_t second = 1; second < nodes_.size(); ++second) {
    for (std::size_t first = 0; first < second; ++first) {
      if (is_race(first, second)) reverse(first, second);
    }
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) spare_the_ended(i);
}

// A step that is no longer there after another one, as that has ended its actor,
// never comes and races with nothing; so it is tried first.
void Explorer::spare_the_ended(std::size_t node) {
  const bool is_last = node + 1 == nodes_.size();
  const std::vector<Step>& afterwards = is_last ? left_ : nodes_[node + 1].enabled;
  for (const Step& step : nodes_[node].enabled) {
    if (step.actor == nodes_[node].chosen || find(afterwards, step.actor) != nullptr) continue;
    nodes_[node].backtrack |= bit(step.actor);
  }
}

// Turns to the last choice that has something left to try.
bool Explorer::backtrack() {
  while (!nodes_.empty()) {
    Node& node = nodes_.back();
    node.sleeping |= bit(node.chosen);
    const Actors untried = node.backtrack & ~node.sleeping;
    if (untried != 0) {
      node.chosen = static_cast<std::size_t>(std::countr_zero(untried));
      return true;
    }
    nodes_.pop_back();
  }
  return false;
}

}  // namespace imgcached::test
