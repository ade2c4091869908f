// AnswerBudget: what the answers that are being sent may hold in memory together, of all
// readers of one server.
//
// Each reader has a Share. What goes out at once counts for nothing; from when a reader
// has to be waited for, what he is sent counts until he has it. Bytes that several are
// sent, one image say, count once.
//
// When that comes to too much, somebody has to go, and it is not whoever came last: else
// a few who hardly read could keep everybody out. The bytes go whose best reader is the
// slowest, with all of their readers. So one who reads beside others is not cut off with
// them, and each who is cut off makes room. A reader's pace is what he has taken since he
// was first waited for. Who has just begun can't have taken much, so head_start_bytes
// count as taken: for a second he is as good as one who reads that much in it. Among
// equals the one who has been waited for longest goes.
//
// What is held alone may be any size, or the largest answers could never be sent.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace imgcached::http {

class AnswerBudget {
 public:
  static constexpr std::uint64_t head_start_bytes = 256 << 10;

  // `name` is for log lines.
  AnswerBudget(std::uint64_t bytes_max, std::string name)
      : bytes_max_(bytes_max), name_(std::move(name)) {}
  AnswerBudget(const AnswerBudget&) = delete;
  AnswerBudget& operator=(const AnswerBudget&) = delete;
  ~AnswerBudget();

  std::uint64_t in_flight() const { return in_flight_; }
  std::uint64_t readers_cut() const { return readers_cut_; }

  class Share {
   public:
    // `cut(argument)` ends the connection, and neither at once nor through release().
    Share(AnswerBudget& budget, void (*cut)(void*), void* argument)
        : budget_(budget), cut_(cut), argument_(argument) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() { release(); }

    // An answer that grows while it is made has so many bytes by now. False, when those are
    // too many beside what else is held, although nobody is left to be cut off.
    bool make(std::uint64_t bytes, std::uint64_t now_ms);
    // The reader is waited for: `own_bytes` are his, `shared_bytes` those known by the
    // address `shared`, if any. Only the first call until release() does something. It
    // may cut off readers, this one too.
    void wait(const void* shared, std::uint64_t shared_bytes, std::uint64_t own_bytes,
              std::uint64_t now_ms);
    // He took so many.
    void took(std::uint64_t bytes) { taken_ += bytes; }
    // Gives everything back.
    void release();

   private:
    friend class AnswerBudget;
    std::uint64_t bytes_per_second(std::uint64_t now_ms) const;
    void set_own(std::uint64_t bytes);

    AnswerBudget& budget_;
    void (*const cut_)(void*);
    void* const argument_;
    std::uint64_t own_bytes_ = 0;
    const void* held_ = nullptr;  // the key in held_; null while he is not waited for
    std::uint64_t began_ms_ = 0;
    std::uint64_t taken_ = 0;
  };

 private:
  struct Held {
    std::uint64_t bytes = 0;  // shared by the readers
    std::vector<Share*> readers;
  };
  using Table = std::unordered_map<const void*, Held>;

  // Cuts readers off until all is within bounds, or nothing is held but what `newest` is sent.
  void make_room(const Share& newest, std::uint64_t now_ms);
  Table::iterator slowest(std::uint64_t now_ms);
  void cut(Table::iterator held, std::uint64_t now_ms);

  const std::uint64_t bytes_max_;
  const std::string name_;
  std::uint64_t in_flight_ = 0;
  Table held_;
  std::uint64_t readers_cut_ = 0;
  std::uint64_t quiet_until_ms_ = 0;
};

}  // namespace imgcached::http
