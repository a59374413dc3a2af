// The clock of a run: how long epochs take, and when a stretch of steps is over.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

#include "eigenmlp/kernel/types.hpp"

namespace eigenmlp {

class Pace {
  using Clock = std::chrono::steady_clock;

public:
  // Since the last call, or since the run began.
  double seconds_of_epoch() {
    const auto began = std::exchange(epoch_began_, Clock::now());
    return std::chrono::duration<double>(epoch_began_ - began).count();
  }

  // Steps from now on are one stretch, until it has taken so long.
  void begin_stretch(Clock::duration length) {
    clock_ = began_ = Clock::now();
    length_ = length;
    steps_since_clock_ = 0;
  }
  // After each step. Reading the clock takes as long as a row of a small network, so it is read
  // about once a millisecond: after so many steps as last time took that long.
  bool is_over() {
    if (++steps_since_clock_ < steps_a_clock_) return false;
    steps_since_clock_ = 0;
    const auto now = Clock::now(), before = std::exchange(clock_, now);
    if (now - before < std::chrono::microseconds(500))
      steps_a_clock_ *= 2;
    else if (now - before > std::chrono::milliseconds(1))
      steps_a_clock_ = std::max<Index>(1, steps_a_clock_ / 2);
    return now - began_ > length_;
  }

  // Whether the last pause was 10 ms ago; then this is one.
  bool is_time_to_pause() {
    const auto now = Clock::now();
    if (now - paused_at_ < std::chrono::milliseconds(10)) return false;
    paused_at_ = now;
    return true;
  }

private:
  Clock::time_point clock_ = Clock::now(), began_ = clock_, paused_at_ = clock_;
  Clock::time_point epoch_began_ = clock_;
  Clock::duration length_{};
  Index steps_since_clock_ = 0, steps_a_clock_ = 1;
};

} // namespace eigenmlp
