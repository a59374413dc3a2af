// How many threads a piece of work gets: what was measured lately decides, a model of the machine
// only guesses first. Results have the same bits for any number, so it may change at any time.
//
//   - 1, 2, 4, … threads are tried, neighbours of the best now and then: rarely where that was
//   worse.
//   - Threads that share their processors with other programs come late, by a scheduler's slice,
//   and the others wait: work took longer than one thread alone. Half of what threads win while
//   they come in time is put by for that. Once it is spent, work goes alone for a while, and longer
//   each time it happens again: lateness never costs more than is won, but for the trials.
//
// Nothing here reads a clock: times are the caller's, in nanoseconds.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <utility>

namespace eigenmlp {

// Why a number of threads was chosen.
enum class Reason { small, limit, guess, measured, trial, late };
inline constexpr std::array<const char*, 6> reason_texts{
    "the work is too small to share",
    "no more are allowed or free",
    "first guess",
    "the fastest of those measured",
    "a trial of another number",
    "threads came late, so one goes alone for a while"};

struct Decision {
  int threads;
  Reason reason;
};

class Chooser {
public:
  using Time = std::int64_t;                // ns
  static constexpr double too_small = 3000; // ns of one thread, below which nothing is shared

  // For work that one thread is expected to do in `alone` ns; `guess` threads are the model's
  // choice, `most` may be used.
  Decision choose(int guess, int most, double alone, Time now) {
    if (most <= 1) return {1, Reason::limit};
    if (alone < too_small) return {1, Reason::small};
    if (now < alone_until_) return {1, Reason::late};
    const int levels = level_of(most) + 1;
    const int first = std::min(level_of(std::clamp(guess, 1, most)), levels - 1);
    if (tried_[static_cast<std::size_t>(first)].ns == 0)
      return {threads(first, most), Reason::guess};
    int best = first;
    for (int i = 0; i < levels; ++i)
      if (at(i).ns > 0 && at(i).ns < at(best).ns) best = i;
    for (const int i : {best - 1, best + 1})
      if (i >= 0 && i < levels && now >= at(i).next_trial) return {threads(i, most), Reason::trial};
    return {threads(best, most), Reason::measured};
  }

  // `threads` did `units` of work in `ns`, of which one thread is expected to do each in `alone`.
  // Nothing that was done says nothing.
  void report(int threads, int most, double units, double ns, double alone, Time now) {
    if (!(units > 0)) return;
    const int level = level_of(std::min(threads, most));
    Tried& tried = at(level);
    const double each = ns / units;
    if (threads > 1) {
      const double expected = at(0).ns > 0 ? at(0).ns : slowest * alone;
      const double lost = ns - expected * units;
      if (ns > late_factor * expected * units + late_ns) {
        // Not a thread, but the whole process was stopped: that says nothing of threads.
        if (lost > stopped_ns && lost > 10 * expected * units) return;
        return came_late(lost, now);
      }
      if (at(0).ns > 0) put_by_ = std::clamp(put_by_ - lost / 2, 0.0, most_put_by);
      if (now > forgive_at_) times_late_ = 0;
    }
    double best = std::numeric_limits<double>::infinity(); // of the other numbers
    for (const Tried& t : tried_)
      if (&t != &tried && t.ns > 0) best = std::min(best, t.ns);
    // A trial that shows a number to be the fastest counts at once, a spike little: other programs
    // make one thread slow too.
    if (tried.ns == 0 || (each < best && best < tried.ns))
      tried.ns = each;
    else
      tried.ns += std::min((each - tried.ns) / 4, tried.ns / 8);
    best = std::min(best, each);
    // Trials of slower numbers cost a part in trial_share of the time, at most.
    tried.next_trial = now + std::clamp(static_cast<Time>(trial_share * (each - best) * units),
                                        100 * ms, 10'000 * ms);
  }

private:
  static constexpr Time ms = 1'000'000;
  static constexpr double late_ns = 50'000, late_factor = 1.25; // more than alone: late
  static constexpr double stopped_ns = 100'000'000;
  static constexpr double most_put_by = 30'000'000; // what a machine that becomes busy may cost
  static constexpr double slowest = 4; // a core of another machine may be so much slower than ours
  static constexpr double trial_share = 64;
  static constexpr int most_times_late = 5;

  struct Tried {
    double ns = 0; // a unit, about; 0: not tried
    Time next_trial = 0;
  };

  // 1, 2, 4, …, and `most`.
  static int level_of(int threads) {
    return std::min(most_levels - 1,
                    static_cast<int>(std::bit_width(static_cast<unsigned>(threads - 1))));
  }
  static int threads(int level, int most) { return std::min(1 << level, most); }
  Tried& at(int level) { return tried_[static_cast<std::size_t>(level)]; }

  // `lost` ns more than one thread would have taken. What is not put by means: alone for 8 times as
  // long, then 16, …, 256, and a second at most.
  void came_late(double lost, Time now) {
    put_by_ -= lost;
    if (put_by_ >= 0) return;
    lost = -std::exchange(put_by_, 0.0);
    const Time pause = static_cast<Time>(lost) * (Time{8} << times_late_);
    times_late_ = std::min(times_late_ + 1, most_times_late);
    alone_until_ = now + std::min(pause, 1000 * ms);
    forgive_at_ = alone_until_ + std::min(2 * pause, 2000 * ms);
  }

  static constexpr int most_levels = 10; // 512 threads
  std::array<Tried, most_levels> tried_{};
  Time alone_until_ = 0, forgive_at_ = 0;
  int times_late_ = 0;
  double put_by_ = 0; // ns
};

} // namespace eigenmlp
