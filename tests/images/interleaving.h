// Interleaving: drives concurrent operations through every order of their steps
// that can make a difference, one execution after the other.
//
// The model: an operation is an actor, a coroutine that awaits `step()` before
// each of its steps and so parks in a Schedule. When nothing moves any more, the
// test asks the Explorer which parked actor goes on, releases it, and turns its
// loop until all is parked again or has ended. What the steps do is real; the
// test decides only when each begins.
//
//     Schedule  who is parked, and before what       (what may happen next)
//     Explorer  which of them goes on; remembers it  (what has been tried)
//
// A step says beforehand what it will touch, its Footprint: a set of objects that
// it reads and one that it writes. Two steps conflict if one of them writes what
// the other touches. Executions that differ only in the order of steps which do
// not conflict are equivalent (a Mazurkiewicz trace): they end alike, so one of
// each class is enough. The Explorer finds them by
//
//     source sets and sleep sets, Algorithm 1 of Abdulla, Aronis, Jonsson and
//     Sagonas, "Optimal Dynamic Partial Order Reduction", POPL 2014;
//
// after Godefroid's sleep sets (1996) and Flanagan and Godefroid, POPL 2005. It is
// stateless: each execution begins anew and repeats the choices of an earlier one
// up to a certain point. Every class is completed exactly once; an execution that
// turns out to lead into a class that was seen already is broken off (redundant).
//
// REQUIRES of the test:
//  * The same choices make the same steps. It is checked: names and footprints of
//    all parked steps are compared, and a difference ends the process.
//  * Footprints leave nothing out. They may say too much, that costs time only.
//  * An actor that is parked stays so until it is released, unless a step that
//    conflicts with its own does something to it.
#pragma once

#include <array>
#include <bit>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace imgcached::test {

// Objects are bits, numbered by the test.
struct Footprint {
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;

  bool conflicts(const Footprint& other) const {
    return (writes & (other.reads | other.writes)) != 0 || (other.writes & reads) != 0;
  }
  Footprint operator|(const Footprint& other) const {
    return {reads | other.reads, writes | other.writes};
  }
  friend bool operator==(const Footprint&, const Footprint&) = default;
};

// What an actor does when it is released.
struct Step {
  std::size_t actor = 0;  // below actors_max
  std::string name;       // for people
  Footprint footprint;

  friend bool operator==(const Step&, const Step&) = default;
};

constexpr std::size_t actors_max = 16;

// The steps that could be next.
class Schedule {
 public:
  // Awaited: parks until release(). REQUIRES: the actor is not parked.
  class Park {
   public:
    Park(Schedule& schedule, Step step) : schedule_(schedule), step_(std::move(step)) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter);
    void await_resume() const noexcept {}

   private:
    Schedule& schedule_;
    Step step_;
  };
  Park step(std::size_t actor, std::string name, Footprint footprint) {
    return Park(*this, {actor, std::move(name), footprint});
  }

  bool is_parked(std::size_t actor) const;
  // Sorted by actor.
  std::vector<Step> parked() const;
  // The actor's step will touch something else than was said.
  void change(std::size_t actor, Footprint footprint);
  // Lets a parked actor go on; returns when it waits for something again.
  void release(std::size_t actor);

 private:
  struct Parked {
    Step step;
    std::coroutine_handle<> waiter;
  };
  std::vector<Parked> parked_;
};

class Explorer {
 public:
  // Begins an execution. False: there is none left.
  bool next();

  // Which of the steps, sorted by actor and not empty, is next: its actor. Nothing:
  // whatever comes is equivalent to what has been seen; the test ends the execution
  // as it likes and does not judge it.
  std::optional<std::size_t> choose(const std::vector<Step>& enabled);

  // The steps of the execution, in their order.
  std::vector<Step> execution() const;
  // Whether step `before` comes before step `after` in all executions of this
  // one's class. A step precedes itself.
  bool happens_before(std::size_t before, std::size_t after);

  // Completed ones, which is the number of classes seen, and redundant ones.
  std::uint64_t completed() const { return completed_; }
  std::uint64_t redundant() const { return redundant_; }

 private:
  using Actors = std::uint32_t;  // a set of them
  // For each actor how many steps of the execution, counted from its start, have
  // the last of its steps that happened before.
  using Clock = std::array<std::uint32_t, actors_max>;

  // A state and the step that was taken from it.
  struct Node {
    std::vector<Step> enabled;
    std::size_t chosen;
    Actors backtrack;  // to be tried from here, or tried
    Actors sleeping;   // need not be tried: what follows has been seen
  };

  static const Step* find(const std::vector<Step>& steps, std::size_t actor);
  const Step& taken(std::size_t node) const {
    return *find(nodes_[node].enabled, nodes_[node].chosen);
  }
  Actors asleep_after(const Node& node) const;
  void order_steps();
  std::size_t parked_since(std::size_t node) const;
  bool is_race(std::size_t first, std::size_t second) const;
  void reverse(std::size_t first, std::size_t second);
  void plan_reversals();
  void spare_the_ended(std::size_t node);
  bool backtrack();

  std::vector<Node> nodes_;
  std::vector<Step> left_;     // could be next when a redundant execution was broken off
  std::vector<Clock> before_;  // of each step, without what it races with itself
  std::vector<Clock> clocks_;  // of each step, itself included
  std::size_t depth_ = 0;
  bool begun_ = false;
  bool is_redundant_ = false;
  std::uint64_t completed_ = 0;
  std::uint64_t redundant_ = 0;
};

}  // namespace imgcached::test
